"""Which views need only the rows that new events changed, and which all of them."""

import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow.compute as pc

from recsys import columns
from recsys.features.event_log import EVENT_COLUMNS_READ, read_log
from recsys.home import HomePaths
from recsys.instants import from_micros
from recsys.stores.features.inputs import ITEM_VIEWS, Inputs, grown_days
from recsys.stores.lake.event_lake import JoinedLake, open_lake
from recsys.stores.lake.event_parts import count_events, whole_days

LEAST_EVENTS = 200_000  # with fewer all rows are a second's work
MOST_SHARE = 0.05  # of the events may be on days that grew: beyond, all rows anew cost little more
_BY_ENTITY = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.ITEM_ENGAGEMENT)

log = logging.getLogger(__name__)


def grown_views(
    paths: HomePaths, states: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Inputs]
) -> dict[str, tuple[date, ...]]:
    """View -> the days that got events since its rows were last built as a whole, if little else changed.

    A view that no new event concerns has no days. All rows of a view are built anew where its definition
    changed, where events are gone, where rows stand for events that are gone, and where much is new.

    Args:
        states: view -> what was kept of it, for the views whose inputs changed.
    """
    found: dict[str, tuple[date, ...]] = {}
    lake = open_lake(paths)
    sizes = count_events(lake) if states else {}
    for view, state in states.items():
        if "rows" not in state or not paths.feature_rows(view).exists():
            continue
        new = grown_days(view, state.get("parts"), wanted[view], paths)
        if new is None:
            log.info("%s: more than new events changed", view)
            continue
        days = tuple(sorted({*new, *map(date.fromisoformat, state.get("grown", ()))}))
        if not _concerns(view, new, lake):
            found[view] = ()
        elif view in _BY_ENTITY and not state.get("withdrawn") and _are_few(days, sizes):
            found[view] = days
    return found


def _concerns(view: str, days: tuple[date, ...], lake: JoinedLake) -> bool:
    """Whether events that are new on `days` may change rows of `view`."""
    if view == columns.USER_SEARCHES:
        return _has_searches(lake, days)
    if view in ITEM_VIEWS:  # what has no instant of its own is known from a day before the first event on
        first = first_counted_at(lake)
        return first is None or from_micros(first).date() in days
    return bool(days)


def first_counted_at(lake: JoinedLake) -> int | None:
    """The instant (microseconds) of the first event that features count; None where there is none."""
    for day in lake.days():
        log = read_log(lake.read_as_happened(EVENT_COLUMNS_READ, *whole_days(day, day)), lambda _: 0)
        if len(log):
            return int(log.at[0])
    return None


def _are_few(days: tuple[date, ...], sizes: Mapping[date, int]) -> bool:
    events = sum(sizes.values())
    return events >= LEAST_EVENTS and sum(sizes.get(day, 0) for day in days) <= MOST_SHARE * events


def _has_searches(lake: JoinedLake, days: tuple[date, ...]) -> bool:
    for day in days:
        for each in lake.lakes:
            kinds = each.read([columns.KIND], *whole_days(day, day))[columns.KIND]
            if pc.any(pc.equal(kinds, columns.SEARCH)).as_py():
                return True
    return False
