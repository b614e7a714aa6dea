"""Rows of the shop's own feature views, as large as real ones."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from online.random_shop import item_id, user_id
from recsys import columns
from recsys.catalog import stable_key
from recsys.features.view_schemas import INSTANT, VIEW_SCHEMAS, view_table

HISTORY = 50  # actions of a user
_SPAN = 90 * 86_400  # seconds of a history
_TEXT = "grocery. frozen meals. frozen premium entrees and dinners"  # of usual length


def user_rows(users: int, at: datetime, items: int = 5000, history: int = HISTORY) -> dict[str, pa.Table]:
    """The rows of `user_activity` and `user_history` by view, stamped `at`; histories of `history` actions.

    Items and instants are drawn alike: no shop's histories take more bytes.
    """
    rng = np.random.default_rng(0)
    keys = np.array([stable_key(item_id(number)) for number in range(items)], np.int64)
    seconds = int(at.timestamp()) - np.sort(rng.integers(0, _SPAN, (users, history)), axis=1)[:, ::-1]
    kinds = [columns.KIND_CODES[kind] for kind in columns.ACTION_KINDS]
    shares = np.sort(rng.dirichlet(np.ones(columns.TOP_CATEGORY_COUNT), users), axis=1)[:, ::-1]
    given: dict[str, Any] = {
        columns.USER_ID: [user_id(number) for number in range(users)],
        columns.HISTORY_ITEMS: list(keys[rng.integers(0, items, (users, history))]),
        columns.HISTORY_KINDS: list(rng.choice(kinds, (users, history))),
        columns.HISTORY_AT: list(seconds),
        columns.TOP_CATEGORIES: list(rng.choice(keys, (users, columns.TOP_CATEGORY_COUNT))),
        columns.TOP_CATEGORY_SHARES: list(shares),
        columns.LAST_EVENT_AT: seconds[:, -1],
    }
    views = (columns.USER_ACTIVITY, columns.USER_HISTORY)
    return {view: _table(view, users, at, given, rng) for view in views}


def item_rows(items: int, at: datetime) -> dict[str, pa.Table]:
    """The rows of `item_engagement` and `item_content` by view, stamped `at`."""
    rng = np.random.default_rng(1)
    names = [item_id(number) for number in range(items)]
    given: dict[str, Any] = {
        columns.ITEM_ID: names,
        columns.ITEM_KEY: [stable_key(name) for name in names],
        columns.TITLE: [f"Frozen premium entree {number}" for number in range(items)],
        columns.TEXT: [_TEXT] * items,
        columns.CATEGORY: ["frozen meals"] * items,
        columns.BRAND: ["National"] * items,
        columns.ATTRIBUTES: ['{"department":"GROCERY","package_size":"11 OZ"}'] * items,
        columns.AVAILABLE: [True] * items,
    }
    views = (columns.ITEM_ENGAGEMENT, columns.ITEM_CONTENT)
    return {view: _table(view, items, at, given, rng) for view in views}


def stamped(rows: dict[str, pa.Table], at: datetime) -> dict[str, pa.Table]:
    """`rows` as they would be at another instant: a newer row is an update."""
    changed = {}
    for view, table in rows.items():
        for name in (columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP):
            place = table.column_names.index(name)
            table = table.set_column(
                place, table.schema.field(name), pa.repeat(pa.scalar(at, INSTANT), len(table))
            )
        changed[view] = table
    return changed


def later(at: datetime, number: int) -> datetime:
    """An instant of its own for each update."""
    return at.astimezone(UTC) + timedelta(milliseconds=number)


def _table(view: str, count: int, at: datetime, given: dict[str, Any], rng: np.random.Generator) -> pa.Table:
    values: dict[str, pa.Array] = {}
    for field in VIEW_SCHEMAS[view]:
        if field.name in given:
            values[field.name] = pa.array(given[field.name], field.type)
        elif field.name in (columns.EVENT_TIMESTAMP, columns.CREATED_TIMESTAMP):
            values[field.name] = pa.repeat(pa.scalar(at, INSTANT), count)
        else:
            values[field.name] = pa.array(rng.integers(0, 100, count)).cast(field.type)
    return view_table(view, values)
