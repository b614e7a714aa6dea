"""POST /v1/ads: who gets which ads, what is held and logged, and what it says when something is away."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from recsys.access.roles import Role
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import FrequencyCap
from recsys.ads.campaigns.targets import Keyword, Targets
from recsys.ads.delivery.steps import Step
from recsys.experiments.experiment import Experiment
from recsys.service_settings import AdsSettings
from tests.ads.selection.small_market import BOLT, campaign
from tests.fake_keys import FakeKeyStore
from tests.fake_world import NOW
from tests.serving.conftest import OpenShop, Shop
from tests.serving.test_app import error_of

MILK = campaign("milk", "milk", bid=400_000)
BREAD = campaign("bread", "bread", account=BOLT, bid=300_000)


def ask(shop: Shop, **body: Any) -> Any:
    answer = shop.client.post("/v1/ads", json={"user_id": "ann", "slots": 2, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def steps(shop: Shop) -> dict[tuple[str, str], int]:
    return {key: value for hour in shop.ads.counts.take() for key, value in hour.steps.items()}


def test_the_winners_come_labelled_with_tokens_that_say_what_the_log_says(shop: Shop) -> None:
    shop.ads.run(MILK, BREAD)
    answer = ask(shop)
    assert [(ad["slot"], ad["item_id"], ad["title"]) for ad in answer["ads"]] == [
        (1, "milk", "Milk"),
        (2, "bread", "Bread"),
    ]
    assert {ad["sponsored"] for ad in answer["ads"]} == {True}
    assert (answer["surface"], answer["degraded"]) == ("home", [])
    for ad, slot in zip(answer["ads"], shop.ads.log.slots, strict=True):
        token = shop.ads.tokens.decode(ad["token"], NOW, 60)
        assert (token.slot_id, token.price_micros, token.p) == (
            slot.slot_id,
            slot.price_micros,
            slot.p_click,
        )
        assert (slot.request_id, slot.position, slot.arm) == (answer["request_id"], None, None)
        assert ad["explanation"] is None


def test_what_is_not_targeted_or_sold_out_is_not_there(shop: Shop) -> None:
    wanted = replace(MILK, targets=Targets(keywords=(Keyword("oat"),)))
    shop.ads.run(wanted, campaign("caviar", "caviar"))
    assert ask(shop)["ads"] == []
    assert [ad["item_id"] for ad in ask(shop, context={"query": "oat drink"})["ads"]] == ["milk"]
    on_fruit = replace(BREAD, targets=Targets(categories=("fruit",)))
    shop.ads.run(on_fruit)
    assert [ad["item_id"] for ad in ask(shop, context={"item_id": "apple"})["ads"]] == ["bread"]
    assert [ad["item_id"] for ad in ask(shop, context={"category": "fruit"})["ads"]] == ["bread"]


def test_an_ad_is_not_shown_twice_in_a_visit(shop: Shop) -> None:
    shop.ads.run(MILK, BREAD)
    first = ask(shop, slots=1)
    second = ask(shop, slots=1, page_token=first["page_token"])
    third = ask(shop, slots=1, page_token=second["page_token"])
    assert [[ad["item_id"] for ad in each["ads"]] for each in (first, second, third)] == [
        ["milk"],
        ["bread"],
        [],
    ]


def test_a_page_token_that_was_changed_or_is_old_is_refused(open_shop: OpenShop) -> None:
    shop = open_shop(ads=AdsSettings(visit_seconds=60))
    wrong = shop.client.post("/v1/ads", json={"page_token": "a.nonsense"})
    assert (wrong.status_code, error_of(wrong)["code"]) == (422, "invalid_token")
    old = shop.ads.page_tokens.encode(shop.ads.page_tokens.decode(ask(shop)["page_token"], NOW, 60), NOW)
    assert shop.client.post("/v1/ads", json={"page_token": old}).status_code == 200
    early = NOW - timedelta(seconds=61)
    gone = shop.ads.page_tokens.encode(shop.ads.page_tokens.decode(old, NOW, 60), early)
    answer = shop.client.post("/v1/ads", json={"page_token": gone})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "token_expired")


def test_who_is_held_out_sees_nothing_and_what_would_have_won_is_logged_and_costs_nothing(
    shop: Shop,
) -> None:
    shop.ads.source.experiment = Experiment("ads", "salt", NOW - timedelta(days=1), share_ppm=999_999)
    shop.ads.run(replace(MILK, budget=Budget(10**9)), BREAD)
    answer = ask(shop)
    assert answer["ads"] == []
    assert [(slot.item_id, slot.arm, slot.held_micros) for slot in shop.ads.log.slots] == [
        ("milk", "holdout", 0),
        ("bread", "holdout", 0),
    ]
    assert shop.ads.held() == 0
    (hour,) = shop.ads.counts.take()
    assert (hour.holdout, hour.steps[("cmp_milk", Step.WON)]) == (True, 1)
    assert "sponsored" not in shop.client.post("/v1/ads", json={"user_id": "ann"}).text


def test_nobody_known_is_served_and_in_no_arm(shop: Shop) -> None:
    shop.ads.source.experiment = Experiment("ads", "salt", NOW - timedelta(days=1), share_ppm=999_999)
    shop.ads.run(replace(MILK, frequency_cap=FrequencyCap(1, 60)))
    for _ in range(2):
        answer = shop.client.post("/v1/ads", json={}).json()
        assert [ad["item_id"] for ad in answer["ads"]] == ["milk"]
    assert {slot.arm for slot in shop.ads.log.slots} == {None}


def test_a_session_has_a_cap_too(shop: Shop) -> None:
    shop.ads.run(replace(MILK, frequency_cap=FrequencyCap(1, 60)))
    found = [shop.client.post("/v1/ads", json={"session_id": "s1"}).json()["ads"] for _ in range(2)]
    assert [len(ads) for ads in found] == [1, 0]
    assert steps(shop)[("cmp_milk", Step.CAP)] == 1


def test_without_campaigns_there_are_no_ads_and_no_stores_are_asked(shop: Shop) -> None:
    shop.ads.gate.away = True
    shop.ads.watch.check()
    assert (ask(shop)["ads"], ask(shop)["degraded"]) == ([], [])
    assert shop.ads.source.reads == 0


def test_a_gate_that_is_away_costs_the_ads_and_nothing_else(shop: Shop) -> None:
    shop.ads.run(MILK)
    shop.ads.gate.away = True
    assert (ask(shop)["ads"], ask(shop)["degraded"]) == ([], ["ads_unavailable"])
    shop.ads.gate.away = False
    assert ask(shop)["degraded"] == ["ads_unavailable"], "it is not asked again for a second"
    shop.clock.seconds += 2
    assert [ad["item_id"] for ad in ask(shop)["ads"]] == ["milk"]


def test_a_gate_that_lost_its_budgets_is_told_and_waited_for(shop: Shop) -> None:
    shop.ads.run(MILK, BREAD)
    shop.ads.gate.lose_everything()
    shop.ads.gate.rebuild("acc_2", {})
    answer = ask(shop)
    assert [ad["item_id"] for ad in answer["ads"]] == ["bread"]
    assert answer["degraded"] == ["ads_rebuilding"]


def test_without_a_charge_worker_no_ads_are_shown_that_nobody_would_charge(shop: Shop) -> None:
    shop.ads.source.kept = NOW - timedelta(minutes=2)
    shop.ads.run(MILK)
    assert (ask(shop)["ads"], ask(shop)["degraded"]) == ([], ["ads_uncharged"])
    shop.ads.source.kept = NOW
    shop.ads.watch.check()
    assert [ad["item_id"] for ad in ask(shop)["ads"]] == ["milk"]


def test_what_cannot_be_logged_is_not_shown_and_not_held(shop: Shop) -> None:
    shop.ads.run(replace(MILK, budget=Budget(10**9)))
    shop.ads.log.away = True
    answer = ask(shop)
    assert (answer["ads"], answer["degraded"]) == ([], ["ads_unavailable"])
    assert shop.ads.held() == 0
    assert steps(shop)[("cmp_milk", Step.PAGE)] == 1
    shop.ads.log.away = False
    assert len(ask(shop, page_token=answer["page_token"])["ads"]) == 1


def test_without_a_log_no_ads_are_served(open_shop: OpenShop) -> None:
    shop = open_shop(ad_log=False)
    shop.ads.run(MILK)
    assert (ask(shop)["ads"], ask(shop)["degraded"]) == ([], ["ads_unavailable"])


def test_without_the_database_ads_go_on_for_a_while_and_then_stop(open_shop: OpenShop) -> None:
    shop = open_shop(ads=AdsSettings(blind_seconds=30, page_seconds=60))
    shop.ads.run(MILK)
    shop.ads.source.away = True
    shop.clock.seconds += 29
    shop.ads.watch.check()
    assert len(ask(shop)["ads"]) == 1
    assert "the database" in shop.ads.watch.problem
    shop.clock.seconds += 2
    assert (ask(shop)["ads"], ask(shop)["degraded"]) == ([], ["ads_blind"])
    shop.ads.source.away = False
    shop.ads.watch.check()
    assert (len(ask(shop)["ads"]), shop.ads.watch.problem) == (1, "")


def test_a_changed_campaign_and_a_sold_out_item_are_taken_up(shop: Shop) -> None:
    shop.ads.run(MILK)
    shop.ads.run(replace(MILK, status="paused"))
    assert ask(shop)["ads"] == []
    shop.ads.source.unreadable = {"cmp_x": "targets are of a newer version."}
    shop.ads.run(BREAD)
    assert [ad["item_id"] for ad in ask(shop)["ads"]] == ["bread"]
    assert shop.ads.watch.left_out == {"cmp_x": "targets are of a newer version."}


def test_only_an_operator_is_told_who_bids_what(open_shop: OpenShop) -> None:
    keys = FakeKeyStore()
    shop = open_shop(keys=keys)
    secrets = {role: keys.make(role, role) for role in (Role.STOREFRONT, Role.OPERATOR)}
    shop.deployment.gate.keys.check()
    shop.ads.run(MILK, BREAD)
    body = {"user_id": "ann", "explain": True}

    def told(role: Role) -> Any:
        return shop.client.post("/v1/ads", json=body, headers={"X-API-Key": secrets[role]})

    assert (told(Role.STOREFRONT).status_code, error_of(told(Role.STOREFRONT))["code"]) == (403, "forbidden")
    (ad,) = told(Role.OPERATOR).json()["ads"]
    explanation = ad["explanation"]
    assert (explanation["campaign_id"], explanation["bid_micros"]) == ("cmp_milk", 400_000)
    assert 300_000 <= explanation["price_micros"] <= 300_001
    assert explanation["next_item_id"] == "bread"
    assert "milk pays" in explanation["text"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"slots": 5}, "slots"),
        ({"slots": 0}, "slots"),
        ({"surface": "moon"}, "surface"),
        ({"surface": "search"}, "surface 'search' needs query"),
        ({"surface": "home", "context": {"query": "x"}}, "surface 'home' takes no query"),
        ({"context": {"query": "x", "item_id": "milk"}}, "query and item_id are given"),
        ({"context": {"colour": "red"}}, "context.colour"),
    ],
)
def test_what_does_not_fit_is_named(shop: Shop, body: dict[str, Any], said: str) -> None:
    answer = shop.client.post("/v1/ads", json=body)
    assert answer.status_code == 422
    assert said in error_of(answer)["message"]
