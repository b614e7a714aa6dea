"""What an event of an ad costs, or why it is not billed."""

from datetime import timedelta

import pytest

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.charging.judgment import AdEvent, BillingRules
from recsys.ads.charging.reasons import INVALID_TRAFFIC, NotBilled
from recsys.ads.ledger.charges import Charge
from recsys.ads.tokens.impression_token import ImpressionTokens
from recsys.ads.tokens.keys import TokenKeys
from recsys.events import Cancel, Cart, Click, Impression, Purchase
from tests.ads.charging.tokened_events import IMPRESSION, SERVED, WEEK, event, judged, served

CPM = served(pricing=PricingCode.CPM, price_micros=300)
CPA = served(pricing=PricingCode.CPA)


def test_a_click_with_its_token_is_charged_at_the_price_that_was_signed() -> None:
    judgment = judged(event())
    assert judgment.reason is None
    assert judgment.charge == Charge(
        "slot-1", "click", "acc_1", "cmp_1", "lin_1", 400_000_000, SERVED, SERVED + timedelta(seconds=60)
    )


def test_a_viewable_impression_of_a_cpm_of_300_micros_costs_300_nanos() -> None:
    charge = judged(event(Impression, impression=CPM, viewable=True)).charge
    assert charge is not None
    assert (charge.event, charge.price_nanos) == ("viewable", 300)


def test_a_purchase_is_charged_until_the_attribution_ends() -> None:
    charge = judged(event(Purchase, WEEK, impression=CPA)).charge
    assert charge is not None
    assert (charge.event, charge.is_late) == ("purchase", False)
    assert judged(event(Purchase, WEEK + 1, impression=CPA)).reason is NotBilled.LATE


def test_a_click_after_30_minutes_is_a_late_charge_which_the_books_keep_as_free() -> None:
    for seconds, is_late in ((1800, False), (1801, True)):
        charge = judged(event(seconds=seconds)).charge
        assert charge is not None
        assert charge.is_late is is_late


OTHER_SHOP = ImpressionTokens(TokenKeys("k1", {"k1": b"s" * 32}), "shop-2").encode(IMPRESSION)
OTHER_KEY = ImpressionTokens(TokenKeys("k1", {"k1": b"x" * 32}), "shop-1").encode(IMPRESSION)


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        (event(token=None), NotBilled.NO_TOKEN),
        (event(token="me"), NotBilled.FORGED),
        (event(token=OTHER_SHOP), NotBilled.FORGED),
        (event(token=OTHER_KEY), NotBilled.FORGED),
        (event(item_id="p8"), NotBilled.OTHER_ITEM),
        (event(user_id="u2"), NotBilled.OTHER_UNIT),
        (event(Impression), NotBilled.OTHER_EVENT),
        (event(Cart), NotBilled.OTHER_EVENT),
        (event(Purchase), NotBilled.OTHER_EVENT),
        (event(Cancel, impression=CPA), NotBilled.OTHER_EVENT),
        (event(Click, impression=CPM), NotBilled.OTHER_EVENT),
        (event(Impression, impression=CPM), NotBilled.UNMEASURED),
        (event(Impression, impression=CPM, viewable=False), NotBilled.NOT_VIEWABLE),
        (event(user_id="boss", impression=served(unit="user:boss")), NotBilled.OWN_USER),
        (event(seconds=WEEK + 1), NotBilled.LATE),
    ],
)
def test_what_is_not_billed_says_why(each: AdEvent, reason: NotBilled) -> None:
    judgment = judged(each)
    assert judgment.reason is reason
    assert judgment.charge is None
    assert judgment.is_invalid is (reason in INVALID_TRAFFIC)


def test_an_ad_served_to_a_session_is_clicked_by_the_user_of_that_session() -> None:
    each = event(user_id="u2", impression=served(unit="session:s1"))
    assert judged(each, session_id="s1").charge is not None
    assert judged(each, session_id="s2").reason is NotBilled.OTHER_UNIT
    assert judged(each).reason is NotBilled.OTHER_UNIT


def test_own_users_are_those_of_the_account_that_pays() -> None:
    each = event(user_id="boss", impression=served(unit="user:boss"))
    assert judged(each, rules=BillingRules(WEEK, {"acc_2": {"boss"}})).charge is not None


def test_a_clients_clock_moves_an_event_neither_before_its_ad_nor_behind_its_arrival() -> None:
    ahead = judged(event(seconds=500), accepted_at=SERVED + timedelta(seconds=60))
    behind = judged(event(seconds=-500), accepted_at=SERVED + timedelta(seconds=60))
    assert ahead.occurred_at == SERVED + timedelta(seconds=60)
    assert behind.occurred_at == SERVED


@pytest.mark.parametrize(
    ("each", "leads"),
    [
        (event(impression=CPA), True),
        (event(seconds=1801, impression=CPA), False),
        (event(), False),
        (event(Impression, impression=CPA), False),
        (event(user_id="u2", impression=CPA), False),
    ],
)
def test_a_click_in_time_on_an_ad_sold_by_purchase_may_lead_to_one(each: AdEvent, leads: bool) -> None:
    assert judged(each).may_lead_to_purchase is leads
