"""Which words of a query an item's fields hold, and where they stand in the original texts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import lru_cache

from recsys.analysis.analyzer import Analyzer, Token
from recsys.analysis.posting_terms import postings_of_phrase
from recsys.retrieval.lexical.query import LexicalQuery, WordGroup

Span = tuple[int, int]  # first character, behind the last one
_Phrase = tuple[tuple[int, str], ...]  # offsets and terms


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


class Highlighter:
    """Finds the words of one query in the fields of any items; excluded words are found nowhere."""

    def __init__(self, query: LexicalQuery, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._groups = [
            (group.text, group.prefix, _phrases(group)) for group in query.groups if not group.excluded
        ]
        self._known: dict[str, tuple[tuple[str, ...], tuple[Span, ...]]] = {}

    def matches(self, fields: Mapping[str, str]) -> tuple[FieldMatch, ...]:
        """The fields that hold a word of the query, with these words and their places.

        Args:
            fields: name -> original text.
        """
        found = ((name, self._match(text)) for name, text in fields.items() if text and self._groups)
        return tuple(FieldMatch(name, words, spans) for name, (words, spans) in found if words)

    def _match(self, text: str) -> tuple[tuple[str, ...], tuple[Span, ...]]:
        if text not in self._known:
            read = _read(self._analyzer, text)
            words: list[str] = []
            spans: list[Span] = []
            for word, prefix, phrases in self._groups:
                if found := list(_group_spans(prefix, phrases, read)):
                    words.append(word)
                    spans += found
            self._known[text] = tuple(dict.fromkeys(words)), _merged(spans)
        return self._known[text]


@dataclass(frozen=True)
class _Read:
    """The tokens of a text, by their term and by their position."""

    of_term: Mapping[str, list[Token]]
    at: Mapping[int, list[Token]]


@lru_cache(20_000)  # the same brands, categories and popular titles are shown again and again
def _read(reader: Analyzer, text: str) -> _Read:
    of_term: dict[str, list[Token]] = {}
    at: dict[int, list[Token]] = {}
    for token in reader.tokens(text):
        of_term.setdefault(token.term, []).append(token)
        at.setdefault(token.position, []).append(token)
    return _Read(of_term, at)


def _phrases(group: WordGroup) -> tuple[_Phrase, ...]:
    """What each alternative of the group looks for, see `postings_of_phrase`."""
    found = (postings_of_phrase(alternative.terms) for alternative in group.alternatives)
    return tuple(wanted for wanted in found if wanted)


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


def _group_spans(prefix: bool, phrases: Iterable[_Phrase], read: _Read) -> Iterator[Span]:
    for wanted in phrases:
        last = len(wanted) - 1
        if not prefix and any(term not in read.of_term for _, term in wanted):
            continue
        for position in _starts(wanted[0][1], prefix and last == 0, read):
            held = [
                _token_at(read.at.get(position + offset, []), term, prefix and row == last)
                for row, (offset, term) in enumerate(wanted)
            ]
            matched = [token for token in held if token is not None]
            if len(matched) == len(wanted):
                yield min(token.start for token in matched), max(token.end for token in matched)


def _starts(term: str, beginning: bool, read: _Read) -> Iterable[int]:
    """The positions of tokens that are `term`, or begin with it."""
    if not beginning:
        return dict.fromkeys(token.position for token in read.of_term.get(term, ()))
    found = (tokens for known, tokens in read.of_term.items() if known.startswith(term))
    return dict.fromkeys(token.position for tokens in found for token in tokens)


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
