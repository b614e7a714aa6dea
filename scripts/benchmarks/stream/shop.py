"""The random shop with a past and a stream: what a worker needs, and events for it to work on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import numpy as np
import orjson
import pyarrow as pa
from online import random_shop
from online.random_shop import item_id, user_id

from recsys import columns
from recsys.config import Settings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.schemas import EVENT_SCHEMA, INSTANT, ITEM_SCHEMA, conform_table
from recsys.instants import DAY, SECOND, to_micros, utc_now
from recsys.stores.lake.dataset_files import MAPPING_FILE, save_info, save_items, save_text, save_users
from recsys.stores.lake.event_lake import EventLake
from recsys.streaming.stream import EventStream, partition_of

MAPPING = """
name = "random"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "events.jsonl"
user = "user_id"
item = "item_id"
kind = "purchase"
time = "at"
"""
PAST_DAYS = 60
# A shop's funnel, with fewer impressions than most have: they are the cheapest.
MIX = {
    columns.IMPRESSION: 0.4,
    columns.VIEW: 0.25,
    columns.CLICK: 0.2,
    columns.CART: 0.08,
    columns.PURCHASE: 0.05,
    columns.LIKE: 0.02,
}


@contextmanager
def open_stream_shop(settings: Settings, items: int, users: int, past: int) -> Iterator[None]:
    """Opens the shop with `past` events of each user in the lake; its Redis runs as long as the block."""
    now = utc_now()
    names = [item_id(number) for number in range(items)]
    catalog = {
        columns.ITEM_ID: names,
        columns.TITLE: names,
        columns.TEXT: names,
        columns.CATEGORY: [f"category {number % random_shop.CATEGORIES}" for number in range(items)],
        columns.AVAILABLE: [True] * items,
        columns.ATTRIBUTES: ["{}"] * items,
        columns.AT: [now - timedelta(days=PAST_DAYS + 1)] * items,
    }
    start = now - timedelta(days=PAST_DAYS)
    paths = settings.paths
    save_items(paths, conform_table(pa.table(catalog), ITEM_SCHEMA, "items"))
    people = [user_id(number) for number in range(users)]
    save_users(
        paths,
        pa.table({columns.USER_ID: people, columns.ATTRIBUTES: ["{}"] * users, columns.AT: [start] * users}),
    )
    save_text(paths.data / MAPPING_FILE, MAPPING)
    EventLake(paths.lake).append(_past(items, users, past, now))
    save_info(
        paths,
        DatasetInfo(
            name="random",
            clock="time",
            repeats=True,
            label_kinds=("purchase",),
            events=users * past,
            users=users,
            items=items,
            start=start,
            end=now,
            imported_at=now,
            mapping_sha256="0",
        ),
    )
    with random_shop.open_shop(settings, items, users):
        yield


def bodies(count: int, items: int, users: int, seed: int) -> list[tuple[str, bytes]]:
    """User ids and events of now, as the service puts them into the stream."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(list(MIX), count, p=list(MIX.values())).tolist()
    at = utc_now().isoformat()
    found = []
    for kind, user, item in zip(
        kinds, rng.integers(0, users, count).tolist(), rng.integers(0, items, count).tolist(), strict=True
    ):
        row = {
            "kind": kind,
            "event_id": uuid4().hex,
            "at": at,
            "user_id": user_id(user),
            "item_id": item_id(item),
            "request_id": "0a1b2c3d4e5f6071",
            "position": 1 + item % 10,
        }
        if kind in (columns.CART, columns.PURCHASE):
            row |= {"quantity": 1, "value_micros": 2_500_000}
        found.append((row["user_id"], orjson.dumps(row)))
    return found


def append(stream: EventStream, events: Sequence[tuple[str, bytes]], accepted_at: int) -> dict[int, int]:
    """Puts events into their partitions; returns the last offset of each that got any."""
    last: dict[int, int] = {}
    for first in range(0, len(events), 1000):
        rows = [(partition_of(user, stream.partitions), body) for user, body in events[first : first + 1000]]
        offsets = stream.append(rows, accepted_at)
        last.update(zip((partition for partition, _ in rows), offsets, strict=True))
    return last


def _past(items: int, users: int, past: int, now: datetime) -> pa.Table:
    rng = np.random.default_rng(0)
    count = users * past
    end = to_micros(now)
    at = np.sort(rng.integers(end - PAST_DAYS * DAY, end - 60 * SECOND, count))
    people = np.array([user_id(number) for number in range(users)])
    names = np.array([item_id(number) for number in range(items)])
    events = {
        columns.EVENT_ID: [f"past-{number}" for number in range(count)],
        columns.KIND: rng.choice([columns.VIEW, columns.CLICK, columns.PURCHASE], count),
        columns.USER_ID: people[rng.integers(0, users, count)],
        columns.ITEM_ID: names[rng.integers(0, items, count)],
        columns.AT: pa.array(at).cast(INSTANT),
        columns.SEQUENCE: np.arange(count),
        columns.WEIGHT: np.ones(count, np.float32),
    }
    return conform_table(pa.table(events), EVENT_SCHEMA, "events")
