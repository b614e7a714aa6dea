"""Raw cells to texts and numbers, a column at a time; what cannot be read is marked, not raised."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recsys.amounts import MOST_MICROS
from recsys.arrays import BoolArray, Column, combined, true_rows
from recsys.ingest.raw.written_numbers import TWO_WAYS, read_number

# The ASCII unit separator: between the elements of a list inside a text cell. Readers of formats that have
# lists put one behind the last element too, so that a list of one element is a list.
LIST_MARK = "\x1f"
MICROS = 1_000_000
_NOT_A_NUMBER = r"^[+-]?(?i:nan)$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True)
class ParsedCells:
    """Values of N cells.

    Attributes:
        missing: nothing was in them. bad: something that cannot be read.
        by_comma: numbers whose comma was taken for the decimal mark although nothing declares it; None
            where there are none.
        two_ways: numbers whose point was taken for the decimal mark although it could be one of thousands,
            as in `1.299`; None where that was not asked.
    """

    values: npt.NDArray[Any]
    missing: BoolArray
    bad: BoolArray
    by_comma: BoolArray | None = None
    two_ways: BoolArray | None = None

    @property
    def ok(self) -> BoolArray:
        """(N,) bool: cells that could be read."""
        return ~(self.missing | self.bad)


def as_text(column: Any) -> Column:
    """Trimmed texts; null where there is nothing. Whole floats lose their `.0`, lists get LIST_MARKs."""
    array = combined(column)
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type)
        kind = array.type
    if is_list_type(kind):
        array = list_text(array)
    elif pa.types.is_floating(kind):
        array = _float_text(array)
    elif pa.types.is_decimal(kind):
        array = _decimal_text(array)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        array = _time_text(array)
    elif not pa.types.is_string(kind):
        array = array.cast(pa.string())
    array = pc.utf8_trim_whitespace(array)
    if pc.min(pc.binary_length(array)).as_py() != 0:
        return array
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def as_list_cells(column: Any) -> tuple[Column, int]:
    """Trimmed elements with LIST_MARKs between them, null where there are none; and how many were empty."""
    array = combined(column)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    texts = list_text(array) if is_list_type(array.type) else array
    texts = texts if pa.types.is_string(texts.type) else as_text(texts)
    encoded = texts.dictionary_encode()  # each distinct list is taken apart once
    joined: list[str | None] = []
    empty = []
    for text in encoded.dictionary.to_pylist():
        elements = [element.strip() for element in text.removesuffix(LIST_MARK).split(LIST_MARK)]
        filled = [element for element in elements if element]
        joined.append(LIST_MARK.join(filled) or None)
        empty.append(len(elements) - len(filled) if text else 0)
    cells = pa.array(joined, pa.string()).take(encoded.indices)
    places = encoded.indices.drop_null().to_numpy()
    return cells, int(np.array(empty, np.int64)[places].sum())


def is_list_type(kind: pa.DataType) -> bool:
    """Whether the cells of a column of type `kind` are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def list_text(array: Column) -> Column:
    """Elements of a column of lists with a LIST_MARK behind each; a null inside is an empty element."""
    listed = array.cast(pa.list_(array.type.value_type))
    elements = pc.binary_join_element_wise(as_text(pc.list_flatten(listed)).fill_null(""), LIST_MARK, "")
    lengths = pc.list_value_length(listed).fill_null(0).to_numpy(zero_copy_only=False)
    ends = pa.array(np.r_[0, np.cumsum(lengths)], pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, elements), "")
    return pc.if_else(listed.is_valid(), joined, pa.scalar(None, pa.string()))


def _decimal_text(array: Column) -> Column:
    """Without the zeros behind the last digit that counts: 7.00 is `7`, as a whole float is."""
    texts = array.cast(pa.string())
    return pc.replace_substring_regex(texts, r"^([^.]*?)(\.0*|(\.\d*?[1-9])0+)$", r"\1\3")


def _time_text(array: Column) -> Column:
    """Null where a time lies outside the calendar."""
    texts = array.cast(pa.string())
    return pc.if_else(pc.starts_with(texts, "<"), pa.scalar(None, pa.string()), texts)


def _float_text(array: Column) -> Column:
    numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    whole = (numbers == np.floor(numbers)) & (np.abs(numbers) < 2**53)
    if whole.all():
        return pa.array(numbers.astype(np.int64)).cast(pa.string())
    texts = [
        None if np.isnan(number) else str(int(number)) if integer else repr(float(number))
        for number, integer in zip(numbers.tolist(), whole.tolist(), strict=True)
    ]
    return pa.array(texts, pa.string())


