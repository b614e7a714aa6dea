"""POST /v1/page: organic and sponsored items in one list, on time whatever becomes of the ads."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from recsys.ads.campaigns.bidding import Budget
from recsys.ads.delivery.steps import Step
from recsys.experiments.experiment import Experiment
from recsys.service_settings import AdsSettings
from tests.ads.selection.small_market import ACME, BOLT, FixedPredictor, campaign
from tests.fake_world import ITEMS, NOW
from tests.serving.conftest import OpenShop, Shop
from tests.serving.test_app import error_of

MILK = campaign("milk", "milk", bid=400_000, budget=Budget(10**9))
TOAST = campaign("toast", "toast", account=BOLT, bid=300_000, budget=Budget(10**9))
WIDE = AdsSettings(page_seconds=60, page_percent=50, first_position=2, least_between=2)


@pytest.fixture
def shop(open_shop: OpenShop) -> Shop:
    return open_shop(ads=WIDE)


def ask(shop: Shop, **body: Any) -> Any:
    answer = shop.client.post("/v1/page", json={"user_id": "ann", "k": 6, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(page: Any) -> list[str]:
    return [item["item_id"] + ("*" if item["sponsored"] else "") for item in page["items"]]


def test_a_page_without_campaigns_is_what_the_recommender_says(shop: Shop) -> None:
    page = ask(shop)
    slate = shop.recommend(user_id="ann", k=6).json()
    assert shown(page) == [item["item_id"] for item in slate["items"]]
    assert (page["degraded"], page["total"], page["bundle_id"]) == ([], None, "bundle-1")
    assert {item["token"] for item in page["items"]} == {None}


def test_ads_stand_at_their_positions_labelled_and_their_organic_copies_are_gone(shop: Shop) -> None:
    organic = shown(ask(shop))
    shop.ads.run(MILK, TOAST)
    page = ask(shop)
    found = shown(page)
    assert [place for place, name in enumerate(found, 1) if name.endswith("*")] == [2, 5]
    assert (found[1], found[4]) == ("milk*", "toast*")
    assert [item["position"] for item in page["items"]] == [1, 2, 3, 4, 5, 6]
    assert [name for name in found if not name.endswith("*")] == [
        name
        for name in organic + [each for each in ITEMS if each not in organic]
        if name not in ("milk", "toast")
    ][:4]


def test_an_ad_is_auctioned_held_logged_and_shown_with_one_examination(shop: Shop) -> None:
    """The positions 2 and 5 are fixed before the auction; the predictor views position n once in n."""
    shop.ads.run(MILK, TOAST)
    page = ask(shop)
    by_item = {item["item_id"]: item for item in page["items"]}
    for slot in shop.ads.log.slots:
        item = by_item[slot.item_id]
        assert slot.position == item["position"]
        assert slot.examination == pytest.approx(1 / item["position"])
        token = shop.ads.tokens.decode(item["token"], NOW, 60)
        assert token.p == pytest.approx(0.02 / item["position"])
        assert slot.held_micros == pytest.approx(slot.price_micros * token.p, abs=1)


def test_an_ad_that_the_page_is_better_without_is_given_back(open_shop: OpenShop) -> None:
    shop = open_shop(ads=WIDE.model_copy(update={"click_worth_micros": 10**9}))
    shop.ads.predictor = FixedPredictor({"toast": 0.0001})
    shop.ads.run(MILK, replace(TOAST))
    assert [name for name in shown(ask(shop)) if name.endswith("*")] == ["milk*"]
    assert {slot.item_id for slot in shop.ads.log.slots} == {"milk"}
    assert shop.ads.held() == shop.ads.log.slots[0].held_micros
    (hour,) = shop.ads.counts.take()
    assert hour.steps == {("cmp_milk", Step.WON): 1, ("cmp_toast", Step.PAGE): 1}


def test_an_ad_does_not_stand_beside_what_its_campaign_refuses(shop: Shop) -> None:
    shop.ads.run(replace(MILK, never_beside=("fruit", "dairy", "bakery")))
    assert not any(name.endswith("*") for name in shown(ask(shop)))
    assert shop.ads.held() == 0


def test_the_next_page_goes_on_and_shows_nothing_twice(shop: Shop) -> None:
    shop.ads.run(MILK, TOAST)
    first = ask(shop, k=4)
    second = ask(shop, k=4, page_token=first["page_token"])
    third = ask(shop, k=4, page_token=second["page_token"])
    everything = [name.rstrip("*") for page in (first, second, third) for name in shown(page)]
    assert sorted(everything) == sorted(ITEMS), "each item once, then no more"


def test_the_other_surfaces_have_their_own_organic_items(shop: Shop) -> None:
    assert set(shown(ask(shop, item_id="apple", k=2))) == {"banana", "cherry"}
    category = ask(shop, category="dairy")
    assert (set(shown(category)), category["surface"], category["total"]) == (
        {"milk", "cheese", "yogurt"},
        "category",
        3,
    )
    search = ask(shop, query="milk")
    assert (shown(search)[0], search["surface"], search["total"]) == ("milk", "search", 1)
    assert shown(ask(shop, category="fruit", filters={"categories": ["dairy", "fruit"]}, k=3)) == shown(
        ask(shop, category="fruit", k=3)
    )


def test_organic_items_are_logged_by_the_position_that_they_have(shop: Shop) -> None:
    shop.ads.run(MILK)
    page = ask(shop, k=4)
    (record,) = [each for each in shop.deployment.answer_log.answers if each.request_id == page["request_id"]]
    places = [(item["item_id"], item["position"]) for item in page["items"] if not item["sponsored"]]
    assert [(item.item_id, item.position) for item in record.items] == places
    assert (record.surface, record.user_id) == ("home", "ann")


def test_who_is_held_out_gets_the_organic_page(shop: Shop) -> None:
    organic = shown(ask(shop))
    shop.ads.source.experiment = Experiment("ads", "salt", NOW - timedelta(days=1), share_ppm=999_999)
    shop.ads.run(MILK, TOAST)
    assert shown(ask(shop)) == organic
    assert {(slot.arm, slot.position) for slot in shop.ads.log.slots} == {("holdout", None)}
    assert shop.ads.held() == 0


def test_ads_that_are_late_do_not_hold_the_page_up_and_are_given_back(open_shop: OpenShop) -> None:
    shop = open_shop(ads=WIDE.model_copy(update={"page_seconds": 0.01}))
    shop.ads.run(MILK)
    go, hold = threading.Event(), shop.ads.gate.hold

    def slow(request: Any) -> Any:
        go.wait(60)
        return hold(request)

    shop.ads.gate.hold = slow  # type: ignore[method-assign]
    page = ask(shop)
    assert (page["degraded"], any(item["sponsored"] for item in page["items"])) == (["ads_late"], False)
    go.set()
    settle(shop)
    assert (shop.ads.held(), shop.ads.log.slots) == (0, [])
    (hour,) = shop.ads.counts.take()
    assert hour.steps == {("cmp_milk", Step.PAGE): 1}


def test_a_slow_log_does_not_hold_the_page_up_either(open_shop: OpenShop) -> None:
    shop = open_shop(ads=WIDE.model_copy(update={"page_seconds": 0.3}))
    shop.ads.run(MILK)
    go = threading.Event()
    shop.ads.log.wait = lambda: go.wait(60)
    page = ask(shop)
    assert (page["degraded"], any(item["sponsored"] for item in page["items"])) == (["ads_late"], False)
    go.set()
    settle(shop)
    assert shop.ads.held() == 0


def settle(shop: Shop) -> None:
    """Waits until what was abandoned is over: the pool of ads has nothing left to do."""
    pool = shop.deployment.ads.ads_pool
    for _ in range(2):
        barrier = threading.Barrier(5)
        waiting = [pool.submit(barrier.wait, 60) for _ in range(4)]
        barrier.wait(60)
        for each in waiting:
            each.result()


def test_a_fault_of_ads_costs_the_ads_and_not_the_page(shop: Shop, caplog) -> None:
    shop.ads.run(MILK)

    def broken(*_: Any) -> None:
        raise RuntimeError("it broke")

    shop.ads.gate.hold = broken  # type: ignore[method-assign]
    page = ask(shop)
    assert (len(page["items"]), page["degraded"]) == (6, ["ads_unavailable"])
    assert "the ads of a page failed" in caplog.text


@pytest.mark.parametrize("what", ["gate", "log"])
def test_what_is_away_costs_the_ads_and_not_the_page(shop: Shop, what: str) -> None:
    shop.ads.run(MILK)
    getattr(shop.ads, what).away = True
    page = ask(shop)
    assert (len(page["items"]), page["degraded"]) == (6, ["ads_unavailable"])
    assert not any(item["sponsored"] for item in page["items"])


def test_an_organic_fault_gives_the_ads_back(shop: Shop, monkeypatch) -> None:
    shop.ads.run(MILK)
    answer = shop.client.post("/v1/page", json={"item_id": "caviar"})
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_item")
    settle(shop)
    assert shop.ads.held() == 0


def test_an_account_alone_prices_itself_by_the_reserve(shop: Shop) -> None:
    shop.ads.run(MILK, replace(TOAST, account_id=ACME.account_id))
    ask(shop)
    assert {slot.price_micros for slot in shop.ads.log.slots} == {WIDE.reserve_cpc_micros}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"k": 51}, "k"),
        ({"surface": "product"}, "needs item_id"),
        ({"query": "x", "category": "dairy"}, "query and category are given"),
        ({"filters": {"attributes": {"colour": "red"}}}, "'colour'"),
    ],
)
def test_what_does_not_fit_is_named(shop: Shop, body: dict[str, Any], said: str) -> None:
    answer = shop.client.post("/v1/page", json=body)
    assert answer.status_code == 422
    assert said in error_of(answer)["message"]
