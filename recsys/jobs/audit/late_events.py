"""Which differences between served and recomputed rows are events that came after the row was served.

A row with event timestamp t is recomputed from every event up to t. An event of before t that was processed
after the request is among them, though no online store could have known it: that is lateness, not skew. The
`sequence` of a live event is the microsecond at which a worker took it up, so each difference is put to the
test: the row without what was taken up after the request must be exactly what was served. What was taken up
within two seconds before it may not have been visible yet; there, leaving out the last of them must do.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.features.event_log import EVENT_COLUMNS_READ, read_log
from recsys.features.item_content import category_by_item, category_keys
from recsys.features.item_engagement import item_engagement
from recsys.features.skew import ServedRow, Values, differing_features
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history
from recsys.features.user_searches import SEARCH_COLUMNS_READ, user_searches
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.instants import SECOND
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.lake.event_lake import open_lake

MAX_UNEXPLAINED = 200  # rows that no lateness explains: something else is wrong, so the search ends
IN_FLIGHT_MICROS = 2 * SECOND  # from taking an event up to its row being online, at most
MAX_IN_FLIGHT = 50  # events in flight that are left out, one after the other
_VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.USER_SEARCHES, columns.ITEM_ENGAGEMENT)
_COLUMNS_READ = tuple(dict.fromkeys((*EVENT_COLUMNS_READ, *SEARCH_COLUMNS_READ)))
_LONGEST = columns.WINDOW_DAYS[-1]
_COUNTS: dict[str, dict[str, str]] = {  # view -> kind -> the count that holds all that can be in flight
    columns.USER_ACTIVITY: {kind: f"{kind}_count_{_LONGEST}d" for kind in columns.ACTION_KINDS},
    columns.ITEM_ENGAGEMENT: {
        kind: f"item_{kind}_count_{_LONGEST}d" for kind in (columns.IMPRESSION, *columns.ACTION_KINDS)
    },
}


def explained_by_late_events(paths: HomePaths, rows: Sequence[ServedRow]) -> set[int]:
    """Places of the `rows` that equal what the feature store would say without what came after them."""
    groups: dict[tuple[str, int, str], list[int]] = {}
    for place, row in enumerate(rows):
        if row.view in _VIEWS:
            groups.setdefault((row.request_id, row.at, row.view), []).append(place)
    if not groups:
        return set()
    events = _events_of(paths, [rows[place] for places in groups.values() for place in places])
    items = load_items(paths)
    explained: set[int] = set()
    unexplained = 0
    for places in groups.values():
        if unexplained >= MAX_UNEXPLAINED:
            break
        found = _explained_rows([rows[place] for place in places], events, items)
        explained.update(place for place, late in zip(places, found, strict=True) if late)
        unexplained += found.count(False)
    return explained


def _explained_rows(rows: Sequence[ServedRow], events: pa.Table, items: pa.Table) -> list[bool]:
    """For each of the rows of one view and request, whether what came later explains it."""
    ids = pa.array([row.entity_id for row in rows])
    known = events.filter(pc.is_in(events[_entity_column(rows[0])], value_set=ids))
    known = known.filter(pc.less_equal(known[columns.SEQUENCE], rows[0].at))
    recomputed = _rows_at(rows, known, items)
    return [
        not differing_features(row.values, values) or _explained_in_flight(row, values, known, items)
        for row, values in zip(rows, recomputed, strict=True)
    ]


def _explained_in_flight(row: ServedRow, recomputed: Values, events: pa.Table, items: pa.Table) -> bool:
    """Whether the row lacks some of what workers had taken up but not yet made visible."""
    own = events.filter(pc.equal(events[_entity_column(row)], row.entity_id))
    sequence: IntArray = own[columns.SEQUENCE].to_numpy()
    early = own[columns.AT].cast(pa.int64()).to_numpy() <= (row.event_at or 0)
    in_flight = early & (sequence > row.at - IN_FLIGHT_MICROS)
    kinds = own[columns.KIND].to_numpy(zero_copy_only=False)
    masks = chain(
        _without_last_by_kind(row, recomputed, kinds, sequence, in_flight), _without_last(sequence, in_flight)
    )
    return any(
        not differing_features(row.values, _rows_at([row], own.filter(pa.array(~left_out)), items)[0])
        for left_out in masks
    )


def _events_of(paths: HomePaths, rows: Sequence[ServedRow]) -> pa.Table:
    """The events of the rows' users and items, imported and live."""
    of_view = {
        entity: {row.entity_id for row in rows if _entity_column(row) == entity}
        for entity in _entity_columns(rows)
    }
    events = open_lake(paths).read_as_happened(_COLUMNS_READ)
    masks = [pc.is_in(events[name], value_set=pa.array(sorted(ids))) for name, ids in of_view.items()]
    return events.filter(masks[0] if len(masks) == 1 else pc.or_kleene(masks[0], masks[1]))


def _without_last_by_kind(
    row: ServedRow,
    recomputed: Values,
    kinds: npt.NDArray[np.object_],
    sequence: IntArray,
    in_flight: BoolArray,
) -> Iterator[BoolArray]:
    """The last events in flight, as many of each kind as the row's own counts lack.

    Several workers process the events of an item, so those that were visible are not all before the others.
    """
    left_out = np.zeros(len(kinds), np.bool_)
    for kind, name in _COUNTS.get(row.view, {}).items():
        lacking = (recomputed.get(name) or 0) - (row.values.get(name) or 0)
        places = np.flatnonzero(in_flight & (kinds == kind))
        if not 0 <= lacking <= len(places):
            return
        left_out[places[np.argsort(-sequence[places], kind="stable")[:lacking]]] = True
    if left_out.any():
        yield left_out


def _without_last(sequence: IntArray, in_flight: BoolArray) -> Iterator[BoolArray]:
    """The last event in flight, the last two, and so on: how one worker makes them visible."""
    for first in np.sort(sequence[in_flight])[::-1][:MAX_IN_FLIGHT]:
        yield in_flight & (sequence >= first)


def _rows_at(rows: Sequence[ServedRow], events: pa.Table, items: pa.Table) -> list[Values]:
    """The view's row of each entity as of the served row's timestamp, by the very functions of the batch."""
    table = _recomputed(rows[0].view, events, items)
    at = table[columns.EVENT_TIMESTAMP].cast(pa.int64()).to_numpy()
    entities = table[_entity_column(rows[0])].to_numpy()
    return [_latest_row(table, (entities == row.entity_id) & (at <= (row.event_at or 0)), at) for row in rows]


def _recomputed(view: str, events: pa.Table, items: pa.Table) -> pa.Table:
    if view == columns.USER_SEARCHES:
        return user_searches(events, 0)
    log = read_log(events)
    if view == columns.USER_ACTIVITY:
        return user_activity(log, category_keys(category_by_item(items), log.items), 0)
    return user_history(log, 0) if view == columns.USER_HISTORY else item_engagement(log, 0)


def _latest_row(table: pa.Table, mask: BoolArray, at: IntArray) -> Values:
    places = np.flatnonzero(mask)
    if not len(places):
        return dict.fromkeys(table.column_names)
    found: Values = table.slice(int(places[np.argmax(at[places])]), 1).to_pylist()[0]
    return found


def _entity_column(row: ServedRow) -> str:
    return str(VIEW_SCHEMAS[row.view].names[0])


def _entity_columns(rows: Sequence[ServedRow]) -> list[str]:
    return list(dict.fromkeys(_entity_column(row) for row in rows))
