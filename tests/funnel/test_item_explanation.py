"""The corner shop: why an item is on a slate, and which rule or stage kept another off."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys import columns
from recsys.errors import UnknownItemError
from recsys.filters import Filters
from recsys.funnel.item_explanation import ItemExplanation
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest
from recsys.models.contributions import contributions
from recsys.service_settings import ServingSettings
from tests.fake_world import ITEMS, NOW, ShopFeatures, days_ago, regulars, shop_bundle

Explain = Callable[..., ItemExplanation]


@pytest.fixture
def explain() -> Explain:
    """Explains an item: fields of the request, and `features`, `bundle`, `settings` of one's own."""

    def ask(item_id: str, user_id: str | None = "ann", **fields: Any) -> ItemExplanation:
        features = fields.pop("features", None) or regulars()
        bundle = fields.pop("bundle", None) or shop_bundle()
        settings = fields.pop("settings", None) or ServingSettings(diversity=0.0)
        request = RecommendRequest(request_id="r1", user_id=user_id, **fields)
        return Recommender(bundle, features, settings).explain(request, item_id, NOW)

    return ask


def codes(found: ItemExplanation) -> list[str]:
    return [removal.code for removal in found.removals]


def test_a_shown_item_has_its_position_its_rank_and_nothing_that_removes_it(explain: Explain) -> None:
    # Ann took apples twice and milk once: apple, milk, banana, cherry.
    found = explain("milk", k=4)
    assert (found.position, found.rank, codes(found)) == (2, 2, [])
    assert found.source == "repeat"
    assert found.sources is not None
    assert "own items" in found.sources.found_by


@pytest.mark.parametrize("user_id", ["ann", "vic", None, "new"])
@pytest.mark.parametrize("fields", [{}, {"context_item_id": "bread"}, {"context_category": "dairy"}])
def test_positions_scores_and_probabilities_are_those_of_the_slate(
    explain: Explain, user_id: str | None, fields: dict[str, Any]
) -> None:
    slate = explain("apple", user_id, k=3, **fields).slate
    for item in slate.items:
        found = explain(item.item_id, user_id, k=3, **fields)
        assert (found.position, found.score, found.p_click) == (item.position, item.score, item.p_click)
        assert found.source == item.source
        assert found.last_score == slate.items[-1].score
    for hidden in set(ITEMS) - {item.item_id for item in slate.items}:
        found = explain(hidden, user_id, k=3, **fields)
        assert found.position is None
        assert found.removals


def test_an_item_below_the_last_shown_says_its_rank(explain: Explain) -> None:
    found = explain("banana", k=2)
    assert (codes(found), found.rank) == (["below_last_shown"], 3)
    assert found.removals[0].text == "rank 3 of 9, and 2 are shown"
    assert found.last_score is not None
    assert found.score < found.last_score


@pytest.mark.parametrize(
    ("item_id", "fields", "expected"),
    [
        ("apple", {"context_item_id": "apple"}, ["context_item"]),
        ("milk", {"allow_repeats": False}, ["had_before"]),
        ("milk", {"exclude": ("milk",)}, ["excluded"]),
        ("milk", {"filters": Filters(categories=("fruit",))}, ["filter_category"]),
        ("milk", {"filters": Filters(brands=("Valley",))}, ["filter_brand"]),
        ("milk", {"filters": Filters(attributes={"organic": "yes"})}, ["filter_attribute"]),
        (
            "milk",
            {"filters": Filters(categories=("fruit",)), "exclude": ("milk",)},
            ["excluded", "filter_category"],
        ),
        ("milk", {"features": ShopFeatures(sold_out=["milk"])}, ["unavailable"]),
    ],
)
def test_a_removed_item_names_every_rule_that_removes_it(
    explain: Explain, item_id: str, fields: dict[str, Any], expected: list[str]
) -> None:
    found = explain(item_id, **fields)
    assert codes(found) == expected
    assert found.rank is None


def test_a_price_of_now_beyond_a_filter_is_told_with_the_price(explain: Explain) -> None:
    features = ShopFeatures(prices={"apple": 7_000_000})
    found = explain("apple", None, features=features, filters=Filters(price_max_micros=1_000_000))
    assert [removal.text for removal in found.removals] == ["a filter: its price is 7.00 now"]


