"""The item_content, item_text and item_vectors views: what the catalog says of an item."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column, FloatArray, IntArray
from recsys.catalog import stable_key
from recsys.dataset.item_vectors import layout_of, layout_text, vector_rows
from recsys.features.view_schemas import INSTANT, list_column, view_table


def keys_of(column: Column) -> IntArray:
    """Stable keys of a column of texts, 0 where it is null or empty."""
    encoded = column.combine_chunks().dictionary_encode()
    keys = [stable_key(text) if text else 0 for text in encoded.dictionary.to_pylist()]
    place = np.asarray(encoded.indices.fill_null(len(keys)), np.int64)
    return np.array([*keys, 0], np.int64)[place]


def known_since(items: pa.Table, start: int) -> Column:
    """The instant from which each item is known: its own `at`, else `start` (microseconds)."""
    return items[columns.AT].cast(INSTANT).fill_null(pa.scalar(start, INSTANT))


def item_content(items: pa.Table, start: int, created_at: int) -> pa.Table:
    """One item_content row for each of the canonical `items`, known from its `at`, else from `start`.

    A price, a key and a `first_at` of 0 say "unknown"; absent texts are empty.
    """
    texts = (
        *(columns.TITLE, columns.TEXT, columns.CATEGORY, columns.BRAND, columns.ATTRIBUTES),
        *(columns.PRODUCT_ID, columns.CATEGORY_PATH),
    )
    return view_table(
        columns.ITEM_CONTENT,
        {
            columns.ITEM_ID: items[columns.ITEM_ID],
            columns.ITEM_KEY: pa.array(keys_of(items[columns.ITEM_ID])),
            columns.CATEGORY_KEY: pa.array(keys_of(items[columns.CATEGORY])),
            columns.PRICE_MICROS: _filled(items[columns.PRICE_MICROS], 0),
            columns.AVAILABLE: _filled(items[columns.AVAILABLE], True),
            **{name: _filled(items[name], "") for name in texts},
            columns.FIRST_AT: _filled(items[columns.FIRST_AT].cast(pa.int64()), 0),
            columns.EVENT_TIMESTAMP: known_since(items, start),
            columns.CREATED_TIMESTAMP: pa.repeat(pa.scalar(created_at, INSTANT), len(items)),
        },
    ).sort_by(columns.EVENT_TIMESTAMP)


def item_text(items: pa.Table, vectors: FloatArray, start: int, created_at: int) -> pa.Table:
    """One item_text row for each of `items`: its text vector, (N, E), and the hash of its text."""
    rows, width = vectors.shape
    texts: Sequence[str | None] = items[columns.TEXT].to_pylist()
    return view_table(
        columns.ITEM_TEXT,
        {
            columns.ITEM_ID: items[columns.ITEM_ID],
            columns.TEXT_VECTOR: list_column(vectors.reshape(-1), np.arange(rows + 1) * width, pa.float32()),
            columns.TEXT_HASH: pa.array([text_hash(text or "") for text in texts], pa.string()),
            columns.EVENT_TIMESTAMP: known_since(items, start),
            columns.CREATED_TIMESTAMP: pa.repeat(pa.scalar(created_at, INSTANT), len(items)),
        },
    ).sort_by(columns.EVENT_TIMESTAMP)


def item_vectors(items: pa.Table, start: int, created_at: int) -> pa.Table:
    """One item_vectors row for each of `items` that has a ready vector: all of them in one, and the layout.

    Where an item lacks a vector that others of `items` have, there are zeros in its place; a version without
    any has a row of zeros if another version of the item has one.
    """
    vectors = items[columns.VECTORS].is_valid()
    items = items.filter(pc.is_in(items[columns.ITEM_ID], value_set=items[columns.ITEM_ID].filter(vectors)))
    layout = layout_of(items[columns.VECTORS])
    rows = vector_rows(items[columns.VECTORS], layout)
    return view_table(
        columns.ITEM_VECTORS,
        {
            columns.ITEM_ID: items[columns.ITEM_ID],
            columns.READY_VECTOR: list_column(
                rows.reshape(-1), np.arange(len(rows) + 1) * rows.shape[1], pa.float32()
            ),
            columns.VECTOR_LAYOUT: pa.array([layout_text(layout)] * len(rows), pa.string()),
            columns.EVENT_TIMESTAMP: known_since(items, start),
            columns.CREATED_TIMESTAMP: pa.repeat(pa.scalar(created_at, INSTANT), len(items)),
        },
    ).sort_by(columns.EVENT_TIMESTAMP)


def _filled(column: Any, value: Any) -> Column:
    return column.fill_null(value)


def text_hash(text: str) -> str:
    """The SHA-256 of `text` in hex: equal hashes need no new vector."""
    return sha256(text.encode("utf-8")).hexdigest()


def category_by_item(items: pa.Table) -> dict[str, int]:
    """Item id -> stable key of its category, 0 where it has none."""
    keys = keys_of(items[columns.CATEGORY]).tolist()
    return dict(zip(items[columns.ITEM_ID].to_pylist(), keys, strict=True))


def category_keys(categories: Mapping[str, int], item_ids: Sequence[str]) -> IntArray:
    """(len(item_ids),) stable key of each item's category, 0 where the item or its category is unknown.

    Args:
        categories: of `category_by_item`.
    """
    return np.fromiter(map(categories.get, item_ids, repeat(0)), np.int64, len(item_ids))
