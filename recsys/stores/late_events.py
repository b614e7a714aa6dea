"""Which differences between served and recomputed rows are events that arrived after the row was served.

A row with event timestamp t is recomputed from every event up to t. An event of before t that arrived after
the row was served is among them, though no online store could have known it: that is lateness, not skew.
`sequence` tells the order of arrival, so each such difference can be put to the test: taking away the last
arrivals of the entity, one after the other, must give exactly the served row.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.config import HomePaths
from recsys.dataset.interactions import IntArray
from recsys.features.event_log import EVENT_COLUMNS_READ, read_log
from recsys.features.item_content import category_keys
from recsys.features.item_engagement import item_engagement
from recsys.features.skew import ServedRow, Values, differing
from recsys.features.user_activity import user_activity
from recsys.features.user_history import user_history_blocks
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.dataset_files import load_items
from recsys.stores.event_lake import EventLake

ROWS = 100  # looked into; where more differ, lateness is not what is wrong
ARRIVALS = 20  # taken away at most
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
    for fewer in _without_last_arrivals(row, known):
        if not differing(row.values, _row_at(row, fewer, items)):
            return True
    return False


def _events_of(paths: HomePaths, rows: Sequence[ServedRow]) -> pa.Table:
    """The events of the rows' users and items, from the imported and the live lake."""
    of_view = {
        entity: {row.entity_id for row in rows if _entity(row) == entity} for entity in _entities(rows)
    }
    parts = []
    for root in (paths.lake, paths.live):
        events = EventLake(root).read(columns=EVENT_COLUMNS_READ)
        masks = [pc.is_in(events[name], value_set=pa.array(sorted(ids))) for name, ids in of_view.items()]
        mask = masks[0] if len(masks) == 1 else pc.or_kleene(masks[0], masks[1])
        parts.append(events.filter(mask))
    return pa.concat_tables(parts)


def _known_to(row: ServedRow, events: pa.Table) -> pa.Table:
    """The events of the row's entity up to its event timestamp."""
    same = pc.equal(events[_entity(row)], row.entity_id)
    early = pc.less_equal(events[columns.AT].cast(pa.int64()), row.event_at or 0)
    return events.filter(pc.and_kleene(same, early))


def _without_last_arrivals(row: ServedRow, events: pa.Table) -> Iterator[pa.Table]:
    """`events` without the last arrival, without the last two, and so on.

    What arrived up to the first event at the row's own instant was there when the row was written: it stays.
    A row of a midnight has no event of its own; then any of the last arrivals may be the late one.
    """
    sequence: IntArray = events[columns.SEQUENCE].to_numpy()
    own = sequence[events[columns.AT].cast(pa.int64()).to_numpy() == row.event_at]
    first = int(own.min()) if len(own) else -1
    arrivals = np.sort(sequence[sequence > first])[::-1][:ARRIVALS]
    for arrival in arrivals:
        yield events.filter(pa.array(sequence < arrival))


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
