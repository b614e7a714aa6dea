"""Synonyms of a shop: other words that an item may have for what a query asks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from recsys.analysis.analyzer import Analyzer
from recsys.analysis.scanning import is_han
from recsys.errors import DataError
from recsys.retrieval.lexical.query import Alternative
from recsys.search.understanding.parts import SYNONYMS, QueryPart, Rewrite

DEFAULT_WEIGHT = 0.7
MOST_SYNONYMS = 50  # of the same words
LONGEST_WORDS = 200  # characters
_MOST_PARTS = 8  # words of a query that one entry may stand for

_Key = tuple[str, ...]


@dataclass(frozen=True)
class Synonym:
    """One entry: who asks for `words` finds `synonym` too, and the other way round where `two_way`.

    Attributes:
        weight: times the score of a match; above 0 and below 1, so that the word itself counts more.
        place: where it was read, for messages: `line 3`.
    """

    words: str
    synonym: str
    weight: float = DEFAULT_WEIGHT
    two_way: bool = False
    place: str = ""


@dataclass(frozen=True)
class _Expansion:
    text: str
    alternative: Alternative


@dataclass(frozen=True)
class SynonymSet:
    """Checked synonyms, ready to be looked up; made by `synonym_set`."""

    entries: tuple[Synonym, ...] = ()
    _by_key: Mapping[_Key, tuple[_Expansion, ...]] = field(default_factory=dict, repr=False)
    _longest: int = 0

    def __len__(self) -> int:
        return len(self.entries)

    def applied(self, parts: Sequence[QueryPart]) -> tuple[list[QueryPart], list[Rewrite]]:
        """The parts with what else may stand for them, and what was used.

        The longest entry at a place holds. Of an entry of several words each of these words may be answered
        by the whole synonym, never by a part of it; so a synonym adds results and takes none away.
        """
        widened, rewrites = list(parts), []
        place = 0
        while place < len(parts):
            behind, found = self._longest_at(parts, place)
            for index in range(place, behind if found else place):
                more = tuple(expansion.alternative for expansion in found)
                widened[index] = replace(parts[index], alternatives=(*parts[index].alternatives, *more))
            if found:
                before = " ".join(part.surface for part in parts[place:behind])
                rewrites.append(Rewrite(SYNONYMS, before, ", ".join(expansion.text for expansion in found)))
            place = behind if found else place + 1
        return widened, rewrites

    def _longest_at(self, parts: Sequence[QueryPart], start: int) -> tuple[int, tuple[_Expansion, ...]]:
        best: tuple[int, tuple[_Expansion, ...]] = (start + 1, ())
        terms: list[str] = []
        for behind in range(start + 1, min(len(parts), start + self._longest) + 1):
            if not parts[behind - 1].rewritable:
                break
            terms.extend(parts[behind - 1].terms)
            found = self._by_key.get(phrase_key(terms))
            if found:
                best = (behind, found)
        return best


def synonym_set(entries: Iterable[Synonym], analyzer: Analyzer) -> SynonymSet:
    """The set of these entries.

    Raises:
        DataError: an entry without words, a synonym of itself, one that is there twice, a weight that is not
            between 0 and 1, too many for the same words, or one-way entries that lead in a circle; with the
            entry's place and the remedy.
    """
    entries = tuple(entries)
    expansions: dict[_Key, dict[_Key, _Expansion]] = {}
    one_way: dict[_Key, dict[_Key, Synonym]] = {}
    longest = 0
    for entry in entries:
        _check(entry)
        for words, synonym in ((entry.words, entry.synonym), (entry.synonym, entry.words))[
            : 1 + entry.two_way
        ]:
            key, other = _asked(words, entry, analyzer), _asked(synonym, entry, analyzer)
            if key == other:
                raise _error(entry, f"{words!r} and {synonym!r} are the same to the search; remove the entry")
            found = expansions.setdefault(key, {})
            if other in found:
                raise _error(entry, f"{synonym!r} is a synonym of {words!r} already; remove one of the two")
            if len(found) >= MOST_SYNONYMS:
                raise _error(entry, f"{words!r} has over {MOST_SYNONYMS} synonyms; remove some")
            terms = _phrase(synonym, analyzer)
            found[other] = _Expansion(synonym, Alternative(terms, entry.weight, "synonym"))
            longest = max(longest, len(analyzer.query_words(words)), len(key))
            if not entry.two_way:
                one_way.setdefault(key, {})[other] = entry
    _refuse_circles(one_way)
    by_key = {key: tuple(found.values()) for key, found in expansions.items()}
    return SynonymSet(entries, by_key, min(longest, _MOST_PARTS))


def _check(entry: Synonym) -> None:
    for text in (entry.words, entry.synonym):
        if len(text) > LONGEST_WORDS:
            raise _error(
                entry, f"{text[:30]!r}... has {len(text)} characters; at most {LONGEST_WORDS} are allowed"
            )
    if not 0 < entry.weight < 1:
        raise _error(
            entry,
            f"the weight {entry.weight} of {entry.synonym!r} is not between 0 and 1; try {DEFAULT_WEIGHT}",
        )


def _asked(text: str, entry: Synonym, analyzer: Analyzer) -> _Key:
    """How a query that is `text` begins to be looked up."""
    words = analyzer.query_words(text)
    if any(word.strict or word.excluded for word in words):
        raise _error(entry, f"{text!r} has quotation marks or an excluded word; write the words alone")
    if not words:
        raise _error(entry, f"{text!r} has no word; write words or remove the entry")
    if len(words) > _MOST_PARTS:
        raise _error(entry, f"{text!r} has {len(words)} words; at most {_MOST_PARTS} are allowed")
    return phrase_key([term for word in words for term in word.terms])


def phrase_key(terms: Sequence[str]) -> tuple[str, ...]:
    """The terms, Han words that follow one another as one: how they are cut depends on their neighbours."""
    key: list[str] = []
    for term in terms:
        if key and is_han(term) and is_han(key[-1]):
            key[-1] += term
        else:
            key.append(term)
    return tuple(key)


def _phrase(text: str, analyzer: Analyzer) -> tuple[str, ...]:
    """All terms of `text` in order, as they must follow one another in a field."""
    words = analyzer.query_words(f'"{text}"')
    return tuple(term for word in words for term in word.terms)


def _refuse_circles(graph: Mapping[_Key, Mapping[_Key, Synonym]]) -> None:
    done: set[_Key] = set()
    for start in graph:
        way: list[_Key] = []
        waiting: list[tuple[_Key, Iterator[_Key]]] = (
            [(start, iter(graph[start]))] if start not in done else []
        )
        way.append(start)
        while waiting:
            node, rest = waiting[-1]
            following = next(rest, None)
            if following is None:
                waiting.pop()
                way.pop()
                done.add(node)
            elif following in way:
                names = " => ".join(" ".join(each) for each in (*way[way.index(following) :], following))
                raise _error(
                    graph[node][following],
                    f"{names} is a circle; write `a, b` for words that stand for each other",
                )
            elif following not in done and following in graph:
                way.append(following)
                waiting.append((following, iter(graph[following])))


def _error(entry: Synonym, message: str) -> DataError:
    return DataError(f"synonyms, {entry.place}: {message}" if entry.place else f"synonyms: {message}")
