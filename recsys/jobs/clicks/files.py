"""Reads a click log of one's own: a CSV with named columns, a row an impression."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.click_log import CLICKED, P_CLICK, SLOT
from recsys.errors import DataError
from recsys.instants import SECOND

SERVED_AT = "served_at"
# What columns may be called.
OTHER_NAMES = {
    columns.AT: SERVED_AT,
    "timestamp": SERVED_AT,
    "time": SERVED_AT,
    columns.POSITION: SLOT,
    "click": CLICKED,
    "label": CLICKED,
    "purchased": "converted",
    "p": P_CLICK,
}
_NEEDED = (columns.USER_ID, columns.ITEM_ID, SERVED_AT, CLICKED)


def read_click_file(file: Path) -> pd.DataFrame:
    """The table in `file`, `served_at` as microseconds in the column `at`.

    Raises:
        DataError: it cannot be read, or lacks a column that it needs.
    """
    try:
        frame = pd.read_csv(file, dtype={name: str for name in (columns.USER_ID, columns.ITEM_ID)})
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a CSV of impressions: {error}.") from error
    frame = frame.rename(columns={old: new for old, new in OTHER_NAMES.items() if new not in frame})
    lacking = [name for name in _NEEDED if name not in frame]
    if lacking:
        raise DataError(
            f"{file} lacks the columns {', '.join(lacking)}: it has {', '.join(map(str, frame))}. "
            f"A click log has a row for each impression, with {', '.join(_NEEDED)}."
        )
    values = pd.to_numeric(frame[CLICKED], errors="coerce")
    if not values.isin((0, 1)).all():
        raise DataError(f"{file}: {CLICKED} has other values than 0 and 1. Write 1 where it was clicked.")
    if values.nunique() < 2:
        raise DataError(
            f"{file} has {len(frame):,} impressions, {int(values.sum()):,} of them clicked. A click model "
            "learns from both kinds: write a row for each impression, clicked or not."
        )
    return frame.assign(**{columns.AT: _micros(file, frame[SERVED_AT])}).drop(columns=SERVED_AT)


def _micros(file: Path, values: pd.Series) -> IntArray:
    """Instants of a column of Unix seconds, or of ISO dates; without a zone they are UTC."""
    if pd.api.types.is_numeric_dtype(values):
        if values.isna().any():
            raise DataError(f"{file}: {SERVED_AT} is empty in {int(values.isna().sum())} rows.")
        return np.asarray(np.round(values.to_numpy(np.float64) * SECOND), np.int64)
    try:
        found = pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{file}: {SERVED_AT} is neither Unix seconds nor an ISO instant: {error}."
        ) from error
    return np.asarray(found.astype("datetime64[us, UTC]").astype("int64").to_numpy(), np.int64)
