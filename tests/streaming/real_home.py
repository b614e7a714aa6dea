"""A small shop in a home of its own, with the real Feast registry, Valkey, lake and state."""

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.schemas import EVENT_SCHEMA, ITEM_SCHEMA, USER_SCHEMA
from recsys.home import HomePaths
from recsys.instants import now_micros, utc_now
from recsys.stores.lake.dataset_files import MAPPING_FILE, save_info, save_items, save_text, save_users
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.redis import server as redis_server
from recsys.stores.stream.open import open_stream
from recsys.streaming.stream import partition_of
from tests.applied_features import apply_features

ROOT = Path(__file__).parents[2]
MAPPING = """
name = "stream"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "orders.csv"
user = "user"
item = "item"
kind = "purchase"
time = { column = "at" }

[items]
files = "items.csv"
id = "item"
title = "title"
"""
USERS = ["ann", "bob", "new"]
CATEGORIES = {f"i{number}": ("tea", "tools", "books")[number % 3] for number in range(40)}


def write_shop(paths: HomePaths, events: pa.Table) -> None:
    """What an import leaves: items, users, facts, mapping, and the imported events."""
    now = utc_now()
    items = [
        {
            columns.ITEM_ID: item,
            columns.TITLE: f"Thing {item}",
            columns.TEXT: f"Thing {item}. {category}",
            columns.CATEGORY: category,
            columns.PRICE_MICROS: 2_000_000,
            columns.AVAILABLE: True,
            columns.ATTRIBUTES: "{}",
            columns.AT: now - timedelta(days=400),
        }
        for item, category in CATEGORIES.items()
    ]
    save_items(paths, pa.Table.from_pylist(items, schema=ITEM_SCHEMA))
    save_users(paths, USER_SCHEMA.empty_table())
    save_text(paths.data / MAPPING_FILE, MAPPING)
    EventLake(paths.lake).append(events)
    info: dict[str, Any] = {"name": "stream", "clock": "time", "repeats": True, "label_kinds": ("purchase",)}
    info |= {"events": len(events), "users": 0, "items": len(items), "start": now, "end": now}
    save_info(paths, DatasetInfo(**info, imported_at=now, mapping_sha256="0" * 64))


def imported_events(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


@contextlib.contextmanager
def open_home(folder: Path, events: pa.Table, **environment: str) -> Iterator[Settings]:
    """Settings of a home with a running server; the feature repository is applied to it."""
    # A busy machine is no fault of the store.
    patient = {"RECSYS_SERVING__FEATURE_TIMEOUT_SECONDS": "30"}
    given = {"RECSYS_HOME": str(folder), **patient, **environment}
    settings = load_settings(given, start=ROOT)
    write_shop(settings.paths, events)
    before = dict(os.environ)
    os.environ.update(given)  # Feast's stores look there
    redis_server.start_server(settings)
    try:
        apply_features(settings)
        yield settings
    finally:
        redis_server.stop_server(settings)
        os.environ.clear()
        os.environ.update(before)


def send(settings: Settings, *events: dict[str, Any]) -> None:
    """Appends events to the stream, each to its user's partition."""
    stream = open_stream(settings)
    rows = [(partition_of(each["user_id"], stream.partitions), json.dumps(each).encode()) for each in events]
    stream.append(rows, now_micros())
    stream.close()


def search(name: str, user: str, query: str, ago: float = 5.0, **more: Any) -> dict[str, Any]:
    """One search that happened `ago` seconds before now."""
    at = utc_now() - timedelta(seconds=ago)
    row = {"kind": "search", "event_id": name, "user_id": user, "query": query, "at": at.isoformat()}
    return row | more


def event(name: str, user: str, item: str, kind: str = "view", ago: float = 5.0) -> dict[str, Any]:
    """One event that happened `ago` seconds before now."""
    at = utc_now() - timedelta(seconds=ago)
    return {"kind": kind, "event_id": name, "user_id": user, "item_id": item, "at": at.isoformat()}
