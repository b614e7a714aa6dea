"""What changed in the catalog reaches the service between requests, whatever else happens meanwhile."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import redis

from recsys.catalog import Item
from recsys.config import Settings
from recsys.dataset.catalog_rows import items_table, users_table
from recsys.errors import StoreUnavailableError
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.home import HomePaths
from recsys.instants import DAY, now_micros, to_micros, utc_now
from recsys.jobs.recommend.live_catalog import LiveCatalog, LiveFeeds
from recsys.models.bundle_update import ItemChange
from recsys.retrieval.popularity import POPULARITY_ORIGIN
from recsys.search.storefront import Storefront
from recsys.stores.catalog.feed import CatalogChanges, CatalogFeed
from recsys.stores.catalog.history import CatalogHistory
from recsys.stores.catalog.popularity_feed import PopularityFeed
from recsys.stores.lake.dataset_files import save_items, save_users
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from recsys.stores.stream.progress import RedisProgress
from recsys.stores.stream.redis_stream import RedisEventStream
from recsys.streaming.catalog_worker import CatalogDeps, CatalogWorker
from serving.live.bundle_watch import BundleWatch
from serving.live.catalog_watch import CatalogWatch
from tests.fake_world import ITEMS, NOW, Clock, regulars, shop_bundle
from tests.serving.conftest import OpenShop, Shop, record


def fruit(item_id: str, **facts: Any) -> ItemChange:
    vector = np.zeros(12, np.float32)
    vector[0] = 1.0
    return ItemChange(Item(item_id, item_id.title(), item_id, "fruit", at=NOW, **facts), vector)


class Feeds:
    """Both feeds in memory: one list of changes a version."""

    def __init__(self) -> None:
        self.published: list[list[ItemChange]] = []
        self.popular: dict[str, float] = {}
        self.away = False
        self.asked = 0

    def changes(self, version: int, encoder: str) -> CatalogChanges:
        self.asked += 1
        if self.away:
            raise StoreUnavailableError("redis", "read what changed in the catalog", 1.0)
        if version >= len(self.published):
            return CatalogChanges(version, ())
        return CatalogChanges(version + 1, tuple(self.published[version]))

    def scores(self, count: int) -> dict[str, float]:
        if self.away:
            raise StoreUnavailableError("redis", "read popularity", 1.0)
        return dict(list(self.popular.items())[:count])


@pytest.fixture
def feeds() -> Feeds:
    return Feeds()


def watching(feeds: Feeds, promoted: list[str]) -> tuple[BundleWatch, LiveCatalog]:
    live = LiveCatalog(feeds.changes, feeds.scores, lambda: NOW)
    settings = Settings().serving

    def load(found: Any) -> Recommender:
        return live.apply_changes(
            Storefront(Recommender(shop_bundle(bundle_id=found.bundle_id), regulars(), settings))
        )

    watch = BundleWatch(lambda: record(promoted[0]), load, Clock())
    watch.check()
    return watch, live


def knows(watch: BundleWatch, item_id: str) -> bool:
    return item_id in watch.recommender().catalog.ids.tolist()


def test_changes_are_swapped_in_and_a_request_in_flight_keeps_what_it_had(feeds: Feeds) -> None:
    watch, live = watching(feeds, ["one"])
    in_flight = watch.recommender()
    feeds.published = [[fruit("pear")], [fruit("plum"), fruit("pear", price_micros=9)]]
    watch.revise(live.apply_changes)
    assert knows(watch, "pear")
    assert knows(watch, "plum")
    assert watch.recommender().version == 2
    assert watch.recommender().item("pear").title == "Pear"
    assert "pear" not in in_flight.catalog.ids.tolist()


def test_without_changes_nothing_is_swapped(feeds: Feeds) -> None:
    watch, live = watching(feeds, ["one"])
    before = watch.current
    watch.revise(live.apply_changes)
    watch.revise(live.apply_popularity)
    assert watch.current is before


def test_a_promoted_bundle_knows_all_changes_before_it_serves(feeds: Feeds) -> None:
    promoted = ["one"]
    watch, _ = watching(feeds, promoted)
    feeds.published = [[fruit("pear")]]
    promoted[0] = "two"
    watch.check()
    assert watch.recommender().bundle.manifest.bundle_id == "two"
    assert knows(watch, "pear")


def test_a_bundle_promoted_while_changes_are_applied_stays(feeds: Feeds) -> None:
    promoted = ["one"]
    watch, live = watching(feeds, promoted)
    feeds.published = [[fruit("pear")]]

    def slow(recommender: Recommender) -> Recommender:
        revised = live.apply_changes(recommender)
        promoted[0] = "two"
        watch.check()
        return revised

    watch.revise(slow)
    assert watch.recommender().bundle.manifest.bundle_id == "two"
    assert knows(watch, "pear")


def test_a_feed_that_is_away_leaves_what_serves_and_is_noted_once(
    feeds: Feeds, caplog: pytest.LogCaptureFixture
) -> None:
    watch, live = watching(feeds, ["one"])
    feeds.away = True
    for _ in range(3):
        watch.revise(live.apply_changes)
        watch.revise(live.apply_popularity)
    assert [entry.levelname for entry in caplog.records] == ["WARNING"]
    feeds.away, feeds.published = False, [[fruit("pear")]]
    watch.revise(live.apply_changes)
    assert knows(watch, "pear")


def test_what_is_popular_now_leads_for_those_nobody_knows(feeds: Feeds) -> None:
    watch, live = watching(feeds, ["one"])
    micros = to_micros(NOW)
    # As many actions as it takes to pass apple's 9, all of them now; an unknown item does no harm.
    score = 10.0 * 2 ** ((micros - POPULARITY_ORIGIN) / DAY / 14)
    feeds.popular = {"toast": score, "nobody knows it": score}
    watch.revise(live.apply_popularity)
    slate = watch.recommender().recommend(RecommendRequest("r", None, k=3), NOW)
    assert [item.item_id for item in slate.items] == ["toast", "apple", "banana"]
    assert slate.items[0].score == pytest.approx(10.0)


def test_a_second_look_at_what_is_popular_changes_nothing_by_itself(feeds: Feeds) -> None:
    """What nobody took since training ages once, from the end of training on, however often one looks."""
    watch, _ = watching(feeds, ["one"])
    live = LiveCatalog(feeds.changes, feeds.scores, lambda: NOW + timedelta(days=14))  # a half-life
    feeds.popular = {"toast": 1.0}
    found = []
    for _ in range(3):
        watch.revise(live.apply_popularity)
        found.append(watch.recommender().item("apple").popularity)
    assert found == pytest.approx([4.5, 4.5, 4.5])


def test_the_thread_looks_by_itself_survives_an_error_and_stops(feeds: Feeds) -> None:
    watch, live = watching(feeds, ["one"])
    asked, broken = feeds.changes, [True]

    def changes(version: int, encoder: str) -> CatalogChanges:
        if broken[0]:
            broken[0] = False
            raise RuntimeError("once")
        return asked(version, encoder)

    live._changes = changes
    catalog = CatalogWatch(live)
    catalog.start(watch, 0.005, 0.005)
    feeds.published = [[fruit("pear")]]
    assert within(60, lambda: knows(watch, "pear"))
    catalog.stop()
    feeds.published.append([fruit("plum")])
    time.sleep(0.03)
    assert not knows(watch, "plum")


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Silent:
    """Online rows that nobody reads here, and vectors that point where fruit is."""

    encoder = "none"

    def write(self, tables: Mapping[str, pa.Table]) -> None: ...

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        return np.tile(np.eye(1, 12, dtype=np.float32), (len(texts), 1))


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Settings]:
    """A home with a server of its own and the corner shop imported."""
    settings = Settings(home=tmp_path / "home")
    save_items(settings.paths, items_table(Item(name, name.title(), name, at=NOW) for name in sorted(ITEMS)))
    save_users(settings.paths, users_table([]))
    redis_server.start_server(settings)
    yield settings
    redis_server.stop_server(settings)


def catalog_worker(paths: HomePaths, client: redis.Redis, stream: RedisEventStream) -> CatalogWorker:
    silent = Silent()
    deps = CatalogDeps(
        stream, CatalogHistory(paths), silent, CatalogFeed(client), silent, RedisProgress(client)
    )
    return CatalogWorker(deps, now_micros)


def test_an_upsert_is_recommended_after_three_looks_at_most(server: Settings, open_shop: OpenShop) -> None:
    """Stream, worker, log, feed and server are real; the answers come through the HTTP application.

    Looks are a second apart, so that three are three seconds, however busy the machine is with other things.
    """
    shop: Shop = open_shop()
    client = open_url(redis_server.redis_url(server))
    stream, stop = RedisEventStream(client, 2), Event()
    worker = Thread(target=catalog_worker(server.paths, client, stream).run, args=(stop,), daemon=True)
    worker.start()
    feeds, looks = LiveFeeds(server), []

    def changes(version: int, encoder: str) -> CatalogChanges:
        found = feeds.changes(version, encoder)
        looks.append(found.version > version)
        return found

    live = CatalogWatch(LiveCatalog(changes, feeds.scores))
    live.start(shop.deployment.bundles, server.serving.live_seconds, 0.1)
    try:
        row = {
            "kind": "item_upsert",
            "item_id": "pear",
            "title": "Pear",
            "category": "fruit",
            "event_id": "e1",
        }
        row["at"] = utc_now().isoformat()
        stream.append([(2, json.dumps(row).encode())], now_micros())
        assert within(60, lambda: "pear" in recommended(shop))
        assert server.serving.live_seconds * (looks.index(True) + 1) <= 3
        assert shop.client.get("/v1/items/pear").json()["title"] == "Pear"
        assert shop.client.post("/v1/similar", json={"item_id": "pear"}).status_code == 200
        age = (now_micros() - POPULARITY_ORIGIN) / DAY
        PopularityFeed(client).update({"pear": 1000 * 2 ** (age / 28)})
        assert within(60, lambda: recommended(shop, None)[0] == "pear")
    finally:
        stop.set()
        worker.join(60)
        live.stop()
        feeds.close()


def recommended(shop: Shop, user_id: str | None = "ann") -> list[str]:
    return [item["item_id"] for item in shop.recommend(user_id=user_id, k=10).json()["items"]]
