"""The feeds on a real server: what changed since a version, and what is popular now."""

from datetime import UTC, datetime

import numpy as np
import pytest
import redis

from recsys.catalog import Item
from recsys.errors import StoreUnavailableError
from recsys.models.bundle_update import ItemChange
from recsys.stores.catalog import feed as catalog_feed
from recsys.stores.catalog.feed import CatalogFeed
from recsys.stores.catalog.popularity_feed import PopularityFeed
from recsys.stores.redis.client import open_url

NOW = datetime(2025, 6, 1, 12, 30, 0, 123456, tzinfo=UTC)
TEA = Item(
    "tea", "Thé vert", "Green tea", "drinks", None, 2_000_000, False, {"size": 5.0, "in": ("tin",)}, NOW
)
VECTOR = np.array([0.6, -0.8], np.float32)


def item(name: str) -> ItemChange:
    return ItemChange(Item(name, name, name, at=NOW))


def ids(changes: catalog_feed.CatalogChanges) -> list[str]:
    return [change.item.item_id for change in changes.items]


def test_an_item_comes_back_as_it_was_with_its_vector(redis_client: redis.Redis) -> None:
    feed = CatalogFeed(redis_client)
    feed.publish([ItemChange(TEA, VECTOR)], 1_750_000_000_000_000, "minilm")
    found = feed.since(0, "minilm")
    assert found.version == 1_750_000_000_000_000
    assert found.items[0].item == TEA
    assert found.items[0].text_vector.tolist() == VECTOR.tolist()


def test_product_path_and_first_instant_come_back_and_an_older_worker_may_leave_them_out(
    redis_client: redis.Redis,
) -> None:
    placed = Item("pot", "Pot", "Pot", product_id="p", category_path="Home/Pots", first_at=NOW, at=NOW)
    feed = CatalogFeed(redis_client)
    feed.publish([ItemChange(placed), item("plain")], 1, "minilm")
    assert [change.item for change in feed.since(0, "minilm").items] == [item("plain").item, placed]
    assert b"product_id" not in redis_client.hget(catalog_feed.ROWS, "plain")


def test_only_what_came_after_a_version_is_told_and_each_item_once(redis_client: redis.Redis) -> None:
    feed = CatalogFeed(redis_client)
    feed.publish([item("a"), item("b")], 10, "minilm")
    feed.publish([item("b"), item("c")], 11, "minilm")
    assert ids(feed.since(0, "minilm")) == ["a", "b", "c"]
    assert ids(feed.since(10, "minilm")) == ["b", "c"]
    assert feed.since(11, "minilm") == catalog_feed.CatalogChanges(11, ())


def test_a_vector_stays_when_only_the_price_changes(redis_client: redis.Redis) -> None:
    feed = CatalogFeed(redis_client)
    feed.publish([ItemChange(TEA, VECTOR)], 1, "minilm")
    feed.publish([ItemChange(TEA)], 2, "minilm")
    assert feed.since(1, "minilm").items[0].text_vector.tolist() == VECTOR.tolist()


def test_vectors_of_another_encoder_are_not_told(redis_client: redis.Redis) -> None:
    feed = CatalogFeed(redis_client)
    feed.publish([ItemChange(TEA, VECTOR)], 1, "minilm")
    assert feed.since(0, "another").items[0].text_vector is None
    assert (feed.version("minilm"), feed.version("another")) == (1, 0)


def test_many_changes_come_in_parts_and_none_is_missed(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_feed, "READ_AT_ONCE", 3)
    feed = CatalogFeed(redis_client)
    for version in range(1, 5):
        feed.publish([item(f"{version}{place}") for place in range(4)], version, "minilm")
    found, version = [], 0
    while (part := feed.since(version, "minilm")).items:
        found += ids(part)
        version = part.version
    assert found == [f"{version}{place}" for version in range(1, 5) for place in range(4)]


def test_a_cleared_feed_has_nothing(redis_client: redis.Redis) -> None:
    feed = CatalogFeed(redis_client)
    feed.publish([item("a")], 1, "minilm")
    feed.clear()
    assert feed.version("minilm") == 0
    assert feed.since(0, "minilm").items == ()


def test_the_most_popular_come_first_and_a_score_is_replaced(redis_client: redis.Redis) -> None:
    feed = PopularityFeed(redis_client)
    feed.update({"a": 1.5, "b": 2.0**-40, "c": 2.0**300})
    feed.update({"a": 2.5, "é": 0.5})
    assert feed.top(3) == {"c": 2.0**300, "a": 2.5, "é": 0.5}
    feed.clear()
    assert feed.top(3) == {}


def test_a_server_that_is_away_is_told_in_our_words() -> None:
    client = open_url("redis://127.0.0.1:9", timeout=0.2)
    with pytest.raises(StoreUnavailableError, match="recsys status"):
        CatalogFeed(client, 0.2).since(0, "minilm")
    with pytest.raises(StoreUnavailableError, match="recsys status"):
        PopularityFeed(client, 0.2).top(10)
