"""Names of categories, brands and attribute values, to be found in queries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recsys.analysis.analyzer import Analyzer
from recsys.search.understanding.parts import QueryPart
from recsys.search.understanding.synonyms import phrase_key

CATEGORY, BRAND = "category", "brand"
MOST_NAMES = 200_000
_MOST_PARTS = 6
_LONGEST_NAME = 80  # characters; longer values are texts, not names
_MOST_VALUES = 200  # of an attribute whose values are names; beyond it they are identifiers or texts
_NAMES_AT_A_PLACE = 4


@dataclass(frozen=True)
class NamedValue:
    """A value of a field: `category`, `brand` or `attributes.NAME`; items that have it."""

    field: str
    value: str
    items: int


@dataclass(frozen=True)
class NamedValues:
    """Values by the terms of their names."""

    values: tuple[NamedValue, ...] = ()
    _by_key: Mapping[tuple[str, ...], tuple[NamedValue, ...]] = field(default_factory=dict, repr=False)

    def found_in(self, parts: Sequence[QueryPart]) -> list[tuple[str, NamedValue]]:
        """(words, value) of the longest names, left to right; several fields may have one name."""
        found: list[tuple[str, NamedValue]] = []
        place = 0
        while place < len(parts):
            behind, values = self._longest_at(parts, place)
            words = " ".join(part.surface for part in parts[place:behind])
            found.extend((words, value) for value in values)
            place = behind
        return found

    def _longest_at(self, parts: Sequence[QueryPart], start: int) -> tuple[int, tuple[NamedValue, ...]]:
        best: tuple[int, tuple[NamedValue, ...]] = (start + 1, ())
        terms: list[str] = []
        for behind in range(start + 1, min(len(parts), start + _MOST_PARTS) + 1):
            if parts[behind - 1].excluded:
                break
            terms.extend(parts[behind - 1].terms)
            best = (
                (behind, self._by_key.get(phrase_key(terms), ()))
                if phrase_key(terms) in self._by_key
                else best
            )
        return best


def named_values(values: Iterable[NamedValue], analyzer: Analyzer) -> NamedValues:
    """The names of `values`; what has digits alone, no word, or is too long names nothing."""
    kept = sorted(values, key=lambda value: (-value.items, value.field, value.value))[:MOST_NAMES]
    by_key: dict[tuple[str, ...], list[NamedValue]] = {}
    named = []
    for value in kept:
        words = analyzer.query_words(value.value) if len(value.value) <= _LONGEST_NAME else ()
        if not words or all(word.has_digits for word in words) or any(word.excluded for word in words):
            continue
        key = phrase_key([term for word in words for term in word.terms])
        same = by_key.setdefault(key, [])
        if len(same) < _NAMES_AT_A_PLACE:
            same.append(value)
            named.append(value)
    return NamedValues(tuple(named), {key: tuple(found) for key, found in by_key.items()})


def catalog_values(
    categories: Sequence[str], brands: Sequence[str], attributes: Iterable[Mapping[str, object]]
) -> list[NamedValue]:
    """The values of a catalog's fields and how many items have each; "" is none.

    Args:
        attributes: of each item; texts and lists of texts are values, numbers are not.
    """
    counts: Counter[tuple[str, str]] = Counter()
    counts.update((CATEGORY, value) for value in categories if value)
    counts.update((BRAND, value) for value in brands if value)
    for row in attributes:
        for name, value in row.items():
            texts = value if isinstance(value, list | tuple) else [value]
            counts.update((f"attributes.{name}", text) for text in texts if isinstance(text, str) and text)
    distinct = Counter(name for name, _ in counts)
    return [
        NamedValue(name, value, items)
        for (name, value), items in counts.items()
        if name in (CATEGORY, BRAND) or distinct[name] <= _MOST_VALUES
    ]
