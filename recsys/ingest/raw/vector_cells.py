"""Cells that hold a vector: lists, JSON arrays, or numbers with spaces, commas or semicolons between them."""

import re
from collections import Counter

import numpy as np
import pyarrow as pa

from recsys.arrays import Column, FloatArray, combined
from recsys.ingest.raw.cells import LIST_MARK, as_text, is_list_type

# Where blanks or semicolons separate as well, a comma between digits may be a decimal one.
_DECIMAL_COMMA, _OTHER_SEPARATOR = re.compile(r"\d,\d"), re.compile(r"\d(\s+|\s*;\s*)[-\d.]")
_BETWEEN = re.compile(rf"[\[\](),;\s{LIST_MARK}]+")


def as_vectors(column: Column) -> tuple[list[FloatArray | None], int]:
    """A float32 vector or None for each cell, and how many cells were blanked.

    Vectors of one column have one width, the one that most cells have. A cell of another width, or with
    something that is not a finite number, is blanked; so is one of zeros, which says nothing.
    """
    array = combined(column)
    if _holds_numbers(array.type):
        cells = _of_lists(array)
    else:
        cells = [None if text is None or not text.strip() else _read(text) for text in _texts(array)]
    filled = sum(cell is not None for cell in cells)
    vectors = [cell if cell is not None and _sound(cell) else None for cell in cells]
    widths = Counter(len(vector) for vector in vectors if vector is not None)
    width = max(widths, key=lambda each: (widths[each], each), default=0)
    kept = [vector if vector is not None and len(vector) == width else None for vector in vectors]
    return kept, filled - sum(vector is not None for vector in kept)


def _holds_numbers(kind: pa.DataType) -> bool:
    if not is_list_type(kind):
        return False
    inner = kind.value_type
    return bool(pa.types.is_floating(inner) or pa.types.is_integer(inner) or pa.types.is_decimal(inner))


def _of_lists(array: Column) -> list[FloatArray | None]:
    """One array a cell; a view on the column's values where they allow it."""
    lists = array.cast(pa.list_(pa.float32()))
    ends = lists.offsets.to_numpy()
    values = lists.values.to_numpy(zero_copy_only=False)  # a null inside a list is NaN
    known = lists.is_valid().to_numpy(zero_copy_only=False)
    spans = zip(ends[:-1].tolist(), ends[1:].tolist(), known.tolist(), strict=True)
    return [values[start:end] if there and end > start else None for start, end, there in spans]


def _texts(array: Column) -> list[str | None]:
    texts = array if pa.types.is_string(array.type) else as_text(array)  # which would drop a null at the end
    found: list[str | None] = texts.to_pylist()
    return found


def _read(text: str) -> FloatArray:
    if _DECIMAL_COMMA.search(text) and _OTHER_SEPARATOR.search(text):
        return np.full(1, np.nan, np.float32)
    elements = text.removesuffix(LIST_MARK).split(LIST_MARK)
    if len(elements) > 1 and not all(map(str.strip, elements)):  # a list with a null in it
        return np.full(1, np.nan, np.float32)
    try:
        return np.array(_BETWEEN.sub(" ", text).split(), np.float32)
    except ValueError:
        return np.full(1, np.nan, np.float32)


def _sound(vector: FloatArray) -> bool:
    return bool(np.isfinite(vector).all() and vector.any())
