"""Facets: how many products of the matched set have each value, exactly.

A facet is counted without the filter on its own field, so that its other values can still be chosen. A
product counts once per value; it counts where one of its variants matches and passes all other filters.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.dataset.item_table import ItemTable
from recsys.errors import RequestError, did_you_mean
from recsys.funnel.indexes.attribute_index import attribute_values
from recsys.search.products import Products
from recsys.search.requests import ATTRIBUTE, FacetRequest

CATEGORY, BRAND, CATEGORY_PATH, PRICE = "category", "brand", "category_path", "price"
FIELDS = (CATEGORY, BRAND, CATEGORY_PATH, PRICE)
SEPARATOR = "/"  # between the levels of a category path
_RANGES = 5  # where the request names none


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet."""

    value: str = field(metadata={"description": "the value"})
    count: int = field(metadata={"description": "products that have it; exact"})
    selected: bool = field(metadata={"description": "whether the request's filters name it"})


@dataclass(frozen=True)
class FacetRange:
    """One range of a numeric facet."""

    least: float | None = field(metadata={"description": "at least; null = open"})
    below: float | None = field(metadata={"description": "less than; null = open"})
    count: int = field(metadata={"description": "products in it; exact"})


@dataclass(frozen=True)
class Facet:
    """The values of one field among the items that were found."""

    name: str = field(metadata={"description": "category, brand, category_path, price or an attribute"})
    values: tuple[FacetValue, ...] = field(
        default=(), metadata={"description": "most frequent first, selected ones always; of text fields"}
    )
    distinct: int = field(default=0, metadata={"description": "how many values there are, listed or not"})
    ranges: tuple[FacetRange, ...] = field(default=(), metadata={"description": "of numeric fields"})
    least: float | None = field(default=None, metadata={"description": "smallest number; null = none"})
    most: float | None = field(default=None, metadata={"description": "largest number; null = none"})


@dataclass(frozen=True)
class TextColumn:
    """A text field of items, which may have several values.

    Attributes:
        items: (P,) item indexes. codes: (P,) the value of each, into `names`.
    """

    items: IntArray
    codes: IntArray
    names: tuple[str, ...]

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, str]]) -> "TextColumn":
        """The column of (item index, value) pairs."""
        names = {name: code for code, name in enumerate(dict.fromkeys(name for _, name in pairs))}
        items = np.fromiter((item for item, _ in pairs), np.int64, len(pairs))
        codes = np.fromiter((names[name] for _, name in pairs), np.int64, len(pairs))
        return cls(items, codes, tuple(names))

    def with_values(self, index: IntArray, pairs: Sequence[tuple[int, str | float]]) -> "TextColumn":
        """The column where the items at `index` (K,), ascending, have other (item index, value) pairs."""
        texts = [(item, _shown(value)) for item, value in pairs]
        held = _held(self.items, index)
        before = zip(self.items[held].tolist(), self.codes[held].tolist(), strict=True)
        if [(item, self.names[code]) for item, code in before] == texts:
            return self
        new = dict.fromkeys(text for _, text in texts if text not in self.code_of)
        names = (*self.names, *new) if new else self.names
        code_of = self.code_of | {text: len(self.names) + place for place, text in enumerate(new)}
        items, codes = np.delete(self.items, held), np.delete(self.codes, held)
        place = np.searchsorted(items, [item for item, _ in texts])
        items = np.insert(items, place, [item for item, _ in texts])
        return TextColumn(items, np.insert(codes, place, [code_of[text] for _, text in texts]), names)

    @cached_property
    def code_of(self) -> dict[str, int]:
        """Value -> its code."""
        return {name: code for code, name in enumerate(self.names)}

    def counts(self, mask: BoolArray, products: Products) -> IntArray:
        """(V,) products of `mask` (N + 1,) that have each value."""
        kept = mask[self.items]
        items, codes = self.items[kept], self.codes[kept]
        if products.has_variants and len(codes):
            codes = np.unique(products.lead[items] * len(self.names) + codes) % len(self.names)
        return np.bincount(codes, minlength=len(self.names))


