"""The first instant of the small worlds, and a small shop for real."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from recsys import columns
from recsys.config import Settings
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.instants import utc_now
from recsys.jobs.stream.run import drain_stream
from recsys.stores.lake.dataset_files import load_info, save_info
from recsys.stores.redis.shop_claim import connect
from tests.features.worlds import START
from tests.streaming.real_home import USERS, event, imported_events, open_home, send


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with 120 purchases of ann and bob, its server and its applied features; shared by a module."""
    now = utc_now() - timedelta(minutes=1)  # before what the tests send
    events = [
        {
            columns.EVENT_ID: f"old-{number}",
            columns.KIND: "purchase",
            columns.USER_ID: USERS[number % 2],
            columns.ITEM_ID: f"i{number % 7}",
            columns.AT: now - timedelta(days=number),
            columns.SEQUENCE: 200 - number,
            columns.QUANTITY: 1,
            columns.VALUE_MICROS: 3_000_000,
            columns.WEIGHT: 1.0,
        }
        for number in range(120)
    ]
    with open_home(tmp_path_factory.mktemp("home"), imported_events(events)) as settings:
        yield settings


@pytest.fixture
def home(shop: Settings) -> Settings:
    """The shop as it was imported: no worker has run, Redis is empty."""
    connect(shop).flushall()
    built = [shop.paths.feature_rows(view).parent for view in VIEW_SCHEMAS]
    for left in (shop.paths.stream, shop.paths.live, shop.paths.home / "lake" / "items", *built):
        shutil.rmtree(left, ignore_errors=True)
    (shop.paths.features / "built.json").unlink(missing_ok=True)
    info = load_info(shop.paths)
    save_info(shop.paths, info.model_copy(update={"imported_at": info.end}))
    return shop


@pytest.fixture
def working(home: Settings) -> Settings:
    """The shop after a first worker, which brought two events by the stream: one is a new user's first."""
    send(home, event("v1", "ann", "i1"), event("p1", "new", "i9", "purchase"))
    assert drain_stream(home).events == 2
    return home
