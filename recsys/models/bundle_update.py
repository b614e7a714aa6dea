"""A bundle that knows items which are new or have changed since it was trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.catalog import Item, is_titled
from recsys.dataset.catalog_rows import attributes_json
from recsys.dataset.item_table import ItemTable, rows_without_text
from recsys.dataset.item_vectors import ready_row
from recsys.instants import to_micros
from recsys.models.bundle import Bundle
from recsys.models.neighbours import NewText, weakest_scores
from recsys.models.retriever.attributes import attribute_row
from recsys.versions.spare_capacity import SpareCapacity, rows_differ
from recsys.versions.text_rows import TextRows

_TEXT_NEIGHBOURS = ("text_neighbours", "text_scores")  # names of stored arrays
_WEAKEST = "text_weakest"  # of the scores of each item's text neighbours


@dataclass(frozen=True)
class ItemChange:
    """The newest row of an item.

    Attributes:
        text_vector: (E,) of its text; None where the text is the one that was imported.
    """

    item: Item
    text_vector: FloatArray | None = None


class NearItems(Protocol):
    """Finds the items of training that are nearest to vectors, without a look at each in full."""

    def by_text(self, vectors: FloatArray) -> IntArray:
        """(K, C) the items with the projected texts nearest to vectors (K, T); 0 = none."""
        ...

    def by_content(self, vectors: FloatArray) -> IntArray:
        """(K, C) the items with the contents nearest to vectors (K, D); 0 = none."""
        ...


def update_bundle(
    bundle: Bundle,
    changes: Sequence[ItemChange],
    spare: SpareCapacity | None = None,
    near: NearItems | None = None,
) -> Bundle:
    """`bundle` with these items: known ones get their new rows, new ones are appended in the given order.

    Indexes never move, and `bundle` itself stays as it is. A new item has the vector of its content, no
    popularity and only the items of similar text as neighbours; a known one keeps what its buyers taught the
    model, on its new content.
    Every array of the bundle that has a row an item is carried along; rows of new items are 0 there.

    Args:
        changes: at most one an item.
        spare: the same for all updates of one bundle, where there are many.
        near: what new texts are compared with, where all items would be too much work; those further off
            keep the neighbours that they have.
    """
    if not changes:
        return bundle
    spare = spare or SpareCapacity()
    items = _update_items(bundle.items, [change.item for change in changes], spare)
    index = items.vocabulary.indexes([change.item.item_id for change in changes])
    text = _text_vectors(bundle, index, changes)
    retexted = rows_differ(bundle.text_vectors, index, text)
    moved = retexted | _content_differs(bundle.items, items, index)
    vectors = bundle.retriever.content_vectors(
        index[moved],
        text[moved],
        [_content(items, place) for place in index[moved].tolist()],
        None if near is None else near.by_content,
    )
    rows = {
        "text_vectors": (index[retexted], text[retexted]),
        "text_missing": (index[retexted], rows_without_text(text[retexted])),
        "item_vectors": (index[moved], vectors),
    }
    grown = {
        name: spare.with_rows(name, array, len(items), *rows.get(name, (index[:0], array[:0])))
        for name, array in bundle.arrays().items()
        if not (retexted.any() and name in _TEXT_NEIGHBOURS)  # many of their rows change: see below
    }
    if retexted.any():
        grown |= _text_neighbours(bundle, len(items), index[retexted], text[retexted], spare, near)
    return replace(bundle.with_arrays(**grown), items=items)


def _text_neighbours(
    bundle: Bundle,
    size: int,
    index: IntArray,
    text: FloatArray,
    spare: SpareCapacity,
    near: NearItems | None,
) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the table of text neighbours with new texts (K, E) of the items at `index`."""
    table, retriever = bundle.signal_tables.text, bundle.retriever
    if near is None:
        holders, cosines = None, retriever.text_cosines(text)
        rows = np.broadcast_to(np.arange(cosines.shape[1]), cosines.shape)
    else:
        rows = near.by_text(retriever.project_texts(text))
        holders, cosines = _holders(bundle, index, near), retriever.text_cosines(text, rows)
    texts = [NewText(*each) for each in zip(index.tolist(), rows, cosines, strict=True)]
    weakest = spare.derived(_WEAKEST, table.score, weakest_scores)
    found = table.rows_with_new_texts(size, texts, weakest, holders)
    neighbours, scores = _TEXT_NEIGHBOURS
    grown = {
        neighbours: spare.with_rows(neighbours, table.index, size, found.places, found.index),
        scores: spare.with_rows(scores, table.score, size, found.places, found.score),
    }
    weakest = spare.with_rows(_WEAKEST, weakest, size, found.places, found.weakest)
    spare.keep_derived(_WEAKEST, grown[scores], weakest)
    return grown


