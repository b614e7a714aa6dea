"""Why a fixed bid is throttled and an automatic one lowered: the same controller in second-price auctions."""

import math
from statistics import NormalDist

import pytest

from recsys.ads.pacing.throttle import paced_bid_micros
from tests.ads.pacing.simulated_days import (
    LOCAL_CURVE,
    PRICE,
    Ad,
    DayRecord,
    Level,
    local,
    simulate,
    utc_forecast,
    whole_day_plan,
)

CURVE = utc_forecast(LOCAL_CURVE)
BID, SPREAD = 2 * PRICE, 0.5
NORMAL = NormalDist()


def share_below(bid: int) -> float:
    """The share of auctions whose highest rival bid, log-normal around PRICE, is below `bid`."""
    return NORMAL.cdf(math.log(max(bid, 1) / PRICE) / SPREAD)


def price_below(bid: int) -> int:
    """The mean of rival bids below `bid`, which is what a winner pays."""
    mean = PRICE * math.exp(SPREAD**2 / 2) * NORMAL.cdf(math.log(max(bid, 1) / PRICE) / SPREAD - SPREAD)
    return max(round(mean / max(share_below(bid), 1e-9)), 1)


def throttled(participation: float) -> tuple[float, int]:
    return participation, price_below(BID)


def multiplied(participation: float) -> tuple[float, int]:
    bid = paced_bid_micros(BID, participation)
    return share_below(bid) / share_below(BID), price_below(bid)


def multiplied_against_one_steady_rival(participation: float) -> tuple[float, int]:
    return float(paced_bid_micros(BID, participation) > PRICE), PRICE


def day(response: object, demand: float) -> tuple[Ad, DayRecord]:
    level = Level(whole_day_plan(CURVE))
    ad = Ad([level], demand, response)  # type: ignore[arg-type]
    return ad, simulate([ad], CURVE, seed=1)[id(level)]


def dark_share(ad: Ad) -> float:
    """The share of ten-second steps from 20:00 to 21:00, the busiest hour, in which the ad is not shown."""
    first = int((local(20) - local(0)).total_seconds()) // 10
    steps = ad.shown[first : first + 360]
    return sum(shown == 0 for shown in steps) / len(steps)


@pytest.mark.parametrize(("demand", "least_gain"), [(1.3, 1.08), (3.0, 1.4), (10.0, 1.9)])
def test_where_rivals_vary_a_lowered_bid_buys_more_clicks_and_both_follow_the_plan(
    demand: float, least_gain: float
) -> None:
    (throttling, plain), (lowering, lowered) = (day(each, demand) for each in (throttled, multiplied))
    assert max(plain.error, lowered.error) <= 0.02
    assert min(plain.share, lowered.share) >= 0.997
    assert lowering.charged_clicks >= least_gain * throttling.charged_clicks


def test_against_one_steady_rival_a_lowered_bid_wins_nothing_more_and_shows_in_bursts() -> None:
    """A reserve is such a rival too: a bid that is lowered below it wins nothing at all."""
    throttling, _ = day(lambda participation: (participation, PRICE), 10.0)
    lowering, _ = day(multiplied_against_one_steady_rival, 10.0)
    assert lowering.charged_clicks <= 1.001 * throttling.charged_clicks
    assert dark_share(throttling) <= 0.01
    assert dark_share(lowering) >= 0.4
