"""A recommender that learns of changes while it serves: what was right stays, what is new is found."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.catalog import Item
from recsys.errors import RequestError, UnknownItemError
from recsys.filters import Filters
from recsys.funnel.catalog import Catalog
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.models.bundle_update import ItemChange, update_bundle
from recsys.service_settings import ServingSettings
from tests.fake_world import ITEMS, NOW, ShopFeatures, days_ago, regulars, shop_bundle

SERVING = ServingSettings(diversity=0.0)


def pear(
    item_id: str = "pear", category: str = "fruit", text_vector: float = 1.0, **facts: Any
) -> ItemChange:
    """A fruit whose text is like those of the other fruits."""
    vector = np.zeros(12, np.float32)
    vector[0] = text_vector
    values = {
        "title": item_id.title(),
        "text": item_id,
        "category": category,
        "price_micros": 4_000_000,
    } | facts
    return ItemChange(Item(item_id, at=datetime(2024, 6, 1, tzinfo=UTC), **values), vector)


def shop(features: ShopFeatures | None = None, **changes: Any) -> Recommender:
    return Recommender(shop_bundle(**changes), features or regulars(), SERVING)


def ids(recommender: Recommender, user_id: str | None = None, **fields: Any) -> list[str]:
    slate = recommender.recommend(RecommendRequest("r", user_id, **{"k": 20, **fields}), NOW)
    return [item.item_id for item in slate.items]


def test_a_new_item_is_recommended_to_those_it_suits_and_the_rest_keeps_its_scores() -> None:
    before = shop()
    after = before.with_changes([pear()], 1)
    request = RecommendRequest("r", "ann", k=20)
    old = {item.item_id: item.score for item in before.recommend(request, NOW).items}
    new = {item.item_id: item.score for item in after.recommend(request, NOW).items}
    assert "pear" in new
    assert {name: score for name, score in new.items() if name != "pear"} == old
    assert after.version == 1


def test_the_old_recommender_stays_as_it_was() -> None:
    before = shop()
    slates = ids(before, "ann"), ids(before)
    before.with_changes([pear(), pear("apple", category="bakery")], 1)
    assert (ids(before, "ann"), ids(before)) == slates
    with pytest.raises(UnknownItemError):
        before.item("pear")


def test_a_new_item_can_be_asked_for_and_about() -> None:
    live = shop().with_changes([pear(attributes={"organic": "yes"})], 1)
    assert live.item("pear").title == "Pear"
    assert ids(live, context_item_id="pear")[0] in ("apple", "banana", "cherry")
    similar = live.similar(SimilarRequest("s", "pear", k=3), NOW)
    assert {item.item_id for item in similar.items} == {"apple", "banana", "cherry"}
    assert "pear" in [item.item_id for item in live.similar(SimilarRequest("s", "apple", k=3), NOW).items]
    assert ids(live, filters=Filters(attributes={"organic": "yes"})) == ["apple", "pear"]


def test_a_history_of_a_new_item_is_a_history() -> None:
    features = ShopFeatures({"eve": [("pear", "view", days_ago(1))]})
    live = shop(features).with_changes([pear()], 1)
    slate = live.recommend(RecommendRequest("r", "eve", k=4), NOW)
    assert not slate.cold_start
    assert {item.item_id for item in slate.items[:4]} == {"pear", "apple", "banana", "cherry"}
    assert [entry.item_id for entry in live.history("eve", 5, NOW)] == ["pear"]


def test_an_item_moves_to_its_new_category() -> None:
    live = shop().with_changes([pear("apple", category="bakery")], 1)
    assert ids(live, filters=Filters(categories=("bakery",))) == ["apple", "bread", "bagel", "toast"]
    assert ids(live, context_category="fruit", filters=Filters(categories=("fruit",))) == ["banana", "cherry"]


def test_a_new_category_and_a_new_attribute_can_be_asked_for() -> None:
    live = shop().with_changes([pear(category="exotic", attributes={"from": "Chile"})], 1)
    assert ids(live, context_category="exotic")[0] == "pear"
    assert ids(live, filters=Filters(attributes={"from": "Chile"})) == ["pear"]
    with pytest.raises(RequestError, match="no item has an attribute"):
        ids(shop(), filters=Filters(attributes={"from": "Chile"}))


def test_what_is_popular_now_comes_first_for_unknown_users() -> None:
    live = shop().with_changes([pear()], 1)
    assert ids(live)[:2] == ["apple", "banana"]
    assert ids(live)[-1] == "pear", "it has no events yet"
    popularity = live.catalog.popularity.copy()
    popularity[live.catalog.index("pear")] = 100.0
    now_popular = live.with_popularity(popularity)
    slate = now_popular.recommend(RecommendRequest("r", None, k=3), NOW)
    assert [(item.item_id, item.score) for item in slate.items] == [
        ("pear", 100.0),
        ("apple", 9.0),
        ("banana", 8.0),
    ]
    assert now_popular.item("pear").popularity == 100.0
    assert ids(now_popular, filters=Filters(categories=("fruit",)))[0] == "pear"
    assert now_popular.with_changes([pear("plum")], 2).item("pear").popularity == 100.0


def test_a_new_item_comes_in_by_its_text_where_the_network_does_not_see_it() -> None:
    """Its vector says nothing: only that it reads like what the user had."""

    class Blind(type(shop_bundle().retriever)):  # type: ignore[misc]
        def content_vectors(
            self, index: np.ndarray, text_vectors: np.ndarray, attributes: Any, near: Any = None
        ) -> np.ndarray:
            return np.zeros_like(text_vectors)

    vectors = shop_bundle().item_vectors
    few = ServingSettings(diversity=0.0, candidates=3)
    blind = Recommender(shop_bundle(retriever=Blind(vectors), repeats=False), regulars(), few)
    live = blind.with_changes([pear(), pear("nail", text_vector=-1.0)], 1)
    assert "pear" in ids(live, "vic", context_item_id="apple")
    eve = ShopFeatures({"eve": [("apple", "view", days_ago(1))]})
    found = Recommender(shop_bundle(retriever=Blind(vectors), repeats=False), eve, few)
    assert "pear" in ids(found.with_changes([pear()], 1), "eve")


def test_being_sold_out_acts_without_online_features() -> None:
    features = regulars()
    features.away = True
    live = shop(features).with_changes([pear("banana", available=False)], 1)
    assert "banana" not in ids(live)


NAMES = (*ITEMS, "pear", "plum", "kiwi")
steps = st.lists(
    st.lists(
        st.builds(
            pear,
            st.sampled_from(NAMES),
            st.sampled_from(["fruit", "bakery", "exotic", ""]),
            brand=st.sampled_from(["Farm", "Valley", "New"]),
            attributes=st.sampled_from([{}, {"organic": "yes"}, {"tags": ("red", "new")}]),
            available=st.booleans(),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda change: change.item.item_id,
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_a_catalog_changed_step_by_step_equals_one_built_anew(changes: list[list[ItemChange]]) -> None:
    bundle = shop_bundle()
    catalog = Catalog(bundle)
    for step in changes:
        longer = update_bundle(bundle, step)
        index = longer.items.vocabulary.indexes([change.item.item_id for change in step])
        catalog, bundle = catalog.with_items(longer.items, index), longer
    anew = Catalog(bundle)
    everything = np.ones(len(bundle.items), bool)
    assert catalog.ids.tolist() == anew.ids.tolist()
    assert catalog.by_popularity.tolist() == anew.by_popularity.tolist()
    assert catalog.popular(99, everything).tolist() == anew.popular(99, everything).tolist()
    for category in {*bundle.items.categories} - {""}:
        ours, right = (each.popular(99, everything, each.category_code(category)) for each in (catalog, anew))
        assert ours.tolist() == right.tolist()
    wanted = [Filters(categories=("fruit", "exotic")), Filters(brands=("New", "Farm"))]
    wanted += [Filters(attributes={"organic": value}) for value in ("yes", "no")]
    wanted += [Filters(attributes={"tags": "red"}), Filters(attributes={"tags": "new"})]
    for filters in wanted:
        assert passing(catalog, filters) == passing(anew, filters)


def passing(catalog: Catalog, filters: Filters) -> list[bool] | str:
    try:
        return catalog.passing(filters).tolist()
    except RequestError as error:
        return str(error)
