"""What an event costs, to the thousandth of a micro, and when it is late."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import hypothesis.strategies as st
import pytest
from hypothesis import given

from recsys.ads.ledger.charges import BILLABLE, Charge, ChargedEvent, due_micros, event_price_nanos

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def charge(event: ChargedEvent, after: timedelta, token: str = "t", nanos: int = 1) -> Charge:
    return Charge(token, event, "acc_1", "cmp_1", "lin_1", nanos, NOON, NOON + after)


@given(st.lists(st.integers(0, 10**12), max_size=30), st.integers(0, 999))
def test_nothing_is_rounded_away(prices: list[int], before: int) -> None:
    billed, remainder = 0, before
    for price, sold in zip(prices, accumulate(prices), strict=True):
        micros, remainder = due_micros(price, remainder)
        billed += micros
        assert 0 <= remainder < 1000
        assert billed * 1000 + remainder == before + sold


def test_a_thousand_impressions_of_a_cpm_of_300_micros_cost_300_micros() -> None:
    billed, remainder = 0, 0
    for _ in range(1000):
        micros, remainder = due_micros(event_price_nanos("cpm", 300), remainder)
        billed += micros
    assert (billed, remainder) == (300, 0)


def test_clicks_and_impressions_are_late_after_30_minutes_and_purchases_never() -> None:
    for event in ("click", "viewable"):
        assert not charge(event, BILLABLE).is_late
        assert charge(event, BILLABLE + timedelta(microseconds=1)).is_late
    assert not charge("purchase", timedelta(days=30)).is_late
    assert not charge("click", timedelta(seconds=-1)).is_late  # clocks of two machines


def test_a_charge_is_known_by_its_event_and_token() -> None:
    assert charge("click", BILLABLE, "a:b").key == "click:a:b"
    with pytest.raises(ValueError, match="has not 1 to 128 characters"):
        charge("click", BILLABLE, "")
    with pytest.raises(ValueError, match="has not 1 to 128 characters"):
        charge("click", BILLABLE, "t" * 129)
    with pytest.raises(ValueError, match="price -1 is below 0"):
        charge("click", BILLABLE, nanos=-1)