def _holders(bundle: Bundle, index: IntArray, near: NearItems) -> IntArray:
    """Items that may have those at `index` as neighbours: near their old texts, or newer than training."""
    known = index[index < len(bundle.text_vectors)]
    newer = np.arange(bundle.retriever.shape.items + 1, len(bundle.text_vectors))
    if not len(known):
        return known
    old = near.by_text(bundle.retriever.project_texts(bundle.text_vectors[known]))
    return np.unique(np.concatenate([old.ravel(), newer]))


def _update_items(table: ItemTable, items: Sequence[Item], spare: SpareCapacity) -> ItemTable:
    new = tuple(item.item_id for item in items if not table.vocabulary.index(item.item_id))
    vocabulary = table.vocabulary.extended(new)
    index = vocabulary.indexes([item.item_id for item in items])
    size = len(vocabulary)

    def texts(column: Sequence[str], values: list[str]) -> Sequence[str]:
        rows = TextRows.of(column)
        changed = {
            place: value
            for place, value in zip(index.tolist(), values, strict=True)
            if place >= len(rows) or rows[place] != value
        }
        return rows.with_rows(changed, size) if changed else rows

    def numbers(name: str, column: npt.NDArray[Any], values: list[Any]) -> npt.NDArray[Any]:
        rows = np.array(values, column.dtype)
        differs = rows_differ(column, index, rows)
        return spare.with_rows(name, column, size, index[differs], rows[differs])

    vectors = table.vectors
    if vectors is not None:
        rows = [ready_row(item.vectors, table.vector_layout) for item in items]
        vectors = numbers(columns.VECTORS, vectors, rows)
    named = [is_titled(item.item_id, item.title, item.text) for item in items]
    titled = table.titled
    if titled is not None or not all(named):
        titled = numbers("titled", np.ones(len(table), bool) if titled is None else titled, named)
    prices = [item.price_micros or 0 for item in items]  # 0: unknown, as the feature store writes it
    return ItemTable(
        vocabulary=vocabulary,
        titles=texts(table.titles, [item.title for item in items]),
        categories=texts(table.categories, [item.category or "" for item in items]),
        brands=texts(table.brands, [item.brand or "" for item in items]),
        price_micros=numbers("price_micros", table.price_micros, prices),
        available=numbers("available", table.available, [item.available for item in items]),
        attributes=texts(table.attributes, [attributes_json(item.attributes) for item in items]),
        titled=titled,
        vectors=vectors,
        vector_layout=table.vector_layout,
        products=texts(table.products, [item.product_id or "" for item in items]),
        category_paths=texts(table.category_paths, [item.category_path or "" for item in items]),
        first_at=numbers("first_at", table.first_at, [_micros(item.first_at) for item in items]),
    )


def _micros(instant: datetime | None) -> int:
    return 0 if instant is None else to_micros(instant)


def _text_vectors(bundle: Bundle, index: IntArray, changes: Sequence[ItemChange]) -> FloatArray:
    """(K, E) text vectors of the changed items: the given one, else the bundle's, else 0."""
    width = bundle.text_vectors.shape[1]
    text = np.zeros((len(changes), width), np.float32)
    known = index < len(bundle.text_vectors)
    text[known] = bundle.text_vectors[index[known]]
    for place, change in enumerate(changes):
        # Another width: of another encoder, which says nothing to this bundle's networks.
        if change.text_vector is not None and change.text_vector.shape == (width,):
            text[place] = change.text_vector
    return text


def _content(items: ItemTable, place: int) -> dict[str, Any]:
    """The attribute row of an item, with its ready vectors where the shop has some."""
    row = dict(attribute_row(items, place))
    return row if items.vectors is None else row | {columns.VECTORS: items.vectors[place]}


def _content_differs(before: ItemTable, after: ItemTable, index: IntArray) -> BoolArray:
    """(K,) whether the item is new, or its category, brand, price, attributes or vectors are others."""
    size = len(before)
    differs = rows_differ(before.ready_vectors, index, after.ready_vectors[index])
    changed = [
        place >= size or attribute_row(after, place) != attribute_row(before, place)
        for place in index.tolist()
    ]
    out: BoolArray = differs | np.array(changed, bool)
    return out
