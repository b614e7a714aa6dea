"""Requests while the catalog changes: each sees one version, whole, and nothing of the next."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import numpy as np

from recsys.catalog import Item
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.models.bundle_update import ItemChange
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, regulars, shop_bundle

STEPS = 60


def fruit(number: int) -> ItemChange:
    """A new item, or one that was new before, with a price that says which step wrote it."""
    vector = np.zeros(12, np.float32)
    vector[number % 3] = 1
    name = f"fruit-{number % 40}"
    at = datetime(2024, 6, 1, tzinfo=UTC)
    return ItemChange(Item(name, name, name, "fruit", price_micros=(number + 1) * 1_000_000, at=at), vector)


def facts(recommender: Recommender) -> list[tuple[str, int]]:
    """Id and price of every item, as the catalog has them."""
    items = recommender.catalog.items
    return list(zip(items.vocabulary.ids, items.price_micros.tolist(), strict=True))


def test_a_request_sees_one_version_of_the_catalog_while_the_next_ones_are_made() -> None:
    current = [Recommender(shop_bundle(), regulars(), ServingSettings(diversity=0.0))]
    done = Event()

    def read() -> int:
        rounds = 0
        while not done.is_set() or not rounds:
            recommender = current[0]  # taken once, as a request does
            before = facts(recommender)
            slate = recommender.recommend(RecommendRequest("r", "ann", k=20), NOW)
            known = {item_id for item_id, _ in before}
            assert {item.item_id for item in slate.items} <= known
            sizes = {len(array) for array in recommender.bundle.arrays().values()}
            assert sizes == {len(before), len(recommender.catalog)} == {len(recommender.catalog.ids)}
            assert facts(recommender) == before
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as readers:
        found = [readers.submit(read) for _ in range(3)]
        wanted = dict(facts(current[0]))
        for number in range(STEPS):
            change = fruit(number)
            current[0] = current[0].with_changes([change], number + 1)
            wanted[change.item.item_id] = (number + 1) * 1_000_000
        done.set()
        assert all(each.result() for each in found)
    assert dict(facts(current[0])) == wanted
