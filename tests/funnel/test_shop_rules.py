"""The shop's rules in recommendations: what they hide, move, pin and say; explained too."""

from typing import Any

import numpy as np
import pytest

from recsys import columns
from recsys.catalog import stable_key
from recsys.filters import Filters
from recsys.funnel.merchandising import FixedRules
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import RecommendRequest, SimilarRequest
from recsys.funnel.slate import Slate
from recsys.funnel.user_facts import UserFacts
from recsys.rules.rule import Segment
from recsys.rules.rule_documents import parse_rule
from recsys.rules.rule_set import RuleSet
from recsys.service_settings import ServingSettings
from tests.fake_world import NOW, ShopFeatures, days_ago, regulars, shop_bundle

SEGMENTS = [Segment("fruity", "top_category == 'fruit'"), Segment("rich", "user.income in ['75K+']")]
INCOMES = {"ann": {"income": "75K+"}}


def shop(*rules: dict[str, Any], features: ShopFeatures | None = None, **settings: Any) -> Recommender:
    given = [parse_rule({"id": f"r{number}", **rule}) for number, rule in enumerate(rules)]
    source = FixedRules(RuleSet(given, SEGMENTS, 7), INCOMES)
    serving = ServingSettings(**{"diversity": 0.0, **settings})
    return Recommender(shop_bundle(), features or regulars(), serving, rules=source)


def ask(recommender: Recommender, user_id: str | None = None, **fields: Any) -> Slate:
    return recommender.recommend(RecommendRequest("r", user_id, **fields), NOW)


def ids(slate: Slate) -> list[str]:
    return [item.item_id for item in slate.items]


def doing(action: str, **fields: Any) -> dict[str, Any]:
    return {"do": [{"action": action, **fields}]}


def pin(item: str, position: int) -> dict[str, Any]:
    return {"action": "pin", "item": item, "position": position}


def outcomes(slate: Slate) -> list[tuple[str, str]]:
    return [(fired.action, fired.outcome) for fired in slate.rules]


VISITOR = ["apple", "banana", "cherry", "milk"]


def test_without_rules_nothing_is_said() -> None:
    slate = ask(shop(), k=4)
    assert (ids(slate), slate.rules, slate.rules_version) == (VISITOR, (), 7)
    assert (slate.redirect, slate.notes) == (None, ())


def test_a_hidden_item_is_neither_found_nor_counted() -> None:
    slate = ask(shop(doing("hide", items=["apple"], filters={"categories": ["dairy"]})), k=4)
    assert ids(slate) == ["banana", "cherry", "bread", "bagel"]
    assert slate.candidates == 9 - 4
    assert outcomes(slate) == [("hide", "applied")]


def test_a_boost_moves_items_by_place_and_leaves_their_scores() -> None:
    # By popularity: apple 1, banana 2, cherry 3, milk 4, cheese 5 ... bread 7: 7 / 4 = 1.75, between 1 and 2.
    slate = ask(shop(doing("boost", factor=4, items=["bread"])), k=4)
    assert ids(slate) == ["apple", "bread", "banana", "cherry"]
    assert [item.score for item in slate.items] == [9, 3, 8, 7]
    buried = ask(shop(doing("bury", factor=0.3, filters={"categories": ["fruit"]})), k=5)
    # apple 1 / .3 = 3.33, before milk 4; banana 6.67, behind yogurt 6; cherry 10.
    assert ids(buried) == ["apple", "milk", "cheese", "yogurt", "banana"]


def test_a_filter_of_a_rule_joins_those_of_the_request() -> None:
    only = shop(doing("filter", filters={"brands": ["Farm"], "price_max_micros": 2_000_000}))
    assert ids(ask(only)) == ["banana", "milk", "yogurt", "bagel"]  # Farm: every second item
    assert ids(ask(only, filters=Filters(categories=("dairy",)))) == ["milk", "yogurt"]


def test_a_price_of_now_is_held_against_a_rule_too() -> None:
    cheap = doing("filter", filters={"price_max_micros": 1_500_000})
    assert ids(ask(shop(cheap))) == ["apple", "milk", "bagel"]
    dearer = ShopFeatures(prices={"milk": 9_000_000})
    assert ids(ask(shop(cheap, features=dearer))) == ["apple", "bagel"]


