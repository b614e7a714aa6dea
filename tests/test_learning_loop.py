"""A shop goes on learning: live events, incremental training, a fair comparison, and the way back to refuse.

Every step is the command that a schedule runs, in a process of its own, on the shop of the closed loop.
"""

import json
import random
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from recsys import columns
from recsys.config import Settings
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.instants import utc_now
from recsys.stores.lake.event_lake import EventLake
from tests.test_closed_loop import ITEMS, MAPPING, USERS, Shop, write_shop

pytestmark = pytest.mark.slow

RESPONSES = 120


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(folder)
    write_shop(shop.source)
    (folder / "shop.toml").write_text(MAPPING, "utf-8")
    shop.type(f"recsys data import --mapping {folder / 'shop.toml'} --source {shop.source}")
    shop.type("recsys train --protocol time-split")
    return shop


def live_events(now: datetime) -> pa.Table:
    """Responses of the last two weeks, six items each; most shoppers click the first of their taste."""
    rng = random.Random(0)
    rows: list[dict[str, Any]] = []

    def add(kind: str, user: int, item: int, at: datetime, request: str | None, place: int | None) -> None:
        bought = kind == columns.PURCHASE
        row = {
            columns.EVENT_ID: f"live-{len(rows)}",
            columns.KIND: kind,
            columns.USER_ID: f"u{user}",
            columns.ITEM_ID: f"i{item}",
            columns.AT: at,
            columns.SEQUENCE: 10**9 + len(rows),
            columns.REQUEST_ID: request,
            columns.POSITION: place,
            columns.WEIGHT: 1.0,
            columns.QUANTITY: 1000 if bought else None,
            columns.VALUE_MICROS: 2_000_000 if bought else None,
        }
        rows.append(row)

    for number in range(RESPONSES):
        user, at = rng.randrange(USERS), now - timedelta(days=rng.uniform(0, 14))
        shown = rng.sample(range(ITEMS), 6)
        own = [item for item in shown if (item >= ITEMS // 2) == (user % 2 == 1)]
        for place, item in enumerate(shown, 1):
            add(columns.IMPRESSION, user, item, at, f"r{number}", place)
        if own and rng.random() < 0.8:
            add(columns.CLICK, user, own[0], at + timedelta(seconds=9), f"r{number}", None)
            add(columns.PURCHASE, user, own[0], at + timedelta(seconds=60), None, None)
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


def test_a_shop_learns_from_what_it_showed_and_judges_the_result(shop: Shop) -> None:
    lake = EventLake(Settings(home=shop.home).paths.live)
    events = live_events(utc_now())
    for start in range(0, len(events), 300):
        lake.append(events.slice(start, 300))
    imported, live = json.loads(shop.type("recsys data compact --json"))
    assert (imported["merged"], live["days"]) == (0, live["files"])

    first = json.loads(shop.type("recsys models list --json"))[0]
    trained = json.loads(shop.type("recsys train --incremental --json"))
    assert (trained["parent"], trained["stage"]) == (first["bundle_id"], "candidate")

    verdict = json.loads(shop.type("recsys models promote-if-better --epsilon 1 --json"))
    assert (verdict["candidate_id"], verdict["production_id"]) == (trained["bundle"], first["bundle_id"])
    assert verdict["promoted"]
    assert 0 < verdict["cases"] <= USERS
    assert verdict["low"] <= verdict["difference"] <= verdict["high"]

    refused = shop.type("recsys train --incremental 2>&1 || true")
    assert "nothing new to learn" in refused
    refused = shop.type("recsys train --incremental --protocol leave-one-out 2>&1 || true")
    assert "cannot be trained incrementally" in refused
