"""Columns of ids: trimmed texts, the same id whatever type or program wrote it, and what is not an id."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import BoolArray, Column, combined, true_rows
from recsys.identifiers import (
    HAS_CONTROL,
    IS_LIST,
    IS_OBJECT,
    LIST_TEXT,
    MOST_CHARACTERS,
    OBJECT_TEXT,
    TOO_LONG,
    WHOLE,
)
from recsys.ingest.raw.cells import LIST_MARK, as_text, is_list_type

INEXACT = "is a decimal number too large to be exact"
_ROUNDED = r"^[+-]?\d([.,]\d+)?E\+\d\d$"  # how a spreadsheet shows and saves a long number
_LARGEST_EXACT = 2.0**53


@dataclass(frozen=True)
class IdCells:
    """N cells of ids.

    Attributes:
        texts: the ids, null where there is none. Those at fault stay as they came.
        faults: why some cannot be ids, and which.
        cast: how many were whole numbers written with decimals: `12358.0` is the id `12358`.
        example: one of those, as it came.
        rounded: how many are numbers that a spreadsheet shortened, such as `4.00638E+12`, so that different
            ids may have become one.
        rounded_example: one of those.
    """

    texts: Column
    faults: tuple[tuple[str, BoolArray], ...] = ()
    cast: int = 0
    example: str | None = None
    rounded: int = 0
    rounded_example: str | None = None

    @property
    def missing(self) -> BoolArray:
        """(N,) bool: nothing is there."""
        return np.asarray(self.texts.is_null())

    @property
    def bad(self) -> BoolArray:
        """(N,) bool: something is there that is not an id."""
        found = np.zeros(len(self.texts), bool)
        for _, rows in self.faults:
            found |= rows
        return found


def as_ids(column: Column) -> IdCells:
    """The ids in `column`. Each cell is judged by itself, so that all batches of a file are read alike."""
    array = combined(column)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    kind = array.type
    if is_list_type(kind):
        return IdCells(as_text(array), ((IS_LIST, np.asarray(array.is_valid())),))
    if pa.types.is_floating(kind):
        return _of_floats(array)
    if pa.types.is_decimal(kind):
        texts = as_text(array)
        whole = true_rows(pc.invert(pc.match_substring(texts, "."))) & (kind.scale > 0)
        return IdCells(texts, (), *_cast(array, whole))
    if not pa.types.is_string(kind):
        return IdCells(as_text(array)) if pa.types.is_integer(kind) else _of_texts(as_text(array))
    return _of_texts(array)


def _of_floats(array: Column) -> IdCells:
    numbers = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    inexact = np.abs(numbers) >= _LARGEST_EXACT
    texts = as_text(array)
    whole = (numbers == np.floor(numbers)) & ~inexact & np.asarray(texts.is_valid())
    return IdCells(texts, ((INEXACT, inexact),) if inexact.any() else (), *_cast(array, whole))


def _of_texts(array: Column) -> IdCells:
    """Most columns have nothing but plain ids in them, which the bytes of the column tell at once."""
    letters = _bytes(array)
    faults = []
    listed = None
    if (letters == ord(LIST_MARK)).any():
        listed = pc.match_substring(array, LIST_MARK)
        faults.append((IS_LIST, true_rows(listed)))
    texts = as_text(array)
    if (letters == ord("[")).any():
        faults.append((IS_LIST, true_rows(pc.match_substring_regex(texts, LIST_TEXT.pattern))))
    if (letters == ord("{")).any():
        faults.append((IS_OBJECT, true_rows(pc.match_substring_regex(texts, OBJECT_TEXT.pattern))))
    if (letters < 0x20).any() or (letters == 0x7F).any() or (letters == 0xC2).any():
        control = true_rows(pc.match_substring_regex(texts, r"\p{Cc}"))
        faults.append((HAS_CONTROL, control if listed is None else control & ~true_rows(listed)))
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > MOST_CHARACTERS:
        faults.append((TOO_LONG, true_rows(pc.greater(pc.utf8_length(texts), MOST_CHARACTERS))))
    whole = np.zeros(len(texts), bool)
    if (letters == ord(".")).any():
        whole = true_rows(pc.match_substring_regex(texts, WHOLE.pattern))
        texts = pc.replace_substring_regex(texts, WHOLE.pattern, r"\1") if whole.any() else texts
    rounded = np.zeros(len(texts), bool)
    if (letters == ord("+")).any():
        rounded = true_rows(pc.match_substring_regex(texts, _ROUNDED))
    found = tuple((why, rows) for why, rows in faults if rows.any())
    return IdCells(texts, found, *_cast(array, whole), *_cast(array, rounded))


def _cast(array: Column, rows: BoolArray) -> tuple[int, str | None]:
    """How many cells are in `rows`, and one of them."""
    return int(rows.sum()), str(array[int(np.argmax(rows))]) if rows.any() else None


def _bytes(array: Column) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    """The bytes of a column of texts, one after another."""
    buffers = array.buffers()
    if buffers[2] is None or not len(array):
        return np.zeros(0, np.uint8)
    ends = np.frombuffer(buffers[1], np.int32)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(buffers[2], np.uint8)[ends[0] : ends[-1]]
