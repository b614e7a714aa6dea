"""Feature rows at random, with everything that makes point-in-time joins go wrong, and questions to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.features.build import write_rows

START = datetime(2025, 3, 1, tzinfo=UTC)
TTL = timedelta(hours=30)
ENTITIES = {columns.USER_ID: [f"u{n}" for n in range(6)], columns.ITEM_ID: [f"i{n}" for n in range(8)]}
HOURS = 24 * 8  # instants are whole hours of eight days: many coincide, many lie exactly a TTL apart


def hours(count: np.ndarray) -> list[datetime]:
    return [START + timedelta(hours=int(hour)) for hour in count]


def random_rows(view: str, rng: np.random.Generator, rows: int) -> pa.Table:
    """`rows` rows of `view` in no order; those of one entity and instant differ in `created`."""
    schema = VIEW_SCHEMAS[view]
    entity = schema.names[0]
    place = rng.choice(len(ENTITIES[entity]) * HOURS // 2, rows)  # collisions on purpose
    at = hours(place % (HOURS // 2) * 2)
    created = [
        instant + timedelta(days=9, microseconds=int(late))
        for instant, late in zip(at, rng.permutation(rows), strict=True)
    ]
    values: dict[str, Any] = {
        entity: [ENTITIES[entity][number] for number in place // (HOURS // 2)],
        columns.EVENT_TIMESTAMP: at,
        columns.CREATED_TIMESTAMP: created,
    }
    lengths = rng.integers(0, 5, rows).tolist()  # of a row's lists, which belong together
    for field in schema:
        if field.name not in values:
            values[field.name] = [random_value(field.type, rng, length) for length in lengths]
    return pa.table(values, schema=schema)


def random_value(kind: pa.DataType, rng: np.random.Generator, length: int) -> Any:
    """A value of `kind`; 64-bit integers are large enough to break as floats."""
    if pa.types.is_list(kind):
        return [random_value(kind.value_type, rng, 0) for _ in range(length)]
    if pa.types.is_boolean(kind):
        return bool(rng.integers(0, 2))
    if pa.types.is_string(kind):
        return f"text {rng.integers(0, 1000)}"
    if pa.types.is_floating(kind):
        return float(np.float32(rng.random()))
    return int(rng.integers(1, 2**31 if kind == pa.int32() else 2**62))


def write_world(paths: Any, seed: int, rows: int = 300) -> dict[str, pa.Table]:
    """Writes random rows of every view; returns them."""
    rng = np.random.default_rng(seed)
    world = {view: random_rows(view, rng, rows) for view in VIEW_SCHEMAS}
    for view, table in world.items():
        write_rows(paths, view, table)
    return world


def questions(seed: int, rows: int) -> pd.DataFrame:
    """Rows to ask for: ties with feature rows, before and after all of them, strangers, and duplicates."""
    rng = np.random.default_rng(seed)
    distinct = rows * 2 // 3
    frame = pd.DataFrame(
        {
            columns.USER_ID: rng.choice([*ENTITIES[columns.USER_ID], "a stranger"], distinct),
            columns.ITEM_ID: rng.choice([*ENTITIES[columns.ITEM_ID], "unknown"], distinct),
            columns.AT: pd.DatetimeIndex(hours(rng.integers(-5, HOURS + 60, distinct))).as_unit("us"),
            "label": rng.integers(0, 2, distinct),
        }
    )
    # A quarter lies a microsecond beside the whole hour: just after a row, just before a time to live ends.
    nudge = rng.choice([-1, 0, 0, 1], distinct)
    frame[columns.AT] += pd.to_timedelta(nudge, unit="us")
    return frame.iloc[rng.integers(0, distinct, rows)]  # repeats rows and index labels
