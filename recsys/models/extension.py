"""A bundle that knows items which are new or have changed since it was trained."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.catalog import Item
from recsys.dataset.catalogue_rows import attributes_json
from recsys.dataset.interactions import FloatArray, IntArray
from recsys.models.attributes import attribute_row
from recsys.models.bundle import Bundle, ItemTable


@dataclass(frozen=True)
class ItemChange:
    """The newest row of an item.

    Attributes:
        text_vector: (E,) of its text; None where the text is the one that was imported.
    """

    item: Item
    text_vector: FloatArray | None = None


def extended(bundle: Bundle, changes: Sequence[ItemChange]) -> Bundle:
    """`bundle` with these items: known ones get their new rows, new ones are appended in the given order.

    Indexes never move, and `bundle` itself stays as it is. A new item has the vector of its content, no
    popularity and no neighbours; a known one keeps what its buyers taught the model, on its new content.
    Every array of the bundle that has a row an item is carried along; rows of new items are 0 there.

    Args:
        changes: at most one an item.
    """
    if not changes:
        return bundle
    items = _items(bundle.items, [change.item for change in changes])
    index = items.vocabulary.indexes([change.item.item_id for change in changes])
    text = _text_vectors(bundle, index, changes)
    moved = _content_changed(bundle, items, index, text)
    vectors = bundle.retriever.content_vectors(
        index[moved], text[moved], [attribute_row(items, int(place)) for place in index[moved]]
    )
    rows: dict[str, Any] = {
        "text_vectors": with_rows(bundle.text_vectors, len(items), index[moved], text[moved]),
        "item_vectors": with_rows(bundle.item_vectors, len(items), index[moved], vectors),
    }
    return replace(bundle, items=items, **(_grown(bundle, len(items)) | rows))


def with_rows(
    array: npt.NDArray[Any], size: int, index: IntArray, rows: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """`array` with `size` rows, those at `index` replaced by `rows`; itself if nothing is to change."""
    if size == len(array) and not len(index):
        return array
    grown = np.empty((size, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    grown[len(array) :] = 0
    grown[index] = rows
    return grown


def _grown(bundle: Bundle, size: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of `bundle` that have a row an item, with `size` rows."""
    nothing = np.zeros(0, np.int64)
    arrays = {field.name: getattr(bundle, field.name) for field in fields(bundle)}
    return {
        name: with_rows(array, size, nothing, array[:0])
        for name, array in arrays.items()
        if isinstance(array, np.ndarray) and len(array) == len(bundle.items)
    }


def _items(table: ItemTable, items: Sequence[Item]) -> ItemTable:
    new = tuple(item.item_id for item in items if not table.vocabulary.index(item.item_id))
    vocabulary = table.vocabulary.extended(new)
    index = vocabulary.indexes([item.item_id for item in items])
    size = len(vocabulary)

    def texts(column: tuple[str, ...], values: list[str]) -> tuple[str, ...]:
        changed = [*column, *[""] * (size - len(column))]
        for place, value in zip(index.tolist(), values, strict=True):
            changed[place] = value
        return tuple(changed)

    prices = [item.price_micros or 0 for item in items]  # 0: unknown, as the feature store writes it
    return ItemTable(
        vocabulary=vocabulary,
        titles=texts(table.titles, [item.title for item in items]),
        categories=texts(table.categories, [item.category or "" for item in items]),
        brands=texts(table.brands, [item.brand or "" for item in items]),
        price_micros=with_rows(table.price_micros, size, index, np.array(prices, np.int64)),
        available=with_rows(table.available, size, index, np.array([item.available for item in items], bool)),
        attributes=texts(table.attributes, [attributes_json(item.attributes) for item in items]),
    )


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


def _content_changed(
    bundle: Bundle, items: ItemTable, index: IntArray, text: FloatArray
) -> npt.NDArray[np.bool_]:
    """(K,) whether the item is new, or says something else than before: its vector has to be made again."""
    changed = index >= len(bundle.items)
    for place, item in enumerate(index.tolist()):
        if not changed[place]:
            same_text = np.array_equal(text[place], bundle.text_vectors[item])
            changed[place] = not same_text or attribute_row(items, item) != attribute_row(bundle.items, item)
    return changed
