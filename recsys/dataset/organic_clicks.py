"""Labels of what was shown without money: an impression, and the click that names the same answer and item.

An item was shown where an impression names its answer. While no client reports impressions of a surface,
what the log of answers says of that surface counts instead. Only clicks are clicks: views, carts and likes
are not. Events with a token are of sponsored items: `recsys.ads.labels` makes labels of those.
"""

import numpy as np
import pandas as pd

from recsys import columns
from recsys.arrays import BoolArray
from recsys.dataset.click_log import CLICKED, CONVERTED, LABEL_COLUMNS, MATURE, SLOT, SPONSORED, UNIT
from recsys.instants import DAY, SECOND

CLICK_MICROS = 30 * 60 * SECOND  # after the answer; a later click is none
CONVERSION_MICROS = 7 * DAY
SHOWN_COLUMNS = (
    columns.REQUEST_ID,
    columns.USER_ID,
    columns.SESSION_ID,
    columns.ITEM_ID,
    columns.POSITION,
    columns.AT,
    columns.SURFACE,
    columns.QUERY,
)
CLICK_EVENT_COLUMNS = (columns.KIND, *SHOWN_COLUMNS, columns.VIEWABLE, columns.TOKEN)

_PLACE = [columns.REQUEST_ID, columns.ITEM_ID]
_BUYER = [columns.USER_ID, columns.ITEM_ID]


def organic_labels(events: pd.DataFrame, answers: pd.DataFrame, until: int) -> pd.DataFrame:
    """LABEL_COLUMNS of the impressions among `events`, and of `answers` whose surface reports none yet.

    Impressions of the last 30 minutes before `until` are left out: their clicks may still come.

    Args:
        events: CLICK_EVENT_COLUMNS, `at` microseconds; other kinds are passed over.
        answers: SHOWN_COLUMNS, a row for each item of the log of answers.
        until: microseconds that the labels reach to; later events do not count.
    """
    events = events[(events[columns.AT] < until) & events[columns.TOKEN].isna()]
    shown = _shown(events, answers)
    shown = shown[shown[columns.AT] < until - CLICK_MICROS].reset_index(drop=True)
    clicks = events[events[columns.KIND] == columns.CLICK]
    clicked = _soon_after(shown, clicks, _PLACE, CLICK_MICROS)
    bought = clicked & _soon_after(
        shown, events[events[columns.KIND] == columns.PURCHASE], _BUYER, CONVERSION_MICROS
    )
    kept = clicked | ~shown[columns.VIEWABLE].eq(False).to_numpy(bool)
    unit = shown[columns.USER_ID].where(shown[columns.USER_ID].notna(), shown[columns.SESSION_ID])
    labelled = shown.copy()
    labelled[UNIT] = unit
    labelled[SLOT] = pd.to_numeric(shown[columns.POSITION]).fillna(0).astype(np.int64)
    labelled[SPONSORED] = False
    labelled[CLICKED], labelled[CONVERTED] = clicked, bought
    labelled[MATURE] = shown[columns.AT].to_numpy(np.int64) < until - CONVERSION_MICROS
    return labelled.loc[kept, [name for name in LABEL_COLUMNS if name in labelled]].reset_index(drop=True)


def _shown(events: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """SHOWN_COLUMNS and `viewable`, once an item of an answer, at the instant of the answer."""
    seen = events[
        (events[columns.KIND] == columns.IMPRESSION)
        & events[columns.REQUEST_ID].notna()
        & events[columns.ITEM_ID].notna()
    ]
    seen = seen[[*SHOWN_COLUMNS, columns.VIEWABLE]]
    of_answer = answers.drop_duplicates(columns.REQUEST_ID).set_index(columns.REQUEST_ID)
    for name in (columns.AT, columns.SURFACE, columns.QUERY):
        logged = seen[columns.REQUEST_ID].map(of_answer[name])
        own = seen[name]
        # What the answer says, else what the page said.
        seen = seen.assign(**{name: logged.where(logged.notna(), own)})
    first = seen.groupby(columns.SURFACE, dropna=False)[columns.AT].min().to_dict()
    begins = answers[columns.SURFACE].map(lambda surface: _first_of(first, surface))
    unreported = answers[
        (answers[columns.AT] < begins) & ~answers[columns.REQUEST_ID].isin(seen[columns.REQUEST_ID])
    ]
    parts = [part for part in (seen, unreported.assign(**{columns.VIEWABLE: None})) if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else seen
    rows = rows.astype({columns.AT: np.int64}).sort_values(columns.AT, kind="stable")
    return rows.drop_duplicates(_PLACE).reset_index(drop=True)


def _first_of(first: dict[object, int], surface: object) -> float:
    """Microseconds of the first impression of a surface; infinity where there is none."""
    for key, at in first.items():
        if key == surface or (pd.isna(key) and pd.isna(surface)):  # type: ignore[call-overload]
            return float(at)
    return float("inf")


def _soon_after(shown: pd.DataFrame, actions: pd.DataFrame, by: list[str], within: int) -> BoolArray:
    """(S,) whether an action of the same `by` came from the row's instant on, up to `within` later."""
    out = np.zeros(len(shown), bool)
    left = shown[[*by, columns.AT]].assign(place=np.arange(len(shown))).dropna(subset=by)
    right = actions[[*by, columns.AT]].dropna(subset=by)
    if not len(left) or not len(right):
        return out
    right = right.astype({columns.AT: np.int64}).assign(acted=True).sort_values(columns.AT)
    found = pd.merge_asof(
        left.sort_values(columns.AT), right, on=columns.AT, by=by, direction="forward", tolerance=within
    )
    out[found.loc[found["acted"].notna(), "place"].to_numpy(np.int64)] = True
    return out
