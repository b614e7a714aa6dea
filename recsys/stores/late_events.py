"""Which differences between served and recomputed rows are events that arrived after the row was served.

A row with event timestamp t is recomputed from every event up to t. An event of before t that arrived after
the row was served is among them, though no online store could have known it: that is lateness, not skew. So
each difference is put to the test: taking away events that may have come late must give exactly the served
row. Two kinds may: the last arrivals, told by `sequence`, and what happened within seconds of t, since
workers overtake each other by that much. An event at t itself made the row, so it stays.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.config import HomePaths
from recsys.features.event_log import EVENT_COLUMNS_READ, BoolArray, IntArray, read_log
from recsys.features.item_content import category_keys
from recsys.features.item_engagement import item_engagement
from recsys.features.skew import ServedRow, Values, differing
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history_blocks
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.dataset_files import load_items
from recsys.stores.event_lake import open_lake

ROWS = 100  # looked into; where more differ, lateness is not what is wrong
ARRIVALS = 20  # last ones taken away together at most
RACE_MICROS = 10_000_000  # how far apart in time workers may be
RACERS = 10  # of which one or two are taken away
_VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.ITEM_ENGAGEMENT)


def explained_by_late_events(paths: HomePaths, rows: Sequence[ServedRow]) -> set[int]:
    """Places of the `rows` that equal what the feature store would say without the last arrivals."""
    wanted = [place for place, row in enumerate(rows) if row.view in _VIEWS][:ROWS]
    if not wanted:
        return set()
    events = _events_of(paths, [rows[place] for place in wanted])
    items = load_items(paths)
    return {place for place in wanted if _explained(rows[place], events, items)}


def _explained(row: ServedRow, events: pa.Table, items: pa.Table) -> bool:
    known = _known_to(row, events)
    return any(
        not differing(row.values, _row_at(row, known.filter(pa.array(kept)), items))
        for kept in _without_late(row, known)
    )


def _events_of(paths: HomePaths, rows: Sequence[ServedRow]) -> pa.Table:
    """The events of the rows' users and items, imported and live."""
    of_view = {
        entity: {row.entity_id for row in rows if _entity(row) == entity} for entity in _entities(rows)
    }
    events = open_lake(paths).read(EVENT_COLUMNS_READ)
    masks = [pc.is_in(events[name], value_set=pa.array(sorted(ids))) for name, ids in of_view.items()]
    return events.filter(masks[0] if len(masks) == 1 else pc.or_kleene(masks[0], masks[1]))


def _known_to(row: ServedRow, events: pa.Table) -> pa.Table:
    """The events of the row's entity up to its event timestamp."""
    same = pc.equal(events[_entity(row)], row.entity_id)
    early = pc.less_equal(events[columns.AT].cast(pa.int64()), row.event_at or 0)
    return events.filter(pc.and_kleene(same, early))


def _without_late(row: ServedRow, events: pa.Table) -> Iterator[BoolArray]:
    """Masks of `events` without some that may have come late.

    What arrived before the row's own event was there when the row was written. A row of a midnight has no
    event of its own; then any of the last arrivals may be the late one.
    """
    sequence: IntArray = events[columns.SEQUENCE].to_numpy()
    at = events[columns.AT].cast(pa.int64()).to_numpy()
    own = at == row.event_at
    first = int(sequence[own].min()) if own.any() else -1
    for arrival in np.sort(sequence[sequence > first])[::-1][:ARRIVALS]:
        yield sequence < arrival
    near = np.flatnonzero((at > (row.event_at or 0) - RACE_MICROS) & ~own)[-RACERS:].tolist()
    for away in (*combinations(near, 1), *combinations(near, 2)):
        kept = np.ones(len(events), np.bool_)
        kept[list(away)] = False
        yield kept


def _row_at(row: ServedRow, events: pa.Table, items: pa.Table) -> Values:
    """The view's row of the entity as of the row's event timestamp, by the very functions of the batch."""
    log = read_log(events)
    if row.view == columns.USER_ACTIVITY:
        table = user_activity(log, category_keys(items, log.items), 0)
    elif row.view == columns.USER_HISTORY:
        blocks = list(user_history_blocks(log, 0))
        table = pa.concat_tables([VIEW_SCHEMAS[row.view].empty_table(), *blocks])
    else:
        table = item_engagement(log, 0)
    at = table[columns.EVENT_TIMESTAMP].cast(pa.int64()).to_numpy()
    mask = np.asarray(pc.equal(table[_entity(row)], row.entity_id)) & (at <= (row.event_at or 0))
    places = np.flatnonzero(mask)
    if not len(places):
        return dict.fromkeys(row.values)
    last = int(places[np.argmax(at[places])])
    found: Values = table.slice(last, 1).to_pylist()[0]
    return found


def _entity(row: ServedRow) -> str:
    return str(VIEW_SCHEMAS[row.view].names[0])


def _entities(rows: Sequence[ServedRow]) -> list[str]:
    return list(dict.fromkeys(_entity(row) for row in rows))