def test_an_item_that_no_source_found_says_where_it_stands(explain: Explain) -> None:
    found = explain("toast", None, settings=ServingSettings(candidates=3, diversity=0.0), k=2)
    assert codes(found) == ["not_found"]
    assert found.removals[0].text == (
        "no source of candidates found it: place 9 by popularity; 3 are looked for"
    )
    assert found.score == 1.0  # its popularity: what it would have been ranked by


def test_an_item_that_was_found_but_not_taken_along_says_so(explain: Explain) -> None:
    found = explain("toast", settings=ServingSettings(candidates=3, diversity=0.0), k=2)
    assert codes(found) == ["beyond_candidates"]
    assert found.sources is not None
    assert found.sources.prior_place is not None
    assert found.sources.prior_place > 3
    assert found.sources.found_by == ("popular",)


def test_an_item_that_diversity_passed_over_names_the_one_that_it_is_like(explain: Explain) -> None:
    found = explain("banana", k=3, diversity=0.9)
    assert (codes(found), found.rank) == (["too_similar"], 3)
    assert "similar to 'Apple' at position 1" in found.removals[0].text


def test_parts_of_a_score_add_up_to_it_at_both_stages(explain: Explain) -> None:
    found = explain("bread", "vic")
    assert [stage.model for stage in found.stages] == ["fusion", "ranker"]
    for stage in found.stages:
        total = stage.average_score + sum(part.contribution for part in stage.parts)
        assert total == pytest.approx(stage.score, abs=1e-4)
    assert found.stages[-1].score == pytest.approx(found.score)
    by_name = {part.name: part for part in found.stages[0].parts}
    assert by_name["own"].value == 1.0  # Vic's one action was on bread
    assert by_name["user_events"].contribution == 0.0  # the same for all items


def test_features_are_told_with_their_ages(explain: Explain) -> None:
    rows = {row.view: row for row in explain("milk").features}
    assert rows[columns.USER_HISTORY].age_seconds == 2 * 86_400  # Ann's last purchase
    assert rows[columns.ITEM_CONTENT].event_at == days_ago(2)
    assert rows[columns.ITEM_CONTENT].values[columns.PRICE_MICROS] == 1_000_000
    assert len(rows[columns.USER_HISTORY].values[columns.HISTORY_AT]) == 3
    assert rows[columns.USER_ITEM_CROSS].values[columns.TIMES_IN_HISTORY] == 1.0
    missing = explain("milk", features=ShopFeatures(without_row=["milk"])).features
    assert {row.view: row.event_at for row in missing}[columns.ITEM_CONTENT] is None


def test_without_the_online_store_stock_is_the_catalogs_and_no_features_are_told(explain: Explain) -> None:
    features = regulars()
    features.away = True
    items = shop_bundle().items
    stock = items.available.copy()
    stock[items.vocabulary.index("apple")] = False
    found = explain("apple", features=features, bundle=shop_bundle(items=replace(items, available=stock)))
    assert codes(found) == ["unavailable"]
    assert found.removals[0].text == "it cannot be bought now, as the bundle's catalog says"
    assert found.features == ()
    assert found.slate.degraded == ("online_features_unavailable",)
    assert found.p_click is None


def test_an_item_that_the_catalog_lacks_is_an_error(explain: Explain) -> None:
    with pytest.raises(UnknownItemError, match="'caviar'"):
        explain("caviar")


def test_an_explanation_leaves_no_snapshot_and_the_recommender_as_it_was() -> None:
    taken: list[Any] = []

    class Snapshots:
        def append(self, record: Any) -> None:
            taken.append(record)

    shop = Recommender(shop_bundle(), regulars(), ServingSettings(diversity=0.0), Snapshots())
    request = RecommendRequest("r1", "ann")
    shop.explain(request, "milk", NOW)
    assert taken == []
    shop.recommend(request, NOW)
    assert len(taken) == 1


def test_contributions_share_what_a_product_adds_and_a_missing_value_counts() -> None:
    def score(rows: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(rows[:, 0]), -1.0, rows[:, 0]) + rows[:, 1] * rows[:, 2]

    start, end = np.array([2, 0, 0], np.float32), np.array([np.nan, 3, 4], np.float32)
    found = contributions(score, start, end, np.random.default_rng(1))
    assert found.tolist() == pytest.approx([-3.0, 6.0, 6.0])