def test_a_pin_has_its_place_whatever_the_scores_are() -> None:
    slate = ask(shop({"do": [pin("toast", 1), pin("cherry", 2)]}), k=4)
    assert ids(slate) == ["toast", "cherry", "apple", "banana"]
    assert [item.position for item in slate.items] == [1, 2, 3, 4]
    assert outcomes(slate) == [("pin", "applied"), ("pin", "applied")]


def test_a_pin_that_no_source_found_says_that_the_shop_picked_it() -> None:
    slate = ask(shop({"do": [pin("toast", 2)]}, candidates=3), k=3)
    assert ids(slate) == ["apple", "toast", "banana"]
    assert (slate.items[1].source, slate.items[1].reason.text) == ("rule", "picked by the shop")
    assert (slate.items[1].score, slate.items[1].price_micros) == (1.0, 2_000_000)
    known = ask(shop({"do": [pin("toast", 1)]}, candidates=3), "ann", k=3, language="zh")
    assert (ids(known)[0], known.items[0].reason.text) == ("toast", "店铺精选")
    assert known.items[0].p_click is not None


@pytest.mark.parametrize(
    ("rules", "fields", "why"),
    [
        ([{"do": [pin("nothing", 1)]}], {}, "the catalog has no such item"),
        ([{"do": [pin("toast", 1)]}, doing("hide", items=["toast"])], {}, "a rule hides the item"),
        (
            [{"do": [pin("toast", 1)]}, doing("filter", filters={"categories": ["fruit"]})],
            {},
            "a rule's filter removes it",
        ),
        ([{"do": [pin("toast", 1)]}], {"exclude": ("toast",)}, "the request's filters or exclusions"),
        ([{"do": [pin("toast", 1)]}], {"filters": Filters(brands=("Farm",))}, "the request's filters"),
        ([{"do": [pin("toast", 1)]}], {"context_item_id": "toast"}, "the request's filters or exclusions"),
        ([{"do": [pin("toast", 9)]}], {"k": 3}, "the slate ends before its position"),
    ],
)
def test_a_pin_that_may_not_be_shown_is_left_out_and_the_slate_says_why(
    rules: list[dict[str, Any]], fields: dict[str, Any], why: str
) -> None:
    slate = ask(shop(*rules), **fields)
    left_out = next(fired for fired in slate.rules if fired.action == "pin")
    assert left_out.outcome == "left_out"
    assert why in left_out.detail
    assert "toast" not in ids(slate)[:1]


def test_a_pin_respects_stock_as_it_is_now() -> None:
    for candidates in (3, 500):  # a candidate or not
        sold = ShopFeatures(sold_out=["toast"])
        slate = ask(shop({"do": [pin("toast", 1)]}, features=sold, candidates=candidates), k=3)
        assert ids(slate) == ["apple", "banana", "cherry"]
        assert slate.rules[0].outcome == "left_out"
        assert "cannot be bought now" in slate.rules[0].detail
        everything = Filters(include_unavailable=True)
        slate = ask(
            shop({"do": [pin("toast", 1)]}, features=sold, candidates=candidates), k=3, filters=everything
        )
        assert ids(slate)[0] == "toast"


def test_two_pins_for_one_place_the_stronger_keeps_it() -> None:
    slate = ask(shop({"do": [pin("toast", 1)]}, {"priority": 5, "do": [pin("bagel", 1)]}), k=3)
    assert ids(slate) == ["bagel", "toast", "apple"]
    assert outcomes(slate) == [("pin", "applied"), ("pin", "moved")]
    assert slate.rules[1].detail == "item 'toast' at position 1: to position 2"


def test_the_store_being_away_leaves_rules_in_force() -> None:
    away = regulars()
    away.away = True
    slate = ask(shop({"do": [pin("toast", 1)]}, doing("hide", items=["apple"]), features=away), "ann", k=3)
    assert ids(slate) == ["toast", "banana", "cherry"]
    assert slate.degraded == ("online_features_unavailable",)


def test_rules_by_place_in_the_shop() -> None:
    of_item = shop({**doing("note", note="pairs"), "when": {"context_categories": ["bakery"]}})
    assert ask(of_item, context_item_id="bread").notes == ("pairs",)
    assert ask(of_item, context_category="bakery").notes == ("pairs",)
    assert ask(of_item, context_item_id="milk").notes == ()
    filtered = shop({**doing("redirect", url="/dairy"), "when": {"categories": ["dairy"]}})
    assert ask(filtered, filters=Filters(categories=("dairy",))).redirect == "/dairy"
    assert ask(filtered).redirect is None


