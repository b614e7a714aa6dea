"""Which slot a purchase without a token is charged to."""

from dataclasses import replace
from datetime import datetime, timedelta

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.charging.attribution import PurchaseSlot, cancelled_slot, last_click, purchase_charge, slot_of
from tests.ads.charging.tokened_events import SERVED, served

CPA = served(pricing=PricingCode.CPA)


def at(minutes: float) -> datetime:
    return SERVED + timedelta(minutes=minutes)


def clicked(token_id: str, minutes: float, purchase_id: str | None = None) -> PurchaseSlot:
    bought = at(minutes + 1) if purchase_id else None
    slot = replace(slot_of(CPA, at(minutes)), token_id=token_id)
    return replace(slot, purchase_id=purchase_id, purchased_at=bought)


def test_the_last_click_before_the_purchase_pays() -> None:
    slots = [clicked("a", 1), clicked("b", 3), clicked("c", 9)]
    assert last_click(slots, "p1", at(5), 600) == slots[1]


def test_a_click_before_the_window_does_not_pay() -> None:
    assert last_click([clicked("a", 0)], "p1", at(10), 600) == clicked("a", 0)
    assert last_click([clicked("a", 0)], "p1", at(10.1), 600) is None


def test_a_click_is_paid_for_once() -> None:
    assert last_click([clicked("a", 1), clicked("b", 2, "p1")], "p2", at(9), 600) is None


def test_a_purchase_that_is_told_again_stays_with_its_click_though_another_came_to_light() -> None:
    slots = [clicked("a", 1, "p1"), clicked("b", 2)]
    assert last_click(slots, "p1", at(5), 600) == slots[0]


def test_the_charge_is_of_the_purchases_instant_and_of_the_served_ads_price() -> None:
    charge = purchase_charge(clicked("a", 1), at(5))
    assert (charge.key, charge.price_nanos, charge.occurred_at) == ("purchase:a", 400_000_000, at(5))


def test_a_cancel_takes_the_latest_purchase_before_it_back() -> None:
    slots = [clicked("a", 1, "p1"), clicked("b", 5, "p2"), clicked("c", 9, "p3"), clicked("d", 2)]
    assert cancelled_slot(slots, at(7)) == slots[1]
    assert cancelled_slot(slots, at(1)) is None
