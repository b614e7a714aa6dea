"""Raw cells to texts, numbers and instants, a column at a time; what cannot be read is marked, not raised."""

import contextlib
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.amounts import MOST_MICROS
from recsys.arrays import BoolArray, Column, IntArray, combined
from recsys.errors import ConfigError

LIST_MARK = "\x1f"  # between the elements of a list inside a text cell: the ASCII unit separator
MICROS = 1_000_000
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# The zone at the end of an ISO text. A bare date has no colon before its last "-31".
_OFFSET = r"(?:[Zz]|[+-]\d{2}:?\d{2}|:\d{2}(?:\.\d+)?[+-]\d{2})$"
_FARTHEST = 2.0**62
_UNIT_MICROS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}


@dataclass(frozen=True)
class ParsedCells:
    """Values of N cells. `missing` had nothing in them, `bad` something that cannot be read."""

    values: npt.NDArray[Any]
    missing: BoolArray
    bad: BoolArray

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
        array = _list_text(array)
    elif pa.types.is_floating(kind):
        array = _float_text(array)
    elif pa.types.is_decimal(kind):
        array = _decimal_text(array)
    elif not pa.types.is_string(kind):
        array = array.cast(pa.string())
    array = pc.utf8_trim_whitespace(array)
    if pc.min(pc.binary_length(array)).as_py() != 0:
        return array
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def is_list_type(kind: pa.DataType) -> bool:
    """Whether the cells of a column of type `kind` are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _list_text(array: Column) -> Column:
    """Elements with LIST_MARKs between them and one at the end; a null inside is an empty element."""
    listed = array.cast(pa.list_(array.type.value_type))
    elements = as_text(pc.list_flatten(listed)).fill_null("")
    lengths = pc.list_value_length(listed).fill_null(0).to_numpy(zero_copy_only=False)
    ends = pa.array(np.r_[0, np.cumsum(lengths)], pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, elements), LIST_MARK)
    return pc.if_else(listed.is_valid(), joined, pa.scalar(None, pa.string()))


def _decimal_text(array: Column) -> Column:
    """Without the zeros behind the last digit that counts: 7.00 is `7`, as a whole float is."""
    texts = array.cast(pa.string())
    return pc.replace_substring_regex(texts, r"^([^.]*?)(\.0*|(\.\d*?[1-9])0+)$", r"\1\3")


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


def as_number(column: Any, strip: str = "") -> ParsedCells:
    """float64 numbers (0 where missing or bad); NaN and infinities are bad in a text, missing in a float.

    Args:
        strip: characters of a text to ignore, such as `$,`.
    """
    array = combined(column)
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    if _numeric(array.type):
        numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        missing = ~np.isfinite(numbers)
        return ParsedCells(np.where(missing, 0.0, numbers), missing, np.zeros(len(array), bool))
    texts = as_text(array)
    if strip:
        texts = as_text(pc.replace_substring_regex(texts, f"[{re.escape(strip)}]", ""))
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    bad = np.zeros(len(texts), bool)
    try:
        numbers = texts.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        matched: Column = pc.match_substring_regex(texts, _NUMBER)
        readable = matched.fill_null(False).to_numpy(zero_copy_only=False)
        bad = ~readable & ~missing
        kept = pc.if_else(pa.array(readable), texts, pa.scalar(None, pa.string()))
        numbers = kept.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    endless = ~np.isfinite(numbers)
    return ParsedCells(np.where(endless, 0.0, numbers), missing, bad | endless)


def as_micros(column: Any, scale: float = 1.0, strip: str = "") -> ParsedCells:
    """Money as int64 millionths, rounded to the nearest; amounts over two billion units are bad.

    >>> as_micros(pa.array(["0.1", "19.99", "", "n/a"])).values.tolist()
    [100000, 19990000, 0, 0]
    """
    parsed = as_number(column, strip)
    # One factor, so that 0.01 * 1e6 is exactly 10000 and the product is rounded once.
    micros = np.rint(parsed.values * (scale * MICROS))
    huge = np.abs(micros) > MOST_MICROS
    return ParsedCells(np.where(huge, 0, micros).astype(np.int64), parsed.missing, parsed.bad | huge)


def as_instant(column: Any, unit: str = "iso", form: str | None = None, zone: str = "UTC") -> ParsedCells:
    """int64 microseconds since 1970, UTC.

    Args:
        unit: `iso` for texts and for columns that are timestamps already; `s`, `ms`, `us`, `ns`.
        form: strptime pattern of a text.
        zone: of instants that name none. An hour that the clock shows twice is the earlier one, an
            hour that it skips is the first instant after.

    Raises:
        ConfigError: no such zone.
    """
    array = combined(column)
    if unit != "iso":
        return _counted(array, _UNIT_MICROS[unit])
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        missing = array.is_null().to_numpy(zero_copy_only=False)
        return ParsedCells(_micros_of(array, zone), missing, np.zeros(len(array), bool))
    texts = as_text(array)
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    fast = None if form else _iso_cast(texts)
    if fast is not None:
        return ParsedCells(_micros_of(fast, zone), missing, np.zeros(len(array), bool))
    # The slow way, for other forms and for columns with errors: distinct texts once, as logs repeat them.
    encoded = texts.dictionary_encode()
    distinct, readable = _read_texts(encoded.dictionary, form, zone)
    places = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if not len(distinct):
        return ParsedCells(np.zeros(len(array), np.int64), missing, np.zeros(len(array), bool))
    return ParsedCells(np.where(missing, 0, distinct[places]), missing, ~readable[places] & ~missing)


def _iso_cast(texts: Column) -> Column | None:
    """`texts` as timestamps if all have one of the ISO forms that Arrow reads by itself."""
    # A failed cast pays for every cell that fails, so a few rows choose the form.
    sample = texts.slice(0, 100)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns")):
        with contextlib.suppress(pa.ArrowInvalid):
            sample.cast(kind)
            return texts.cast(kind)
    return None


def _read_texts(texts: Column, form: str | None, zone: str) -> tuple[IntArray, BoolArray]:
    """Instants of `texts` and which could be read; a text may name its zone or not."""
    series = texts.to_pandas()
    aware = pd.Series("%z" in form, series.index) if form else series.str.contains(_OFFSET)
    values = np.zeros(len(series), np.int64)
    readable = np.zeros(len(series), bool)
    for own in (True, False):
        rows = np.flatnonzero(aware.to_numpy(bool) == own)
        if len(rows):
            parsed = pd.to_datetime(series.iloc[rows], format=form or "ISO8601", errors="coerce", utc=own)
            array = combined(pa.Array.from_pandas(parsed))
            readable[rows] = parsed.notna().to_numpy()
            values[rows] = _micros_of(array, zone)
    return values, readable


def _micros_of(instants: Column, zone: str) -> IntArray:
    """Microseconds of timestamps or dates, 0 where null; those without a zone are of `zone`."""
    tz = instants.type.tz if pa.types.is_timestamp(instants.type) else None
    array = instants.cast(pa.timestamp("us", tz), safe=False).cast(pa.int64()).fill_null(0)
    values = np.asarray(array.to_numpy(zero_copy_only=False), np.int64)
    if tz is not None or zone == "UTC":
        return values
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"zone {zone!r} is unknown. Write a name such as 'Europe/Paris' or 'UTC'."
        ) from error
    local = pd.DatetimeIndex(values.view("datetime64[us]"))
    aware = local.tz_localize(zone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    return np.asarray(aware.as_unit("us").astype(np.int64), np.int64)


def _counted(array: Column, micros: float) -> ParsedCells:
    """Instants as a count of units: integers stay exact, fractions of a unit are kept."""
    if pa.types.is_string(array.type):
        array = _integers(array)
    if pa.types.is_integer(array.type):
        counts = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        far = np.abs(counts.astype(np.float64)) * micros > _FARTHEST
        counts = np.where(far, 0, counts)
        values = counts * int(micros) if micros >= 1 else counts // round(1 / micros)
        return ParsedCells(values, array.is_null().to_numpy(zero_copy_only=False), far)
    parsed = as_number(array)
    scaled = np.rint(parsed.values * micros)
    far = np.abs(scaled) > _FARTHEST
    return ParsedCells(np.where(far, 0, scaled).astype(np.int64), parsed.missing, parsed.bad | far)


def _integers(texts: Column) -> Column:
    """`texts` as integers if all are, else as they came."""
    try:
        return as_text(texts).cast(pa.int64())
    except pa.ArrowInvalid:
        return texts


def _numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
