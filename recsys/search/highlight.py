"""Which words of a query an item's fields hold, and where they stand in the original texts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import lru_cache

from recsys.analysis.analyzer import Analyzer, Token
from recsys.analysis.posting_terms import postings_of_phrase
from recsys.retrieval.lexical.query import LexicalQuery, WordGroup

Span = tuple[int, int]  # first character, behind the last one


@dataclass(frozen=True)
class FieldMatch:
    """What of a query one field holds."""

    field: str = dataclass_field(metadata={"description": "title, category or brand"})
    words: tuple[str, ...] = dataclass_field(
        metadata={"description": "words of the query that it has, as they were typed"}
    )
    spans: tuple[Span, ...] = dataclass_field(
        metadata={"description": "[first character, behind the last] of what matches, ascending, apart"}
    )


def matched_fields(
    fields: Mapping[str, str], query: LexicalQuery, analyzer: Analyzer | None = None
) -> tuple[FieldMatch, ...]:
    """The fields that hold a word of the query, with these words and their places; excluded ones have none.

    Args:
        fields: name -> original text.
    """
    reader = analyzer or _READER
    found = (_match(name, _tokens(reader, text), query) for name, text in fields.items() if text)
    return tuple(match for match in found if match.words)


_READER = Analyzer()


@lru_cache(20_000)  # the same brands, categories and popular titles are shown again and again
def _tokens(reader: Analyzer, text: str) -> tuple[Token, ...]:
    return reader.tokens(text)


def marked(text: str, spans: Iterable[Span], before: str, behind: str) -> str:
    """`text` with marks around its spans; it is not escaped: spans go to a page, marks to a terminal.

    >>> marked("Solid wood table", [(6, 10)], "[", "]")
    'Solid [wood] table'
    """
    parts: list[str] = []
    place = 0
    for start, end in spans:
        parts += [text[place:start], before, text[start:end], behind]
        place = end
    return "".join([*parts, text[place:]])


def _match(name: str, tokens: tuple[Token, ...], query: LexicalQuery) -> FieldMatch:
    places: dict[int, list[Token]] = {}
    for token in tokens:
        places.setdefault(token.position, []).append(token)
    words: list[str] = []
    spans: list[Span] = []
    for group in query.groups:
        if not group.excluded and (found := list(_group_spans(group, places))):
            words.append(group.text)
            spans += found
    return FieldMatch(name, tuple(dict.fromkeys(words)), _merged(spans))


def _group_spans(group: WordGroup, places: Mapping[int, list[Token]]) -> Iterator[Span]:
    for alternative in group.alternatives:
        wanted = postings_of_phrase(alternative.terms)
        for position in places if wanted else ():
            held = [
                _token_at(places.get(position + offset, []), term, group.prefix and row == len(wanted) - 1)
                for row, (offset, term) in enumerate(wanted)
            ]
            matched = [token for token in held if token is not None]
            if len(matched) == len(wanted):
                yield min(token.start for token in matched), max(token.end for token in matched)


def _token_at(tokens: Iterable[Token], term: str, beginning: bool) -> Token | None:
    """The token that is `term`; the longest where it may go on."""
    fits = [token for token in tokens if token.term == term or (beginning and token.term.startswith(term))]
    return max(fits, key=lambda token: token.end - token.start, default=None)


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same places, ascending, those that touch as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return tuple(merged)
