"""Recommendation and search share one state of the catalog, and so what users searched for goes with it."""

from datetime import UTC, datetime

import numpy as np

from recsys.catalog import Item
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.models.bundle_update import ItemChange
from recsys.search.storefront import Storefront
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, regulars, shop_bundle
from tests.search.small_shop import FakeVectors, searcher_of

OLIVE = tuple(float(place == 11) for place in range(12))  # like toast, of the shop's items
FIG = tuple(float(place in (3, 5)) for place in range(12))
SETTINGS = ServingSettings(diversity=0.0, searched_weight=1.0)


def storefront() -> Storefront:
    """The corner shop, where somebody searched for a fig and an olive."""
    features = regulars()
    features.searches = {"new": [("fig", NOW), ("olive", NOW)]}
    recommender = Recommender(shop_bundle(), features, SETTINGS)
    return Storefront.of(
        recommender, searcher_of(recommender, vectors=FakeVectors({"fig": FIG, "olive": OLIVE}, width=12))
    )


def sources(shop: Storefront) -> dict[str, str]:
    slate = shop.recommender.recommend(RecommendRequest("r1", "new", k=20), NOW)
    return {item.item_id: item.source for item in slate.items}


def change(item_id: str, vector: tuple[float, ...]) -> ItemChange:
    item = Item(
        item_id, at=datetime(2024, 6, 1, tzinfo=UTC), title=item_id, text=item_id, price_micros=1_000_000
    )
    return ItemChange(item, np.array(vector, np.float32) / np.linalg.norm(vector).astype(np.float32))


def test_a_new_item_near_an_earlier_search_is_recommended_for_it() -> None:
    shop = storefront()
    assert sources(shop)["toast"] == "searched"
    assert "fig" not in sources(shop)
    changed = shop.with_changes([change("fig", FIG)], 1)
    assert (sources(changed)["fig"], sources(changed)["toast"]) == ("searched", "searched")
    assert "fig" not in sources(shop)  # the one before stays as it is


def test_another_popularity_and_the_searcher_keep_what_searches_move() -> None:
    shop = storefront()
    other = shop.with_popularity(shop.recommender.catalog.popularity)
    assert sources(other) == sources(shop)
    assert other.searcher().recommender is other.recommender
    assert shop.searcher().recommender is shop.recommender


def test_without_search_or_its_encoder_recommendation_goes_on_alone() -> None:
    recommender = storefront().recommender.with_meanings(None)
    alone = Storefront.of(recommender, None)
    assert alone.search is None
    assert "searched" not in sources(alone).values()
