"""What the charge worker makes of events; where SQL matters, on SQLite and on a real PostgreSQL alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import Budget
from recsys.ads.campaigns.campaign import Line
from recsys.ads.pacing.budget_gate import BudgetLevel, HoldRequest
from recsys.config import Settings
from recsys.errors import LeaseLostError, StoreUnavailableError
from recsys.events import Cancel, Impression, Purchase
from recsys.jobs.ads.charging.event_charging import received_event
from recsys.service_settings import AdsSettings
from recsys.streaming.stream import Entry, partition_of
from tests.jobs.ads.charging.charging_shop import (
    ACME,
    ANN,
    PARTITIONS,
    PRICE,
    ChargingShop,
    campaign,
    charging_shop,
    served,
)
from tests.stores.ads.books_shop import NOON


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def shop(settings: Settings) -> Iterator[ChargingShop]:
    with charging_shop(settings, campaign("cpc"), campaign("cpm"), campaign("cpa")) as opened:
        yield opened


@pytest.fixture
def shop_on_either(either_database: Settings) -> Iterator[ChargingShop]:
    with charging_shop(either_database, campaign("cpc"), campaign("cpm"), campaign("cpa")) as opened:
        yield opened


def held(shop: ChargingShop, slot_id: str) -> HoldRequest:
    return HoldRequest("acc_1", slot_id, (BudgetLevel("cmp_cpc/total", 10_000),), 20, "cpc")


def test_a_click_is_charged_once_and_its_hold_ends_with_what_it_cost(shop: ChargingShop) -> None:
    shop.keeper.keep()
    assert shop.gate.hold(held(shop, "s1")) is None
    shop.send(served("s1"))
    shop.send(served("s1"))  # a second click on the ad
    assert shop.charge() == {"charged": 1, "duplicate": 1, "micros": PRICE}
    usage = shop.gate.usage("acc_1", ["cmp_cpc/total", "cmp_cpc/2026-05-01", "lin_cpc/total", "acc_1/total"])
    assert set(usage.spent.values()) == {PRICE}
    assert usage.held["cmp_cpc/total"] == 0


def test_events_of_one_batch_are_charged_with_their_prices(shop_on_either: ChargingShop) -> None:
    for slot in ("a", "b", "c"):
        shop_on_either.send(served(slot))
    for slot in range(10):
        shop_on_either.send(served(f"i{slot}", "cpm"), Impression, viewable=True)
    shop_on_either.send(served("p", "cpa"), Purchase)
    # Clicks and the purchase cost 400 each; ten impressions at 400 micros a thousand cost 4.
    assert shop_on_either.charge() == {"charged": 14, "micros": 4 * PRICE + 4}
    assert [shop_on_either.spent(f"cmp_{each}") for each in ("cpc", "cpm", "cpa")] == [1200, 4, 400]


def test_above_the_budget_a_click_is_free_and_counted(settings: Settings) -> None:
    with charging_shop(settings, campaign("cpc", Budget(day_micros=1000))) as shop:
        for slot in ("a", "b", "c"):
            shop.send(served(slot))
        assert shop.charge() == {"charged": 2, "over_budget": 1, "micros": 800}
        assert shop.spent("cmp_cpc") == 800


@pytest.mark.parametrize("seconds", [1801, 5 * 86_400])
def test_a_late_click_is_free(shop: ChargingShop, seconds: float) -> None:
    shop.send(served("a"), seconds=seconds)
    assert shop.charge() == {"late": 1}


def test_what_is_not_billed_moves_nothing(shop: ChargingShop) -> None:
    shop.send(served("a"), Impression, viewable=True)  # of a campaign that pays for clicks
    shop.send(served("b", "cpm"), Impression)  # nobody measured
    shop.send(served("b", "cpm"), Impression, viewable=False)
    shop.send(cls=Purchase)  # organic
    shop.send(None)
    assert shop.charge() == {}
    assert shop.books.budgets() == ()
    assert shop.traffic.invalid_events(None) == []


def test_invalid_traffic_is_kept_with_its_reason_and_never_billed(shop_on_either: ChargingShop) -> None:
    shop_on_either.traffic.change_own_users(ACME, ["boss"], [], ANN)
    shop_on_either.send("me")
    shop_on_either.send(served("a"), item_id="2")
    shop_on_either.send(served("b"), user_id="u2")
    shop_on_either.send(served("c", unit="user:boss"), user_id="boss")
    assert shop_on_either.charge() == {"invalid": 4}
    reasons = {each.reason: each.account_id for each in shop_on_either.traffic.invalid_events(None)}
    assert reasons == {"forged": None, "other_item": "acc_1", "other_unit": "acc_1", "own_user": "acc_1"}
    assert len(shop_on_either.traffic.invalid_events("acc_1")) == 3
    assert {each.price_nanos for each in shop_on_either.traffic.invalid_events("acc_1")} == {PRICE * 1000}
    assert shop_on_either.books.budgets() == ()


def test_a_visitor_whom_the_answer_did_not_know_is_charged_by_the_answer(shop: ChargingShop) -> None:
    visitor = served("a", unit="request:r9", request_id="r9")
    shop.send(visitor, user_id="cookie-17", request_id="r9")
    shop.send(served("b", unit="request:r9"), user_id="cookie-17", request_id="another answer")
    assert shop.charge() == {"charged": 1, "invalid": 1, "micros": PRICE}


def test_nothing_is_learned_from_marked_events_and_from_slots_that_were_written_off(
    shop: ChargingShop,
) -> None:
    shop.send("me", event_id="forged")
    shop.send(served("a"))
    shop.send(served("b:c"))
    shop.charge()
    shop.books.return_charge("click:a", "refund")
    shop.books.return_charge("click:b:c", "write_off")
    assert shop.traffic.invalid_ids() == {"forged", "b:c"}


def test_clicks_faster_than_a_person_are_marked_after_the_limit(settings: Settings) -> None:
    limits = AdsSettings(velocity_clicks=3, velocity_seconds=60)
    with charging_shop(settings, campaign("cpc"), ads=limits) as shop:
        for second in range(5):
            shop.send(served(f"s{second}"), seconds=second)
        assert shop.charge() == {"charged": 3, "invalid": 2, "micros": 3 * PRICE}
        shop.send(served("s9"), seconds=500)
        assert shop.charge() == {"charged": 1, "micros": PRICE}
        assert {each.reason for each in shop.traffic.invalid_events("acc_1")} == {"velocity"}


def test_after_a_restart_clicks_before_it_count(settings: Settings) -> None:
    limits = AdsSettings(velocity_clicks=3, velocity_seconds=60)
    with charging_shop(settings, campaign("cpc"), ads=limits) as shop:
        for second in range(5):
            if second in (2, 4):
                shop.begin()
            shop.send(served(f"s{second}"), seconds=second)
            shop.charge()
        assert [each.occurred_at.second for each in shop.traffic.invalid_events("acc_1")] == [4, 3]
        shop.begin()
        shop.send(served("s9"), seconds=64)  # s2, the third last, was 62 seconds ago
        assert shop.charge() == {"charged": 1, "micros": PRICE}


def test_users_of_one_address_are_too_fast_together_where_addresses_are_looked_at(settings: Settings) -> None:
    limits = AdsSettings(velocity_address_clicks=2, velocity_seconds=60)
    with charging_shop(settings, campaign("cpc"), ads=limits) as shop:
        for number, origin in enumerate(["11.aa", "11.bb", "11.cc", "22.aa", ""]):
            token = served(f"s{number}", unit=f"user:robot-{number}")
            shop.send(token, seconds=60 + number, origin=origin, user_id=f"robot-{number}")
            shop.charge()
        (marked,) = shop.traffic.invalid_events("acc_1")
        assert (marked.reason, marked.token_id) == ("address_velocity", "s2")
        assert shop.spent("acc_1") == 4 * PRICE


def test_what_is_recalled_is_neither_charged_nor_marked(settings: Settings) -> None:
    limits = AdsSettings(velocity_clicks=1, velocity_seconds=60)
    with charging_shop(settings, campaign("cpc"), ads=limits) as shop:
        shop.send(served("a"), seconds=0)
        shop.send(served("b"), seconds=1)
        shop.charging.recall(shop.stream.logs[partition_of("u1", PARTITIONS)])
        assert (shop.spent("acc_1"), shop.traffic.invalid_events(None)) == (0, [])


def test_entries_that_are_read_again_change_nothing_whatever_they_were(either_database: Settings) -> None:
    limits = AdsSettings(velocity_clicks=3, velocity_seconds=60)
    with charging_shop(either_database, campaign("cpc"), campaign("cpa"), ads=limits) as shop:
        for second in range(5):
            shop.send(served(f"s{second}"), seconds=second)
        shop.send(served("p", "cpa"), seconds=70)
        shop.send(None, Purchase, seconds=80)
        first = shop.charge()
        assert first == {"charged": 4, "invalid": 2, "micros": 4 * PRICE}
        kept, marked = shop.books.budgets(), shop.traffic.invalid_events(None)
        for begins_anew in (False, True):
            shop.stream.committed = [0] * 3
            if begins_anew:
                shop.begin()
            assert shop.charge() == {"duplicate": 4}
            assert (shop.books.budgets(), shop.traffic.invalid_events(None)) == (kept, marked)


def test_a_purchase_without_a_token_is_charged_to_the_last_click_within_the_attribution(
    shop_on_either: ChargingShop,
) -> None:
    shop_on_either.send(served("a", "cpa"), seconds=10)
    shop_on_either.send(served("b", "cpa"), seconds=20)
    shop_on_either.send(served("c", "cpa", item="2"), seconds=30, item_id="2")  # another item
    shop_on_either.send(cls=Purchase, seconds=86_400)
    shop_on_either.send(cls=Purchase, seconds=86_500)  # that click is paid for
    assert shop_on_either.charge() == {"charged": 1, "micros": PRICE}
    assert shop_on_either.spent("cmp_cpa", "2026-05-02") == PRICE  # on the day of the purchase
    assert shop_on_either.books.return_charge("purchase:b", "refund").micros == PRICE


def test_no_click_or_one_too_long_ago_or_of_others_pays_no_purchase(shop: ChargingShop) -> None:
    shop.send(served("a", "cpa"))
    shop.send(cls=Purchase, seconds=60 + 7 * 86_400 + 1)
    shop.send(cls=Purchase, user_id="u2")
    shop.send(cls=Purchase, item_id="2")
    assert shop.charge() == {}


def test_the_click_of_a_session_pays_the_purchase_of_its_user(shop: ChargingShop) -> None:
    shop.send(served("a", "cpa", unit="session:s1"), session_id="s1", user_id="u7")
    shop.send(cls=Purchase, seconds=90, session_id="s1", user_id="u7")
    assert shop.charge() == {"charged": 1, "micros": PRICE}


def test_a_cancel_returns_the_charge_of_its_purchase(shop_on_either: ChargingShop) -> None:
    shop_on_either.send(served("a", "cpa"), Purchase, seconds=60)
    shop_on_either.send(served("a", "cpa"), Cancel, seconds=70)
    shop_on_either.send(served("b", "cpa"), seconds=80)
    shop_on_either.send(cls=Purchase, seconds=90)
    shop_on_either.send(cls=Cancel, seconds=100)  # it names no token: the latest purchase of the item
    shop_on_either.send(cls=Cancel, seconds=110)
    shop_on_either.send(cls=Cancel, seconds=110, user_id="u2")
    assert shop_on_either.charge() == {"charged": 2, "returned": 2, "micros": 2 * PRICE}
    assert (shop_on_either.spent("cmp_cpa"), shop_on_either.spent("cmp_cpa", "2026-05-01")) == (0, 0)


def test_a_cancel_on_a_later_day_does_not_open_the_day_of_the_purchase(shop: ChargingShop) -> None:
    shop.send(served("a", "cpa"), Purchase)
    shop.charge()
    shop.clock.now = NOON + timedelta(days=1)
    shop.send(served("a", "cpa"), Cancel, seconds=86_400)
    assert shop.charge() == {"returned": 1}
    assert (shop.spent("cmp_cpa"), shop.spent("cmp_cpa", "2026-05-01")) == (0, PRICE)


def test_an_account_or_line_that_the_database_lacks_is_counted_and_not_charged(shop: ChargingShop) -> None:
    shop.send(served("a", account="acc_9"))
    shop.send(served("b", line="lin_9"))
    assert shop.charge() == {"unknown": 2}


def test_nothing_is_done_with_until_the_database_has_it(shop: ChargingShop) -> None:
    shop.send(served("a"))
    shop.gate.away = True  # after the charge was written
    with pytest.raises(StoreUnavailableError), shop.worker() as worker:
        worker.drain()
    assert sum(each.lag for each in shop.stream.status()) == 1
    assert shop.spent("acc_1") == PRICE
    shop.gate.away = False
    shop.begin()
    shop.clock.now += timedelta(seconds=shop.ads.lease_seconds)  # of the worker that is gone
    assert shop.charge() == {"duplicate": 1}
    assert sum(each.lag for each in shop.stream.status()) == 0


def test_a_worker_waits_for_the_lease_of_one_that_was_killed(shop: ChargingShop) -> None:
    assert shop.books.take_lease("acc_1", "killed", 5.0) is not None
    shop.send(served("a"))
    assert shop.charge() == {"charged": 1, "micros": PRICE}
    assert shop.clock.now >= NOON + timedelta(seconds=5)


def test_a_worker_gives_up_where_another_one_lives(shop: ChargingShop) -> None:
    assert shop.books.take_lease("acc_1", "other", 3600.0) is not None
    shop.send(served("a"))
    with pytest.raises(LeaseLostError, match="acc_1"), shop.worker() as worker:
        worker.drain()
    assert sum(each.lag for each in shop.stream.status()) == 1


def test_what_is_no_event_of_an_ad_is_passed_over(shop: ChargingShop) -> None:
    for body in (b"", b'"token"', b'[1, "token"]', b'{"kind": "click", "token": 3}', b'{"kind": "purchase"}'):
        shop.stream.append([(0, body)], 1)
    assert shop.charge() == {}


def test_two_accounts_of_one_batch_are_charged_apart(shop: ChargingShop) -> None:
    other = Account("acc_2", "beta", "Asia/Tokyo", budget_day_micros=500)
    shop.campaigns.add_account(other, ANN)
    line = Line("lin_b", "main", ("1",))
    beta = replace(campaign("cpc", account="acc_2"), campaign_id="cmp_b", lines=(line,))
    shop.campaigns.add_campaign(beta, ANN)
    for slot in ("a", "b"):
        shop.send(served(slot))
        shop.send(served(f"b{slot}", account="acc_2", campaign="cmp_b", line="lin_b"))
    assert shop.charge() == {"charged": 3, "over_budget": 1, "micros": 3 * PRICE}
    assert (shop.spent("acc_1"), shop.spent("acc_2", "2026-05-01")) == (800, 400)


def test_an_entry_of_another_program_has_no_event() -> None:
    assert received_event(Entry(0, 1, b'{"token": NaN}', 0)) is None
