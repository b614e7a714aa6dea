"""A second import reaches the online store by the documented commands."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.ingest.imported import ShopFiles
from recsys.ingest.mapping.files import mapping_sha256, parse_mapping
from recsys.instants import utc_now
from recsys.jobs.data.features import build_feature_rows
from recsys.jobs.data.import_shop import run_import
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.lake.dataset_files import load_items
from recsys.stores.redis import server as redis_server
from recsys.stores.shop_identity import shop_id
from tests.applied_features import apply_features

ROOT = Path(__file__).parents[3]
MAPPING = """
name = "corner"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "orders.csv"
user = "who"
item = "what"
kind = "purchase"
time = "when"
value = "paid"
[items]
files = "stock.csv"
id = "sku"
title = "name"
price = "price"
[[items.unavailable]]
column = "left"
at_most = 0
"""
START = utc_now().replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=20)


def orders(*rows: tuple[str, str, int, int]) -> str:
    """Purchases as (user, item, days after START, price)."""
    lines = [
        f"{who},{what},{(START + timedelta(days=day)).isoformat()},{paid}" for who, what, day, paid in rows
    ]
    return "\n".join(["who,what,when,paid", *lines]) + "\n"


# ann's second order was a mistake of the shop's, and so was everything that cyd did.
ORDERS = orders(("ann", "tea", 0, 2), ("ann", "tea", 9, 2), ("bob", "cup", 1, 5), ("cyd", "pot", 12, 9))
CORRECTED = orders(("ann", "tea", 0, 2), ("bob", "cup", 1, 6), ("dan", "jar", 1, 7))
STOCK = "sku,name,price,left\ntea,Tea,2,9\ncup,Cup,5,9\npot,Pot,9,9\nold,Old,1,9\n"
CHANGED = "sku,name,price,left\ntea,Tea,3,9\ncup,Cup,5,0\npot,Pot,9,9\njar,Jar,7,9\n"

pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)


@dataclass(frozen=True)
class Shop:
    """A home with its server, and the instant between its two imports."""

    settings: Settings
    between: datetime
    then: pd.DataFrame


def import_and_materialize(settings: Settings, folder: Path, events: str, stock: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "orders.csv").write_text(events)
    (folder / "stock.csv").write_text(stock)
    shop = ShopFiles(parse_mapping(MAPPING, "m.toml"), mapping_sha256(MAPPING), folder)
    run_import(settings.paths, shop, MAPPING, utc_now())
    build_feature_rows(settings, with_text=False)
    OfflineFeatures(settings).materialize(utc_now())


def content_at(settings: Settings, at: datetime) -> pd.DataFrame:
    rows = pd.DataFrame({columns.ITEM_ID: ["tea", "cup", "pot", "old"], columns.AT: [at] * 4})
    rows[columns.AT] = rows[columns.AT].astype("datetime64[us, UTC]")
    return OfflineFeatures(settings).training_set(rows, columns.CATALOG_SERVICE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("second")
    given = {"RECSYS_HOME": str(folder / "home"), "RECSYS_SERVING__FEATURE_TIMEOUT_SECONDS": "30"}
    settings, before = load_settings(given, start=ROOT), dict(os.environ)
    os.environ.update(given)
    redis_server.start_server(settings)
    apply_features(settings)
    try:
        import_and_materialize(settings, folder / "files", ORDERS, STOCK)
        between = utc_now()
        then = content_at(settings, between)
        import_and_materialize(settings, folder / "files", CORRECTED, CHANGED)
        yield Shop(settings, between, then)
    finally:
        redis_server.stop_server(settings)
        os.environ.clear()
        os.environ.update(before)


def read(settings: Settings, user: str, *items: str) -> tuple[Any, Any]:
    return FeatureReader.open(settings, columns.RANKING_SERVICE).read(user, list(items))


def test_prices_stock_and_new_items_are_served(shop: Shop) -> None:
    _, items = read(shop.settings, "ann", "tea", "cup", "jar")
    assert items.columns[columns.PRICE_MICROS].tolist() == [3_000_000, 5_000_000, 7_000_000]
    assert items.columns[columns.AVAILABLE].tolist() == [True, False, True]


def test_an_item_that_is_gone_cannot_be_bought(shop: Shop) -> None:
    _, items = read(shop.settings, "ann", "old")
    assert items.columns[columns.AVAILABLE].tolist() == [False]
    assert load_items(shop.settings.paths)[columns.ITEM_ID].to_pylist() == ["cup", "jar", "pot", "tea"]


def test_corrected_and_new_users_are_served(shop: Shop) -> None:
    reader = FeatureReader.open(shop.settings, columns.RANKING_SERVICE)
    paid = [reader.read_user(user).columns[columns.AVERAGE_PRICE].tolist() for user in ("bob", "dan")]
    assert paid == [[6_000_000], [7_000_000]]


def test_what_the_second_import_took_back_no_longer_counts(shop: Shop) -> None:
    reader = FeatureReader.open(shop.settings, columns.RANKING_SERVICE)
    ann, cyd = reader.read_user("ann").columns, reader.read_user("cyd").columns
    assert [len(each[columns.HISTORY_ITEMS][0]) for each in (ann, cyd)] == [1, 0]
    first = int(START.timestamp())
    assert ann[columns.LAST_EVENT_AT].tolist() == [first]
    assert (ann["purchase_count_30d"].tolist(), cyd["purchase_count_30d"].tolist()) == ([1], [0])
    _, items = read(shop.settings, "ann", "tea", "pot")
    assert items.columns[columns.ITEM_LAST_EVENT_AT].tolist() == [first, 0]
    assert items.columns["item_purchase_count_30d"].tolist() == [1, 0]


def test_joins_at_instants_before_it_give_what_they_gave(shop: Shop) -> None:
    now = content_at(shop.settings, shop.between)
    names = [columns.PRICE_MICROS, columns.AVAILABLE, columns.TITLE]
    pd.testing.assert_frame_equal(now[names], shop.then[names])
    assert content_at(shop.settings, utc_now())[columns.PRICE_MICROS].tolist()[0] == 3_000_000


def test_a_third_build_of_the_same_keeps_the_rows(shop: Shop) -> None:
    built = shop.settings.paths.feature_rows(columns.USER_HISTORY).stat().st_mtime_ns
    build_feature_rows(shop.settings, with_text=False)
    assert shop.settings.paths.feature_rows(columns.USER_HISTORY).stat().st_mtime_ns == built


def test_a_server_that_has_no_rows_is_filled_from_the_beginning(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = redis_server.redis_url(shop.settings).removesuffix("/0") + "/1"
    monkeypatch.setenv("REDIS_URL", address)
    other = load_settings(start=ROOT)
    OfflineFeatures(other).materialize(utc_now())
    _, items = read(other, "ann", "tea", "cup")
    assert items.columns[columns.PRICE_MICROS].tolist() == [3_000_000, 5_000_000]


def test_a_home_that_was_moved_serves_and_builds_nothing(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shop.settings.paths.home, tmp_path / "moved", copy_function=shutil.copyfile)
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "moved"))
    moved = load_settings(start=ROOT)
    assert shop_id(moved) == shop_id(shop.settings)
    assert moved.paths.feature_rows(columns.USER_HISTORY).stat().st_mtime != pytest.approx(
        shop.settings.paths.feature_rows(columns.USER_HISTORY).stat().st_mtime, abs=1e-6
    )
    redis_server.start_server(moved)
    try:
        _, items = read(moved, "ann", "tea")
        assert items.columns[columns.PRICE_MICROS].tolist() == [3_000_000]
        before = content_at(moved, shop.between)[columns.PRICE_MICROS].tolist()
        assert before == shop.then[columns.PRICE_MICROS].tolist()
        times = [moved.paths.feature_rows(view).stat().st_mtime_ns for view in VIEW_SCHEMAS]
        applied = moved.paths.feast_registry.stat().st_mtime_ns
        build_feature_rows(moved, with_text=False)
        assert [moved.paths.feature_rows(view).stat().st_mtime_ns for view in VIEW_SCHEMAS] == times
        assert moved.paths.feast_registry.stat().st_mtime_ns == applied
        OfflineFeatures(moved).materialize(utc_now())
        assert read(moved, "ann", "cup")[1].columns[columns.AVAILABLE].tolist() == [False]
    finally:
        redis_server.stop_server(moved)