@dataclass(frozen=True)
class NumberColumn:
    """A numeric field of items: `items` (P,) indexes and `values` (P,); of prices in micros."""

    items: IntArray
    values: DoubleArray

    def with_values(self, index: IntArray, pairs: Sequence[tuple[int, str | float]]) -> "NumberColumn":
        """The column where the items at `index` (K,), ascending, have other (item index, value) pairs."""
        numbers = [(item, float(value)) for item, value in pairs if not isinstance(value, str)]
        held = _held(self.items, index)
        if list(zip(self.items[held].tolist(), self.values[held].tolist(), strict=True)) == numbers:
            return self
        items, values = np.delete(self.items, held), np.delete(self.values, held)
        place = np.searchsorted(items, [item for item, _ in numbers])
        items = np.insert(items, place, [item for item, _ in numbers])
        return NumberColumn(items, np.insert(values, place, [value for _, value in numbers]))

    def of_mask(self, mask: BoolArray) -> "NumberColumn":
        """The part of the items in `mask` (N + 1,)."""
        kept = mask[self.items]
        return NumberColumn(self.items[kept], self.values[kept])

    def count(self, least: float | None, below: float | None, products: Products) -> int:
        """Products with a value in [least, below)."""
        kept = np.ones(len(self.values), bool)
        if least is not None:
            kept &= self.values >= least
        if below is not None:
            kept &= self.values < below
        return len(np.unique(products.lead[self.items[kept]]))


class FacetColumns:
    """The fields of one catalog as columns, each made when it is first asked for. Safe for many threads."""

    def __init__(self, items: ItemTable) -> None:
        self._items = items
        self._columns: dict[str, TextColumn | NumberColumn] = {}
        self._attributes: dict[str, list[tuple[int, str | float]]] | None = None

    def with_items(self, items: ItemTable, index: IntArray) -> "FacetColumns":
        """The columns of `items`, which differ from before at `index` only; new indexes are among them.

        Those that were made are made again only for these items.
        """
        other = FacetColumns(items)
        places = np.sort(index)
        other._columns = {
            name: column.with_values(places, _values_of(items, name, places))
            for name, column in list(self._columns.items())
        }
        return other

    def column(self, name: str) -> TextColumn | NumberColumn:
        """The column of a facet.

        Raises:
            RequestError: there is no such facet, or no item has such an attribute.
        """
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._make(name)
        return found

    def _make(self, name: str) -> TextColumn | NumberColumn:
        items = self._items
        if name == CATEGORY:
            return TextColumn.of([(i, text) for i, text in enumerate(items.categories) if text])
        if name == BRAND:
            return TextColumn.of([(i, text) for i, text in enumerate(items.brands) if text])
        if name == CATEGORY_PATH:
            return TextColumn.of(list(_path_levels(items)))
        if name == PRICE:
            index = np.flatnonzero(items.price_micros > 0)
            return NumberColumn(index, items.price_micros[index].astype(np.float64))
        if name.startswith(ATTRIBUTE):
            return self._attribute(name.removeprefix(ATTRIBUTE))
        near = did_you_mean(name, FIELDS)
        raise RequestError(
            f"facets: {name!r} is not a facet.{near} Use one of {', '.join(FIELDS)}, attributes.NAME."
        )

    def _attribute(self, name: str) -> TextColumn | NumberColumn:
        if self._attributes is None:
            self._attributes = _attribute_values(self._items)
        pairs = self._attributes.get(name)
        if pairs is None:
            near = did_you_mean(name, self._attributes)
            some = ", ".join(sorted(self._attributes)[:10]) or "none"
            raise RequestError(f"facets: no item has an attribute {name!r}.{near} Attributes are: {some}.")
        numbers = [(item, value) for item, value in pairs if not isinstance(value, str)]
        if len(numbers) * 2 > len(pairs):  # a stray text does not make a number a text
            index = np.array([item for item, _ in numbers], np.int64)
            return NumberColumn(index, np.array([value for _, value in numbers], np.float64))
        return TextColumn.of([(item, _shown(value)) for item, value in pairs])


