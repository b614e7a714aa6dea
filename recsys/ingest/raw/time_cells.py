"""Raw cells to instants: timestamps, counts since 1970 and the ways in which people write a time."""

import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import BoolArray, Column, IntArray, combined
from recsys.errors import ConfigError
from recsys.ingest.raw.cells import ParsedCells, as_number, as_text
from recsys.instants import DAY, to_micros

# The calendar that the project writes instants in: years 1 to 9999.
FIRST_MICROS = to_micros(datetime(1, 1, 1, tzinfo=UTC))
LAST_MICROS = to_micros(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
UNIT_MICROS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
# Days since 1899-12-30 between 1990 and 2100: how spreadsheets keep dates.
SPREADSHEET_DAYS = (32_874, 73_050)
# The zone at the end of an ISO text. A bare date has no colon before its last "-31".
_OFFSET = r"(?:[Zz]|[+-]\d{2}:?\d{2}|:\d{2}(?:\.\d+)?[+-]\d{2})$"
# Other writings that can be read in one way only, and the ISO form of each.
_REWRITTEN = (
    (r"\[[^\]]*\]$", ""),  # 2024-01-05T10:00:00+01:00[Europe/Paris]
    (r"^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", r"\1-\2-\3 \4:\5:\6"),  # 20240105100000
    (r"(\d\s*[+-]\d{2}:?\d{2})\s+[A-Z]{3,4}$", r"\1"),  # 10:00:00 +0000 UTC, as Go writes it
    (r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", r"\1-\2-\3"),  # 2024/1/5
    (r"(:\d{2}),(\d+)", r"\1.\2"),  # 10:00:00,123
    (r"(\d)\s*(?i:UTC|GMT|Z)\s*([+-]\d{2}:?\d{2})$", r"\1\2"),  # 10:00:00 GMT+0100
    (r"(:\d{2}(?:\.\d+)?)\s*(?i:UTC|GMT|Z)$", r"\1Z"),  # 10:00:00 UTC
    (r"(:\d{2}(?:\.\d+)?)\s+([+-]\d{2}:?\d{2})$", r"\1\2"),  # 10:00:00 +0100
    (r"^(\d{4}-\d{1,2}-\d{1,2})\s*(?i:UTC|GMT|Z)$", r"\1T00:00:00Z"),  # 2024-01-05 UTC
)


def as_instant(column: Column, unit: str = "iso", form: str | None = None, zone: str = "UTC") -> ParsedCells:
    """int64 microseconds since 1970, UTC; FIRST_MICROS - 1 and LAST_MICROS + 1 stand for what is beyond.

    Args:
        unit: `iso` for texts and for columns that are timestamps already; `s`, `ms`, `us`, `ns` for
            counts, also those that a file gives out as timestamps of another unit.
        form: strptime pattern of a text.
        zone: of instants that name none. An hour that the clock shows twice is the earlier one, an
            hour that it skips is the first instant after.

    Raises:
        ConfigError: no such zone.
    """
    array = combined(column)
    if unit != "iso":
        return _counted(array, UNIT_MICROS[unit])
    missing = array.is_null().to_numpy(zero_copy_only=False)
    if is_time_type(array.type):
        return ParsedCells(micros_of(array, zone), missing, np.zeros(len(array), bool))
    texts = as_text(array)
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    fast = None if form else _iso_cast(texts)
    if fast is not None:
        return ParsedCells(micros_of(fast, zone), missing, np.zeros(len(array), bool))
    # The slow way, for other forms and for columns with errors: distinct texts once, as logs repeat them.
    encoded = texts.dictionary_encode()
    distinct, readable = _read_texts(encoded.dictionary, form, zone)
    places = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if not len(distinct):
        return ParsedCells(np.zeros(len(array), np.int64), missing, np.zeros(len(array), bool))
    return ParsedCells(np.where(missing, 0, distinct[places]), missing, ~readable[places] & ~missing)


def is_time_type(kind: pa.DataType) -> bool:
    """Whether the cells of a column of type `kind` are timestamps or dates."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def time_counts(array: Column) -> Column:
    """The whole numbers that a column of timestamps or dates holds."""
    return (
        array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date32(array.type) else array.cast(pa.int64())
    )


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
    if form is None:
        for pattern, iso in _REWRITTEN:
            texts = pc.replace_substring_regex(texts, pattern, iso)
        fast = _iso_cast(texts)
        if fast is not None:
            return micros_of(fast, zone), np.ones(len(texts), bool)
    series = texts.to_pandas()
    aware = pd.Series("%z" in form, series.index) if form else series.str.contains(_OFFSET)
    values = np.zeros(len(series), np.int64)
    readable = np.zeros(len(series), bool)
    for own in (True, False):
        rows = np.flatnonzero(aware.to_numpy(bool) == own)
        if len(rows):
            parsed = pd.to_datetime(series.iloc[rows], format=form or "ISO8601", errors="coerce", utc=own)
            instants = combined(pa.Array.from_pandas(parsed))
            far, found = _far_instants(series.iloc[rows], parsed, form)
            readable[rows] = parsed.notna().to_numpy() | found
            values[rows] = np.where(found, micros_of(far, zone), micros_of(instants, zone))
    return values, readable


def _far_instants(
    texts: "pd.Series[str]", parsed: "pd.Series[datetime]", form: str | None
) -> tuple[Column, BoolArray]:
    """Instants out of the reach of pandas, which counts nanoseconds, and which they are: 9999-12-31."""
    values: list[datetime | None] = [None] * len(texts)
    for place in np.flatnonzero(parsed.isna().to_numpy()).tolist():
        with contextlib.suppress(ValueError, OverflowError):
            text = texts.iloc[place]
            value = datetime.fromisoformat(text) if form is None else _by_form(text, form)
            values[place] = value if value.tzinfo is None else value.astimezone(UTC)
    aware = any(value is not None and value.tzinfo for value in values)
    array = pa.array(values, pa.timestamp("us", "UTC" if aware else None))
    return array, np.asarray(array.is_valid())


def _by_form(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - the mapping's `zone` says which


def micros_of(instants: Column, zone: str = "UTC") -> IntArray:
    """Microseconds of timestamps or dates, 0 where null; those without a zone are of `zone`.

    FIRST_MICROS - 1 and LAST_MICROS + 1 stand for what is beyond.

    Raises:
        ConfigError: no such zone.
    """
    kind = instants.type
    unit = DAY if pa.types.is_date32(kind) else UNIT_MICROS["ms" if pa.types.is_date64(kind) else kind.unit]
    values = _scaled(time_counts(instants).fill_null(0).to_numpy(zero_copy_only=False), unit)
    if zone == "UTC" or (pa.types.is_timestamp(kind) and kind.tz is not None):
        return values
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"zone {zone!r} is unknown. Write a name such as 'Europe/Paris' or 'UTC'."
        ) from error
    inside = (values > FIRST_MICROS + DAY) & (values < LAST_MICROS - DAY)
    local = pd.DatetimeIndex(np.where(inside, values, 0).view("datetime64[us]"))
    aware = local.tz_localize(zone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
    return np.where(inside, np.asarray(aware.as_unit("us").astype(np.int64), np.int64), values)


def _scaled(counts: IntArray, micros: float) -> IntArray:
    """`counts` of units of `micros` microseconds as microseconds, kept inside int64."""
    if micros < 1:
        return _inside(counts // round(1 / micros))
    most = LAST_MICROS // int(micros) + 1
    least = FIRST_MICROS // int(micros) - 1
    return _inside(np.clip(counts, least, most) * int(micros))


def _inside(micros: IntArray) -> IntArray:
    return np.clip(micros, FIRST_MICROS - 1, LAST_MICROS + 1)


def _counted(array: Column, micros: float) -> ParsedCells:
    """Instants as a count of units: integers stay exact, fractions of a unit are kept."""
    if is_time_type(array.type):
        array = time_counts(array)
    if pa.types.is_string(array.type):
        array = _integers(array)
    if pa.types.is_integer(array.type) and not pa.types.is_uint64(array.type):
        missing = array.is_null().to_numpy(zero_copy_only=False)
        counts = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return ParsedCells(_scaled(counts, micros), missing, np.zeros(len(array), bool))
    parsed = as_number(array)
    scaled = np.clip(np.rint(parsed.values * micros), -(2.0**62), 2.0**62)
    return ParsedCells(_inside(scaled.astype(np.int64)), parsed.missing, parsed.bad)


def _integers(texts: Column) -> Column:
    """`texts` as integers if all are, else as they came."""
    try:
        return as_text(texts).cast(pa.int64())
    except pa.ArrowInvalid:
        return texts
