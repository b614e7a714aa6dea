"""What the online store holds, beside what a batch computation says of the lake."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recsys import columns
from recsys.catalog import stable_key
from recsys.config import Settings
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import now_micros, to_micros
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.packed.commands import read_rows, row_getter
from recsys.stores.packed.connection import open_client
from recsys.stores.packed.generations import read_generations
from recsys.stores.packed.rows import PackedRows, packed_view
from tests.streaming.real_home import CATEGORIES, USERS
from tests.streaming.worker_world import Rows, differences, rows_at

VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.USER_SEARCHES, columns.ITEM_ENGAGEMENT)


def online_rows(settings: Settings, users: list[str], items: list[str]) -> Rows:
    """The rows of these entities as Redis has them; event timestamps in microseconds."""
    store = open_repository(settings)
    client = open_client(store.config, settings)
    found: Rows = {}
    for name in VIEWS:
        view = read_generations(client, store.project).reading(
            packed_view(store.project, store.get_feature_view(name))
        )
        entities = items if name == columns.ITEM_ENGAGEMENT else users
        rows = PackedRows(view.layout, read_rows(row_getter(client), view.keys_of_texts(entities)))
        features = VIEW_SCHEMAS[name].names[1:-2]
        found[name] = {
            entity: {each: _plain(rows[each][place]) for each in features}
            | {columns.EVENT_TIMESTAMP: int(rows.event_at[place])}
            for place, entity in enumerate(entities)
            if not rows.missing[place]
        }
    client.close()
    return found


def assert_online_equals_batch(settings: Settings, users: Sequence[str] = USERS) -> None:
    """Every row of every user and item is what a batch computation says of the lake now."""
    online = online_rows(settings, [*users], [*CATEGORIES])
    batch = rows_at(open_lake(settings.paths).read(), now_micros(), categories)
    found = differences(online, as_online(batch))
    assert found == [], found[:3]


def as_online(rows: Rows) -> Rows:
    """Batch rows in the same words."""
    return {
        view: {
            entity: {name: _plain(value) for name, value in list(row.items())[1:-1]}
            for entity, row in of_view.items()
        }
        for view, of_view in rows.items()
    }


def categories(item_keys: np.ndarray) -> np.ndarray:
    """The categories of the real home's items."""
    known = {stable_key(item): stable_key(category) for item, category in CATEGORIES.items()}
    return np.array([known.get(key, 0) for key in item_keys.tolist()], np.int64)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | list):
        return [_plain(each) for each in value]
    if hasattr(value, "timestamp"):
        return to_micros(value)
    if isinstance(value, float | np.floating):
        return float(np.float32(value))
    return value.item() if isinstance(value, np.generic) else value
