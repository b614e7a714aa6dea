"""The bundle's items as arrays made for serving, and what a request may show of them."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.dataset.item_table import ItemTable
from recsys.errors import RequestError, UnknownItemError
from recsys.filters import Filters
from recsys.funnel.indexes.attribute_index import AttributeIndex
from recsys.funnel.indexes.catalog_columns import CategoricalColumn, PathColumn
from recsys.funnel.indexes.item_order import HEAD, ItemOrder, TrainedOrder, category_members, move_members
from recsys.funnel.online_features import FeatureRows
from recsys.instants import to_micros
from recsys.models.bundle import Bundle
from recsys.models.orders import NO_HISTORY, POPULARITY_OF_ALL_TIME
from recsys.retrieval.popularity import LivePopularity
from recsys.versions.spare_capacity import SpareCapacity

_FEW = 16  # where the allowed items are such a part of all, they are sorted themselves


class Catalog:
    """Items by index with everything that rules and fallbacks look up; built once a bundle. Immutable.

    Attributes:
        ids: (N + 1,) object array of item ids, so that a gather gives ids.
        categories, brands: what items have, as codes. paths: their category paths.
        products: what the variants of one product share, as codes: the item's own id where it has none.
        attributes: which items have which attribute.
        popularity: (N + 1,) float64, comparable among items only: the bundle's, or what is popular now.
    """

    def __init__(self, bundle: Bundle) -> None:
        items = bundle.items
        self.items = items
        self.ids = np.array(items.vocabulary.ids, object)
        self.categories = CategoricalColumn.of(items.categories)
        self.brands = CategoricalColumn.of(items.brands)
        self.paths = PathColumn.of(items.category_paths)
        self.products = CategoricalColumn.of(_ProductNames(items))
        self.attributes = AttributeIndex.of(items.attributes)
        self._all_time: DoubleArray | None = None
        if bundle.order_of(NO_HISTORY) == POPULARITY_OF_ALL_TIME:
            self._all_time = bundle.signal_tables.item_events.astype(np.float64)
        self._trained = bundle.popularity  # (N + 1,), without the items that come later
        self.popularity = bundle.popularity.astype(np.float64)
        self._trained_order = TrainedOrder.of(self.visitor_scores)
        self._order = ItemOrder(self._trained_order, None, len(items))
        self._members = category_members(self.categories.codes)
        self._by_category: dict[int, IntArray] = {}  # filled when first asked
        self._spare = SpareCapacity()

    def with_items(self, items: ItemTable, index: IntArray) -> "Catalog":
        """The catalog of `items`: this one's but for those at `index`, and new ones without popularity.

        Costs little more than the copies of what changes; all new indexes must be in `index`.
        """
        other = copy(self)
        other.items = items
        new = np.arange(len(self), len(items))
        spare = self._spare
        other.categories = self.categories.with_texts(items.categories, index, "categories", spare)
        other.brands = self.brands.with_texts(items.brands, index, "brands", spare)
        other.paths = self.paths.with_texts(items.category_paths, index, "paths", spare)
        other.products = self.products.with_texts(_ProductNames(items), index, "products", spare)
        other.attributes = self.attributes.with_items(self.items.attributes, items.attributes, index)
        if len(new):
            other._add_items(new)
            other._order = replace(self._order, size=len(items))
        codes = self.categories.codes, other.categories.codes
        other._members, touched = move_members(self._members, *codes, index)
        if touched:
            known = self._by_category.copy()
            other._by_category = {code: order for code, order in known.items() if code not in touched}
        return other

    def _add_items(self, new: IntArray) -> None:
        """Grows what has a row an item by the `new` ones, which nobody took yet."""
        size = len(self.items)
        ids = np.array([self.items.vocabulary.ids[place] for place in new.tolist()], object)
        self.ids = self._spare.with_rows("ids", self.ids, size, new, ids)
        self.popularity = self._spare.with_rows("popularity", self.popularity, size, new[:0], new[:0])
        if self._all_time is not None:
            self._all_time = self._spare.with_rows("all_time", self._all_time, size, new[:0], new[:0])

    def with_popularity(self, popularity: DoubleArray | LivePopularity) -> "Catalog":
        """The same items with another popularity (N + 1,), or with live scores over those of training.

        The latter cost no sort of all items.
        """
        other = copy(self)
        if isinstance(popularity, LivePopularity):
            other.popularity = popularity.of(self._trained, len(self))
            order = ItemOrder(self._trained_order, popularity, len(self))
        else:
            other.popularity = popularity
            order = ItemOrder(TrainedOrder.of(popularity), None, len(self))
        if self._all_time is None:
            other._order, other._by_category = order, {}
        return other

    @property
    def by_popularity(self) -> IntArray:
        """(N,) item indexes, the most popular first, lately or of all time as the bundle did better."""
        return self._order.items

    @property
    def visitor_scores(self) -> DoubleArray:
        """(N + 1,) what `by_popularity` is ordered by."""
        return self.popularity if self._all_time is None else self._all_time

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, item_id: str) -> int:
        """The index of `item_id`.

        Raises:
            UnknownItemError: the catalog of this bundle lacks it.
        """
        index = self.items.vocabulary.index(item_id)
        if not index:
            raise UnknownItemError(
                f"no item {item_id!r} in the catalog of the bundle that serves. "
                "Check the id, or train again if the item is new."
            )
        return index

    def category_code(self, category: str) -> int:
        """The code of `category`; raises RequestError if no item has it."""
        code = self.categories.names.get(category, 0)
        if not code:
            some = sorted(name for name in self.categories.names if name)[:5]
            raise RequestError(
                f"context_category {category!r} has no item. Categories are {', '.join(some)} ..."
            )
        return code

    def popular(self, count: int, allowed: BoolArray, category: int = 0) -> IntArray:
        """The up to `count` most popular items that are `allowed`, of one category if it is not 0."""
        order = self.of_category(category) if category else None
        first = self._order.head if order is None else order[:HEAD]
        found = first[allowed[first]][:count]
        if len(found) == count or len(first) == (len(self) - 1 if order is None else len(order)):
            return found
        if order is None:
            items = np.flatnonzero(allowed[1:]) + 1
            if len(items) * _FEW < len(self):
                return items[np.argsort(-self.visitor_scores[items], kind="stable")][:count]
            order = self.by_popularity
        return order[allowed[order]][:count]

    def of_category(self, code: int) -> IntArray:
        """The items of the category with this code, the most popular first."""
        order = self._by_category.get(code)
        if order is None:
            members = self._members.get(code, np.zeros(0, np.int64))
            order = members[np.argsort(-self.visitor_scores[members], kind="stable")]
            self._by_category[code] = order
        return order

    def most(self, scores: npt.NDArray[Any], count: int, allowed: BoolArray) -> IntArray:
        """The up to `count` items that are `allowed` with the highest `scores` (N + 1,), in that order."""
        if scores is self.visitor_scores:
            return self.popular(count, allowed)  # sorted already
        items = np.flatnonzero(allowed)
        found = scores[items]
        if len(items) > count:
            best = np.sort(np.argpartition(-found, count)[:count])
            items, found = items[best], found[best]
        order: IntArray = items[np.argsort(-found, kind="stable")]
        return order

    def passing(self, filters: Filters) -> BoolArray:
        """(N + 1,) true where an item of the catalog passes `filters`, availability left aside.

        Prices are those of the catalog, with what its changes say.

        Raises:
            RequestError: no item has an attribute of that name.
        """
        mask = np.ones(len(self), bool)
        for met in self._met(filters):
            mask &= met
        if filters.any_of:
            mask &= np.logical_or.reduce([self.passing(each) for each in filters.any_of])
        for each in filters.none_of:
            mask &= ~self.passing(each)
        mask[0] = False
        return mask

    def _met(self, filters: Filters) -> Iterator[BoolArray]:
        """(N + 1,) where each condition of `filters` itself is met."""
        if filters.categories:
            yield self.categories.mask(filters.categories)
        if filters.brands:
            yield self.brands.mask(filters.brands)
        if filters.category_paths:
            yield self.paths.mask(filters.category_paths)
        if filters.price_min_micros is not None or filters.price_max_micros is not None:
            yield price_mask(self.items.price_micros, filters)
        if filters.first_at_min is not None or filters.first_at_max is not None:
            yield _entered(self.items.first_at, filters)
        if filters.item_ids:
            named = np.zeros(len(self), bool)
            named[self.items.vocabulary.indexes(filters.item_ids)] = True
            yield named
        if filters.product_ids:
            yield self.products.mask(filters.product_ids)
        for name, condition in filters.attributes.items():
            yield self.attributes.mask(name, condition, len(self))


def price_mask(price_micros: IntArray, filters: Filters) -> BoolArray:
    """True where a price is known and within the bounds of `filters`; same shape as `price_micros`."""
    mask = price_micros >= max(filters.price_min_micros or 1, 1)  # 0 and below: unknown
    if filters.price_max_micros is not None:
        mask &= price_micros <= filters.price_max_micros
    return mask


def _entered(first_at: IntArray, filters: Filters) -> BoolArray:
    """True where it is known when an item entered the shop, and that is within the bounds of `filters`."""
    mask: BoolArray = first_at != 0
    if filters.first_at_min is not None:
        mask &= first_at >= to_micros(filters.first_at_min)
    if filters.first_at_max is not None:
        mask &= first_at <= to_micros(filters.first_at_max)
    return mask


def allowed_items(
    catalog: Catalog, filters: Filters, exclude: tuple[str, ...], removed: IntArray
) -> BoolArray:
    """(N + 1,) true for items that pass `filters` and are neither excluded nor `removed` (item indexes).

    Availability is left to `passes_now`, which knows more.

    Raises:
        RequestError: no item has an attribute that the filters name.
    """
    mask = catalog.passing(filters)
    mask[removed] = False
    if exclude:
        mask[catalog.items.vocabulary.indexes(exclude)] = False
    return mask


def passes_now(catalog: Catalog, index: IntArray, filters: Filters, rows: FeatureRows | None) -> BoolArray:
    """(K,) true for items (K,) that are available, and cost what `filters` ask, as of now.

    The online value counts; where there is none, the bundle's.
    """
    available = catalog.items.available[index]
    if rows is not None and columns.AVAILABLE in rows.columns:
        online = rows.columns[columns.AVAILABLE].astype(bool)
        available = np.where(rows.missing[rows.views[columns.AVAILABLE]], available, online)
    mask = available | filters.include_unavailable
    if filters.price_min_micros is not None or filters.price_max_micros is not None:
        mask &= price_mask(prices_now(catalog, index, rows), filters)
    return mask


def prices_now(catalog: Catalog, index: IntArray, rows: FeatureRows | None) -> IntArray:
    """(K,) prices in micros, 0 or less where unknown: the online value, else the bundle's."""
    prices = catalog.items.price_micros[index]
    if rows is None or columns.PRICE_MICROS not in rows.columns:
        return prices
    online = rows.columns[columns.PRICE_MICROS].astype(np.int64)
    return np.where(rows.missing[rows.views[columns.PRICE_MICROS]], prices, online)


@dataclass(frozen=True)
class _ProductNames(Sequence[str]):
    """(N + 1,) what the variants of each item's product share: its own id where it has no product."""

    items: ItemTable

    def __getitem__(self, place: Any) -> Any:
        return self.items.products[place] or self.items.vocabulary.ids[place]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[str]:
        for product, item_id in zip(self.items.products, self.items.vocabulary.ids, strict=True):
            yield product or item_id