def count_facet(
    request: FacetRequest,
    column: TextColumn | NumberColumn,
    mask: BoolArray,
    products: Products,
    selected: frozenset[str],
) -> Facet:
    """The facet of `column` among the items in `mask` (N + 1,).

    Args:
        selected: values that the request's filters name; listed even where nothing has them.

    Raises:
        RequestError: ranges are asked of a text.
    """
    if isinstance(column, NumberColumn):
        return _number_facet(request, column.of_mask(mask), products)
    if request.ranges:
        raise RequestError(f"facets: {request.name!r} holds texts and has no ranges. Leave `ranges` out.")
    counts = column.counts(mask, products)
    order = np.lexsort((np.arange(len(counts)), -counts))
    there = order[counts[order] > 0]
    listed = [
        FacetValue(column.names[code], int(counts[code]), column.names[code] in selected)
        for place, code in enumerate(there.tolist())
        if place < request.count or column.names[code] in selected
    ]
    known = {value.value for value in listed}
    listed += [FacetValue(value, 0, True) for value in sorted(selected - known)]
    return Facet(request.name, tuple(listed), distinct=len(there))


def _number_facet(request: FacetRequest, column: NumberColumn, products: Products) -> Facet:
    if not len(column.values):
        empty = tuple(FacetRange(least, below, 0) for least, below in request.ranges)
        return Facet(request.name, ranges=empty)
    ranges = request.ranges or nice_ranges(column.values, _RANGES)
    return Facet(
        request.name,
        distinct=len(np.unique(column.values)),
        ranges=tuple(
            FacetRange(least, below, column.count(least, below, products)) for least, below in ranges
        ),
        least=float(column.values.min()),
        most=float(column.values.max()),
    )


def nice_ranges(values: DoubleArray, count: int) -> tuple[tuple[float | None, float | None], ...]:
    """About `count` ranges [from, to) that hold about as many of `values` each, with round bounds.

    The first and the last are open.

    >>> nice_ranges(np.array([1.0, 2.0, 11.0, 12.0, 48.0, 97.0]), 3)
    ((None, 8.0), (8.0, 20.0), (20.0, None))
    >>> nice_ranges(np.array([5.0, 5.0]), 3)
    ((None, None),)
    """
    shares = np.arange(1, count) / count
    bounds = [_rounded(bound) for bound in np.quantile(values, shares).tolist()]
    inner = sorted({bound for bound in bounds if values.min() < bound <= values.max()})
    edges: list[float | None] = [None, *inner, None]
    return tuple(pairwise(edges))


def _rounded(number: float) -> float:
    """`number` to one significant digit."""
    return float(f"{number:.1g}")


def _path_levels(items: ItemTable) -> Iterator[tuple[int, str]]:
    """(item index, path) of every level of every item's category path."""
    for index, path in enumerate(items.category_paths):
        for level in _levels(path):
            yield index, level


def _levels(path: str) -> list[str]:
    """A category path and those above it, the widest first."""
    levels = path.split(SEPARATOR) if path else []
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels) + 1)]


def _attribute_values(items: ItemTable) -> dict[str, list[tuple[int, str | float]]]:
    found: dict[str, list[tuple[int, str | float]]] = {}
    for index, document in enumerate(items.attributes):
        for name, one in _values(document):
            found.setdefault(name, []).append((index, one))
    return found


def _values(document: str) -> Iterable[tuple[str, str | float]]:
    """The (name, value) pairs of an item's attributes, each once."""
    return dict.fromkeys(attribute_values(document)) if len(document) > 2 else ()  # 2: {}


def _values_of(items: ItemTable, name: str, index: IntArray) -> list[tuple[int, str | float]]:
    """The (item index, value) pairs of the items at `index` in the column of a facet."""
    places = index.tolist()
    if name == PRICE:
        return [(place, float(price)) for place in places if (price := items.price_micros[place]) > 0]
    if name == CATEGORY_PATH:
        return [(place, level) for place in places for level in _levels(items.category_paths[place])]
    if name in (CATEGORY, BRAND):
        texts = items.categories if name == CATEGORY else items.brands
        return [(place, texts[place]) for place in places if texts[place]]
    wanted = name.removeprefix(ATTRIBUTE)
    return [
        (place, value) for place in places for key, value in _values(items.attributes[place]) if key == wanted
    ]


def _held(items: IntArray, index: IntArray) -> IntArray:
    """The places in `items` (P,), ascending, of those at `index` (K,)."""
    first, last = np.searchsorted(items, index, "left"), np.searchsorted(items, index, "right")
    ranges = [np.arange(*ends) for ends in zip(first.tolist(), last.tolist(), strict=True)]
    return np.concatenate([np.zeros(0, np.int64), *ranges])


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