def test_a_segment_by_features_and_one_by_an_attribute() -> None:
    features = regulars()
    read = features.read_user

    def with_category(user_id: str) -> Any:
        rows = read(user_id)
        rows.columns[columns.TOP_CATEGORIES][0] = np.array([stable_key("fruit")], np.int64)
        return rows

    features.read_user = with_category  # type: ignore[method-assign]
    fruity = {**doing("note", note="fruit"), "when": {"segment": "fruity"}}
    rich = {**doing("note", note="rich"), "when": {"segment": "rich"}}
    asked = shop(fruity, rich, features=features)
    assert ask(asked, "ann").notes == ("fruit", "rich")
    assert ask(asked, "vic").notes == ("fruit",)
    assert ask(asked).notes == ()


def test_a_preview_asks_without_the_rules() -> None:
    slate = ask(shop(doing("hide", items=["apple"])), k=4, rules=False)
    assert (ids(slate), slate.rules) == (VISITOR, ())


def test_a_rule_that_names_an_attribute_which_no_item_has_fails_alone() -> None:
    odd = doing("filter", filters={"attributes": {"colour": "red"}})
    slate = ask(shop(odd, doing("hide", items=["apple"])), k=3)
    assert ids(slate) == ["banana", "cherry", "milk"]
    assert outcomes(slate) == [("filter", "failed"), ("hide", "applied")]
    assert "no item has an attribute 'colour'" in slate.rules[0].detail


def test_similar_items_obey_the_rules_of_their_surface() -> None:
    rules = (
        {**doing("hide", items=["bagel"]), "surfaces": ["similar"]},
        {"do": [pin("apple", 2)], "surfaces": ["similar"]},
        {**doing("hide", items=["toast"]), "surfaces": ["search"]},
    )
    slate = shop(*rules).similar(SimilarRequest("r", "bread", k=3), NOW)
    assert "bagel" not in ids(slate)
    assert "toast" in ids(slate)
    assert ids(slate)[1] == "apple"
    assert outcomes(slate) == [("hide", "applied"), ("pin", "applied")]
    assert "apple" in ids(ask(shop(*rules)))


def test_a_hidden_item_is_explained_by_the_rule() -> None:
    asked = shop({**doing("hide", items=["apple"]), "name": "No apples"})
    found = asked.explain(RecommendRequest("r", "ann"), "apple", NOW)
    assert [removal.code for removal in found.removals] == ["hidden_by_rule"]
    assert found.removals[0].text == "hidden by rule 'r0' (No apples), version 0"
    filtered = shop(doing("filter", filters={"categories": ["dairy"]}))
    found = filtered.explain(RecommendRequest("r", "ann"), "apple", NOW)
    assert [removal.code for removal in found.removals] == ["filtered_by_rule"]


def test_an_explanation_names_the_rules_that_are_about_the_item() -> None:
    asked = shop({"do": [pin("toast", 1)]}, doing("boost", factor=2, items=["milk"]))
    toast = asked.explain(RecommendRequest("r", "ann"), "toast", NOW)
    assert (toast.position, [fired.action for fired in toast.rules]) == (1, ["pin"])
    milk = asked.explain(RecommendRequest("r", "ann"), "milk", NOW)
    assert [(fired.rule_id, fired.action) for fired in milk.rules] == [("r1", "boost")]
    assert asked.explain(RecommendRequest("r", "ann"), "apple", NOW).rules == ()


def test_facts_are_missing_where_nothing_was_read_and_scaled_where_it_was() -> None:
    rows = ShopFeatures({"ann": [("apple", columns.PURCHASE, days_ago(2))]}).read_user("ann")
    rows.columns["purchase_value_micros_30d"][0] = 12_500_000
    rows.columns["purchase_count_30d"][0] = 4
    facts = UserFacts(rows, NOW, lambda: {"size": 3.0})
    assert facts.value("purchases_30d") == facts.value("purchase_count_30d") == 4.0
    assert facts.value("spent_30d") == 12.5
    assert facts.value("days_since_last_event") == 2.0
    assert facts.value("average_price_90d") is None  # 0 = none
    assert facts.value("top_category") is None
    assert facts.value("user.size") == 3.0
    assert facts.value("user.colour") is None
    assert UserFacts(None, NOW, dict).value("purchases_30d") is None
    assert UserFacts(regulars().read_user("nobody"), NOW, dict).value("purchases_30d") is None