def as_number(column: Any, strip: str = "", decimal: str | None = None, booleans: bool = True) -> ParsedCells:
    """float64 numbers, 0 where missing or bad.

    NaN is missing. So is an infinity in a column of floats; in a text it is bad.

    Texts may be written as `read_number` reads them. Where cells have a decimal comma that nothing
    declares, a cell such as `1.299` beside them is bad: it could be one or a thousand.

    Args:
        strip: characters of a text to ignore, such as `$,`. A decimal mark behind letters belongs to them,
            as in `Rs.`: it is ignored there alone.
        decimal: the decimal mark of texts, where the mapping declares it.
        booleans: whether true is 1 and false is 0, or no number.
    """
    array = combined(column)
    if pa.types.is_boolean(array.type) and booleans:
        array = array.cast(pa.int8())
    if _numeric(array.type):
        numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        missing = ~np.isfinite(numbers)
        return ParsedCells(np.where(missing, 0.0, numbers), missing, np.zeros(len(array), bool))
    texts = as_text(array)
    if strip:
        texts = as_text(pc.replace_substring_regex(texts, _ignored(strip, decimal or "."), ""))
    return _numbers_of_texts(texts, decimal, booleans)


def _ignored(strip: str, mark: str) -> str:
    """A pattern of what `strip` says to ignore, without the decimal `mark` of the numbers themselves."""
    words = re.findall(rf"[^\W\d_][^\s\d]*?{re.escape(mark)}", strip)
    characters = strip.replace(mark, "") if words else strip
    return "|".join([*map(re.escape, words), f"[{re.escape(characters)}]"])


def _numbers_of_texts(texts: Column, decimal: str | None, booleans: bool) -> ParsedCells:
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    plain = ~missing  # what Arrow reads by itself
    if decimal == ",":
        plain = np.zeros(len(texts), bool)
    else:
        try:
            numbers = texts.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            plain = true_rows(pc.match_substring_regex(texts, _NUMBER))
    if (plain | missing).all() and decimal != ",":
        endless = np.isinf(numbers)
        two_ways = None if decimal else true_rows(pc.match_substring_regex(texts, TWO_WAYS))
        values = np.where(np.isfinite(numbers), numbers, 0.0)
        return ParsedCells(values, missing | np.isnan(numbers), endless, two_ways=two_ways)
    missing |= true_rows(pc.match_substring_regex(texts, _NOT_A_NUMBER))
    kept = pc.if_else(pa.array(plain), texts, pa.scalar(None, pa.string()))
    numbers = kept.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False).copy()
    rest = np.flatnonzero(~plain & ~missing)
    encoded = texts.take(pa.array(rest)).dictionary_encode()  # each distinct text is read once
    read = [read_number(text, decimal, booleans) for text in encoded.dictionary.to_pylist()]
    places = encoded.indices.to_numpy()
    by_comma = np.zeros(len(texts), bool)
    by_comma[rest] = np.array([found is not None and found.by_comma for found in read], bool)[places]
    numbers[rest] = np.array([0.0 if found is None else found.value for found in read])[places]
    bad = np.zeros(len(texts), bool)
    bad[rest] = np.array([found is None for found in read], bool)[places]
    two_ways = np.zeros(len(texts), bool) if decimal else true_rows(pc.match_substring_regex(texts, TWO_WAYS))
    if by_comma.any():
        bad |= two_ways
    bad |= ~np.isfinite(numbers)
    return ParsedCells(np.where(bad, 0.0, numbers), missing, bad, by_comma, two_ways & ~bad)


def as_micros(column: Any, scale: float = 1.0, strip: str = "", decimal: str | None = None) -> ParsedCells:
    """Money as int64 millionths, rounded to the nearest; what is beyond the bounds is bad, and just beyond.

    >>> as_micros(pa.array(["0.1", "19.99", "", "n/a"])).values.tolist()
    [100000, 19990000, 0, 0]
    """
    parsed = as_number(column, strip, decimal, booleans=False)
    # One factor, so that 0.01 * 1e6 is exactly 10000 and the product is rounded once.
    micros = np.rint(parsed.values * (scale * MICROS))
    huge = np.abs(micros) > MOST_MICROS
    values = np.clip(micros, -MOST_MICROS - 1, MOST_MICROS + 1).astype(np.int64)
    return ParsedCells(values, parsed.missing, parsed.bad | huge, parsed.by_comma, parsed.two_ways)


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
