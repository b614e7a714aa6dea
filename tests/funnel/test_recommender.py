"""The corner shop: what is recommended to whom, where and why."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from recsys import columns
from recsys.errors import RequestError, UnknownItemError
from recsys.filters import Filters
from recsys.funnel import rounds
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.funnel.slate import ONLINE_FEATURES_UNAVAILABLE, Slate
from recsys.models.fusion import initial_fusion
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, FeatureRanker, ShopFeatures, days_ago, regulars, shop_bundle

Ask = Callable[..., Slate]


def ids(slate: Slate) -> list[str]:
    return [item.item_id for item in slate.items]


def test_a_known_user_gets_own_things_and_their_kind_first(ask: Ask) -> None:
    # Ann took apples twice and milk once; then comes what is like apples, of which banana is wanted more.
    slate = ask("ann", k=4)
    assert ids(slate) == ["apple", "milk", "banana", "cherry"]
    assert [item.position for item in slate.items] == [1, 2, 3, 4]
    assert not slate.cold_start
    assert slate.degraded == ()


def test_a_repeat_says_when_it_was_bought_last(ask: Ask) -> None:
    reason = ask("ann").items[0].reason
    assert (reason.code, reason.parameters) == ("bought_before", {"date": "2024-05-30"})
    assert reason.text == "bought before, last on 2024-05-30"
    assert ask("ann", language="zh").items[0].reason.text == "您曾购买过，最近一次是 2024-05-30"


def test_a_view_is_not_called_a_purchase(ask: Ask) -> None:
    bread = next(item for item in ask("vic").items if item.item_id == "bread")
    assert bread.reason.text == "looked at before, last on 2024-05-31"


def test_what_goes_with_the_history_names_the_item_that_led_there(ask: Ask) -> None:
    cheese = next(item for item in ask("vic").items if item.item_id == "cheese")
    assert (cheese.source, cheese.reason.text) == ("together", "often goes with Bread")
    bagel = next(item for item in ask("vic").items if item.item_id == "bagel")
    assert (bagel.source, bagel.reason.text) == ("dense", "similar to Bread")


def test_own_items_are_left_out_where_nobody_repeats(ask: Ask) -> None:
    assert set(ids(ask("ann", bundle=shop_bundle(repeats=False)))) == set(ids(ask(None))) - {"apple", "milk"}
    assert "apple" in ids(ask("ann", bundle=shop_bundle(repeats=False), allow_repeats=True))
    assert "apple" not in ids(ask("ann", allow_repeats=False))


@pytest.mark.parametrize("user_id", [None, "nobody"])
def test_an_unknown_user_is_cold_start_by_popularity(ask: Ask, user_id: str | None) -> None:
    slate = ask(user_id, k=3)
    assert slate.cold_start
    assert slate.degraded == ()
    assert ids(slate) == ["apple", "banana", "cherry"]
    assert [item.score for item in slate.items] == [9, 8, 7]
    assert {item.reason.text for item in slate.items} == {"popular now"}


def test_an_unknown_user_on_a_product_page_sees_what_goes_with_it(ask: Ask) -> None:
    slate = ask(None, context_item_id="bread", k=5)
    assert ids(slate) == ["milk", "cheese", "bagel", "toast", "apple"]
    assert [item.reason.code for item in slate.items[:4]] == ["together", "together", "similar", "similar"]


def test_an_unknown_user_in_a_category_sees_its_popular_items_first(ask: Ask) -> None:
    slate = ask(None, context_category="bakery", k=4)
    assert ids(slate) == ["bread", "bagel", "toast", "apple"]
    assert slate.items[0].reason.text == "popular in bakery"


def test_the_context_comes_first_for_a_known_user_too_in_their_order(ask: Ask) -> None:
    features = ShopFeatures({"ann": [("cheese", columns.PURCHASE, days_ago(1))]})
    slate = ask("ann", features=features, context_category="dairy", k=4)
    assert ids(slate)[0] == "cheese"
    assert set(ids(slate)[:3]) == {"milk", "cheese", "yogurt"}


def test_the_item_looked_at_is_not_recommended(ask: Ask) -> None:
    assert "apple" not in ids(ask("ann", context_item_id="apple", k=9))


def test_unknown_context_is_refused_with_its_name(ask: Ask) -> None:
    with pytest.raises(UnknownItemError, match="'caviar'"):
        ask("ann", context_item_id="caviar")
    with pytest.raises(RequestError, match=r"'fish'.*bakery, dairy, fruit"):
        ask("ann", context_category="fish")


def test_excluded_items_never_show_and_unknown_ones_are_ignored(ask: Ask) -> None:
    assert ids(ask(None, exclude=("apple", "caviar"), k=2)) == ["banana", "cherry"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(categories=("dairy",)), {"milk", "cheese", "yogurt"}),
        (Filters(categories=("fish",)), set()),
        (Filters(brands=("Farm",)), {"banana", "milk", "yogurt", "bagel"}),
        (Filters(price_max_micros=1_000_000), {"apple", "milk", "bagel"}),
        (Filters(price_min_micros=3_000_000), {"cherry", "cheese", "bread"}),
        (Filters(attributes={"organic": "yes"}), {"apple"}),
        (Filters(attributes={"tags": "green"}), {"apple"}),
        (Filters(attributes={"organic": "perhaps"}), set()),
        (Filters(categories=("dairy", "bakery"), brands=("Valley",)), {"cheese", "bread", "toast"}),
    ],
)
def test_filters_keep_what_passes_and_nothing_else(ask: Ask, filters: Filters, expected: set[str]) -> None:
    assert set(ids(ask("ann", filters=filters))) == expected
    assert set(ids(ask(None, filters=filters))) == expected


def test_a_filter_on_an_attribute_nobody_has_is_refused(ask: Ask) -> None:
    with pytest.raises(RequestError, match=r"'colour'.*organic, tags"):
        ask("ann", filters=Filters(attributes={"colour": "red"}))


def test_prices_of_now_beat_those_of_the_bundle(ask: Ask) -> None:
    features = ShopFeatures(prices={"apple": 7_000_000})
    slate = ask(None, features=features, filters=Filters(price_max_micros=1_000_000))
    assert ids(slate) == ["milk", "bagel"]
    assert ask(None, features=features).items[0].price_micros == 7_000_000


def test_the_online_stock_beats_the_bundle_both_ways(ask: Ask) -> None:
    items = shop_bundle().items
    stock = items.available.copy()
    stock[items.vocabulary.index("banana")] = False  # in the bundle; online it is back
    bundle = shop_bundle(items=replace(items, available=stock))
    assert ids(ask(None, features=ShopFeatures(sold_out=["apple"]), bundle=bundle, k=2)) == [
        "banana",
        "cherry",
    ]
    assert ids(ask(None, features=ShopFeatures(without_row=["banana"]), bundle=bundle, k=2)) == [
        "apple",
        "cherry",
    ]
    wanted = Filters(include_unavailable=True)
    assert ids(ask(None, features=ShopFeatures(sold_out=["apple"]), bundle=bundle, k=2, filters=wanted)) == [
        "apple",
        "banana",
    ]


def test_a_slate_is_filled_when_most_candidates_are_sold_out(ask: Ask) -> None:
    items = shop_bundle().items
    stock = np.array([False, *[item in ("bagel", "toast") for item in items.vocabulary.ids[1:]]])
    bundle = shop_bundle(items=replace(items, available=stock))
    features = ShopFeatures(
        sold_out=[item for item in items.vocabulary.ids[1:] if item not in ("bagel", "toast")]
    )
    few = ServingSettings(candidates=3, diversity=0.0)
    assert ids(ask(None, features=features, bundle=bundle, settings=few, k=2)) == ["bagel", "toast"]


def test_rounds_go_on_past_what_is_sold_out_only_online(ask: Ask) -> None:
    # By popularity: apple banana cherry | milk cheese yogurt | bread bagel toast, three a round.
    features = ShopFeatures(sold_out=["apple", "cherry", "milk", "cheese", "yogurt", "bread"])
    few = ServingSettings(candidates=3, diversity=0.0)
    slate = ask(None, features=features, settings=few, k=2)
    assert (ids(slate), features.reads) == (["banana", "bagel"], 3)
    assert slate.features.views[columns.ITEM_CONTENT].rows == 9
    everything = ask(None, features=features, settings=few, k=9)
    assert ids(everything) == ["banana", "bagel", "toast"], "all that is left"


def test_what_is_in_stock_again_is_found_after_what_always_was(ask: Ask) -> None:
    items = shop_bundle().items
    stock = np.array([False, *[item in ("apple", "banana", "cherry") for item in items.vocabulary.ids[1:]]])
    bundle = shop_bundle(items=replace(items, available=stock))
    features = ShopFeatures(sold_out=["apple", "banana", "cherry", "milk", "cheese", "yogurt"])
    few = ServingSettings(candidates=3, diversity=0.0)
    assert ids(ask(None, features=features, bundle=bundle, settings=few, k=2)) == ["bread", "bagel"]


def test_the_number_of_rounds_is_bounded(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MOST_ROUNDS", 3)
    features = ShopFeatures(sold_out=shop_bundle().items.vocabulary.ids[1:])
    one = ServingSettings(candidates=1, diversity=0.0)
    assert ids(ask(None, features=features, settings=one, k=2)) == []
    assert features.reads == 3


def test_later_rounds_do_not_come_before_the_context_of_earlier_ones(ask: Ask) -> None:
    features = ShopFeatures(sold_out=["bread"])
    few = ServingSettings(candidates=2, diversity=0.0)
    slate = ask(None, features=features, settings=few, context_category="bakery", k=4)
    assert ids(slate) == ["bagel", "toast", "apple", "banana"]


def test_a_store_that_goes_away_after_a_round_leaves_what_that_gave(ask: Ask) -> None:
    class Once(ShopFeatures):
        def read_items(self, item_ids):  # type: ignore[no-untyped-def]
            found = super().read_items(item_ids)
            self.away = True
            return found

    few = ServingSettings(candidates=3, diversity=0.0)
    slate = ask(None, features=Once(sold_out=["apple", "banana"]), settings=few, k=2)
    assert ids(slate) == ["cherry"]
    assert slate.degraded == (ONLINE_FEATURES_UNAVAILABLE,)


def test_similar_items_are_looked_for_past_those_that_are_sold_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.funnel.recommender.SMALLEST_POOL", 2)
    features = ShopFeatures(sold_out=["banana", "cherry"])
    slate = recommender(features).similar(SimilarRequest("r1", "apple", k=1), NOW)
    assert (len(slate.items), features.reads) == (1, 2)
    assert slate.items[0].item_id not in ("banana", "cherry")


def test_the_ranker_decides_by_online_features(ask: Ask) -> None:
    features = regulars()
    features.clicks = {"toast": 50, "cheese": 20}
    bundle = shop_bundle(ranker=FeatureRanker("item_click_count_7d"))
    slate = ask("ann", features=features, bundle=bundle, k=2)
    assert ids(slate) == ["toast", "cheese"]
    assert [item.score for item in slate.items] == [50, 20]
    assert slate.items[1].p_click == pytest.approx(1 / (1 + np.exp(-20)))


def test_without_a_ranker_the_retrieval_score_orders(ask: Ask) -> None:
    slate = ask("ann", bundle=shop_bundle(ranker=None), k=4)
    assert ids(slate) == ["apple", "milk", "banana", "cherry"]
    assert {item.p_click for item in slate.items} == {None}
    assert slate.items[0].reason.text == "bought before, last on 2024-05-30"


def test_without_a_clock_dates_are_not_told(ask: Ask) -> None:
    ordered = shop_bundle(ranker=None, fusion=initial_fusion(4, clock=False, repeats=True))
    assert ask("ann", bundle=ordered, k=1).items[0].reason.text == "bought before"


def test_a_store_that_is_away_gives_popularity_and_says_so(ask: Ask) -> None:
    features = regulars()
    features.away = True
    slate = ask("ann", features=features, k=3)
    assert ids(slate) == ["apple", "banana", "cherry"]
    assert slate.degraded == (ONLINE_FEATURES_UNAVAILABLE,)
    assert not slate.cold_start, "we do not know that"
    assert slate.features.freshness_seconds is None
    assert ids(ask("ann", features=features, context_item_id="bread", k=2)) == ["milk", "cheese"]


def test_a_store_that_goes_away_between_two_reads_still_gives_a_personal_slate(ask: Ask) -> None:
    class Flaky(ShopFeatures):
        def read_items(self, item_ids):  # type: ignore[no-untyped-def]
            self.away = True
            return super().read_items(item_ids)

    slate = ask("ann", features=Flaky(regulars().histories), k=2)
    assert ids(slate) == ["apple", "milk"]
    assert slate.degraded == (ONLINE_FEATURES_UNAVAILABLE,)
    assert slate.items[0].p_click is None


def test_rows_tell_how_old_they_are_and_not_how_far_the_store_lags(ask: Ask) -> None:
    status = ask("vic").features
    assert status.service == columns.RANKING_SERVICE
    assert status.freshness_seconds is None, "a quiet row is old, and nothing lags for that"
    assert status.views[columns.USER_HISTORY].newest_at == days_ago(1)
    assert status.views[columns.ITEM_ENGAGEMENT].rows == 9


def test_diversity_mixes_categories_and_zero_does_not(ask: Ask) -> None:
    def categories(diversity: float) -> set[str | None]:
        slate = ask("ann", k=2, diversity=diversity, allow_repeats=False)
        return {item.category for item in slate.items}

    assert categories(0.0) == {"fruit"}
    assert len(categories(0.9)) == 2


def test_one_request_costs_two_reads(ask: Ask) -> None:
    features = regulars()
    ask("ann", features=features)
    assert features.reads == 2


def test_a_slate_is_never_longer_than_asked_and_has_no_item_twice(ask: Ask) -> None:
    for count in (1, 5, 9, 100):
        found = ids(ask("ann", k=count, context_item_id="milk"))
        assert len(found) == len(set(found)) == min(count, 8)


def recommender(features: ShopFeatures | None = None) -> Recommender:
    return Recommender(shop_bundle(), features or regulars(), ServingSettings())


def test_similar_items_come_from_the_same_shelf() -> None:
    slate = recommender().similar(SimilarRequest("r1", "apple", k=2), NOW)
    assert set(ids(slate)) == {"banana", "cherry"}
    assert slate.items[0].reason.text == "similar to Apple"
    with pytest.raises(UnknownItemError):
        recommender().similar(SimilarRequest("r1", "caviar"), NOW)


def test_similar_items_obey_filters_stock_and_exclusions() -> None:
    shop = recommender(ShopFeatures(sold_out=["banana"]))
    assert ids(shop.similar(SimilarRequest("r1", "apple", k=1), NOW)) == ["cherry"]
    asked = SimilarRequest("r1", "apple", filters=Filters(categories=("dairy",)), exclude=("milk",))
    assert set(ids(shop.similar(asked, NOW))) == {"cheese", "yogurt"}


def test_an_item_shows_catalog_and_online_facts() -> None:
    features = ShopFeatures(prices={"apple": 4_000_000}, clicks={"apple": 3}, sold_out=["apple"])
    item = recommender(features).item("apple")
    assert (item.title, item.category, item.price_micros, item.available) == (
        "Apple",
        "fruit",
        4_000_000,
        False,
    )
    assert item.attributes == {"organic": "yes", "tags": ["red", "green"]}
    assert item.features["item_click_count_7d"] == 3
    features.away = True
    assert recommender(features).item("apple").price_micros == 1_000_000
    assert recommender(features).item("apple").degraded == (ONLINE_FEATURES_UNAVAILABLE,)


def test_the_history_is_told_latest_first() -> None:
    entries = recommender().history("ann", 2, NOW)
    assert [(entry.title, entry.kind, entry.at) for entry in entries] == [
        ("Apple", "purchase", days_ago(2)),
        ("Milk", "purchase", days_ago(10)),
    ]
    assert recommender().history("nobody", 5, NOW) == ()


def test_a_request_leaves_nothing_behind_for_the_next(ask: Ask) -> None:
    shop = recommender()
    first = shop.recommend(
        RecommendRequest("r1", "ann", exclude=("banana",), filters=Filters(brands=("Farm",))), NOW
    )
    assert ids(shop.recommend(RecommendRequest("r1", "ann"), NOW)) != ids(first)
    assert len(ids(shop.recommend(RecommendRequest("r1", "ann"), NOW))) == 9


@pytest.mark.parametrize("count", [0, 2, 100])
def test_the_log_gets_the_best_candidates_that_are_not_shown(count: int) -> None:
    settings = ServingSettings(diversity=0.0, logged_candidates=count)
    shop = Recommender(shop_bundle(ranker=None), regulars(), settings)
    whole = shop.recommend(RecommendRequest("r1", "ann", k=100), NOW)
    for slate, further in (
        shop.serve(RecommendRequest("r1", "ann", k=4), NOW),
        shop.serve(RecommendRequest("r1", "ann", k=100), NOW),
    ):
        expected = [(item.item_id, item.score) for item in whole.items[len(slate.items) :]]
        assert list(further) == expected[:count]


def test_similar_items_that_are_not_shown_are_for_the_log_too() -> None:
    slate, further = recommender().serve_similar(SimilarRequest("r1", "apple", k=1), NOW)
    more, _ = recommender().serve_similar(SimilarRequest("r1", "apple", k=3), NOW)
    assert slate == recommender().similar(SimilarRequest("r1", "apple", k=1), NOW)
    assert [item for item, _ in further][:2] == ids(more)[1:]


def test_diversity_changes_what_is_shown_and_what_is_not_never_both() -> None:
    shop = Recommender(shop_bundle(), regulars(), ServingSettings(diversity=0.9))
    slate, further = shop.serve(RecommendRequest("r1", "ann", k=3), NOW)
    assert set(ids(slate)).isdisjoint(item for item, _ in further)
    assert len(slate.items) + len(further) == slate.candidates
