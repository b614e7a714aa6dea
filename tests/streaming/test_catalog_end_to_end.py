"""Upserts through the command, the real encoder, Feast's registry, Valkey and the log of one home."""

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from recsys import columns
from recsys.config import Settings
from recsys.instants import now_micros, utc_now
from recsys.jobs.stream.run import drain_stream
from recsys.stores.catalog.feed import CatalogFeed
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.lake.dataset_files import load_items, load_users
from recsys.stores.redis.shop_claim import connect
from recsys.stores.stream.open import open_progress, open_stream
from tests.streaming.real_home import imported_events, open_home

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with open_home(tmp_path_factory.mktemp("home"), imported_events([])) as settings:
        yield settings


def send(settings: Settings, **fields: Any) -> int:
    """Puts an upsert into the catalog's partition; returns its offset."""
    row = {"event_id": f"e{time.time_ns()}", "at": utc_now().isoformat(), **fields}
    stream = open_stream(settings)
    (offset,) = stream.append([(stream.partitions, json.dumps(row).encode())], now_micros())
    stream.close()
    return offset


def test_upserts_reach_the_log_the_online_store_and_the_feed(home: Settings) -> None:
    send(home, kind="item_upsert", item_id="i1", price_micros=9_000_000, available=False)
    send(
        home,
        kind="item_upsert",
        item_id="chai",
        title="Masala chai",
        category="tea",
        vectors={"image": [3, 4]},
    )
    send(home, kind="item_upsert", item_id="nameless")
    last = send(home, kind="user_upsert", user_id="ann", attributes={"city": "Rome"})
    drain_stream(home)

    items = {row[columns.ITEM_ID]: row for row in load_items(home.paths).to_pylist()}
    assert (items["i1"][columns.PRICE_MICROS], items["i1"][columns.AVAILABLE]) == (9_000_000, False)
    assert items["chai"][columns.TEXT] == "Masala chai"
    assert [row["attributes"] for row in load_users(home.paths).to_pylist()] == ['{"city":"Rome"}']

    online = FeatureReader.open(home, columns.CATALOG_SERVICE).read_items(["i1", "chai"])
    assert online.columns[columns.PRICE_MICROS].tolist() == [9_000_000, 0]
    assert online.columns[columns.TITLE].tolist() == ["Thing i1", "Masala chai"]
    assert online.missing[columns.ITEM_TEXT].tolist() == [True, False], "only a changed text is encoded"

    found = CatalogFeed(connect(home)).since(0, home.text.encoder)
    told = {change.item.item_id: change for change in found.items}
    assert set(told) == {"i1", "chai"}
    assert told["i1"].text_vector is None
    assert told["chai"].item.vectors == {"image": (3.0, 4.0)}
    assert items["chai"][columns.VECTORS] == [("image", [3.0, 4.0])]
    vector = told["chai"].text_vector
    assert vector is not None
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    assert vector.tolist() == pytest.approx(online.columns[columns.TEXT_VECTOR][1].tolist())

    stream = open_stream(home)
    assert [dead_letter.reason for dead_letter in stream.dead_letters()] == [
        "item 'nameless' is new and needs a title. Send the whole item first, then its changes."
    ]
    assert stream.status()[-1].lag == 0
    assert open_progress(home).reached([stream.partitions]) == {stream.partitions: last}
    stream.close()
