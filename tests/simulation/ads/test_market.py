"""A market is what its seed says: targets by the real index, budgets below demand, requests by the rhythm."""

from datetime import timedelta

import numpy as np
import pytest

from recsys.ads.matching.targeting import is_targeted
from recsys.instants import SECOND
from recsys.simulation.ads.advertisers import MarketSize, draw_market
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.predictor import ErringPredictor
from recsys.simulation.ads.run import STARTS, market_traffic
from recsys.simulation.rhythm import rate_at
from tests.simulation.ads.markets import DEFAULT, EXACT, SIZE, small_market


@pytest.fixture(scope="module")
def drawn() -> Market:
    return draw_market(5, MarketSize(accounts=10, campaigns=30, large=2))


def test_equal_seeds_give_equal_markets_and_others_do_not() -> None:
    one, again, other = (draw_market(seed, SIZE) for seed in (3, 3, 4))
    assert one.campaigns == again.campaigns
    assert one.ads.bid_micros.tolist() == again.ads.bid_micros.tolist() != other.ads.bid_micros.tolist()


def test_an_ad_is_matched_on_the_pages_that_its_campaign_targets(drawn: Market) -> None:
    for page, rows in zip(drawn.pages, drawn.matched, strict=True):
        targeted = [
            ad
            for ad, campaign in enumerate(drawn.ads.campaign.tolist())
            if is_targeted(drawn.campaigns[campaign].targets, page.request)
        ]
        assert rows.tolist() == targeted


def test_bids_are_below_what_the_event_is_worth(drawn: Market) -> None:
    share = drawn.ads.bid_micros / drawn.ads.value_micros
    assert (share >= 0.699).all()
    assert (share <= 1).all()


def test_large_campaigns_have_an_account_of_their_own_and_every_campaign_a_budget() -> None:
    market = small_market()
    owners = [campaign.account_id for campaign in market.campaigns]
    assert [owners.count(owner) for owner in owners[: SIZE.large]] == [1] * SIZE.large
    assert all(campaign.budget.day_micros for campaign in market.campaigns)


def test_requests_come_in_order_exactly_so_many_and_more_in_the_busy_hours() -> None:
    traffic = market_traffic(small_market(), 2, 5000)
    at = np.concatenate([block.at for block in traffic.blocks()])
    assert len(at) == 5000
    assert (np.diff(at) >= 0).all()
    counts = traffic.by_hour()
    starts = [STARTS + timedelta(hours=hour) for hour in range(48)]
    expected = [rate_at(round(start.timestamp()) * SECOND) for start in starts]
    assert np.corrcoef(counts, expected)[0, 1] > 0.9


def test_equal_traffic_is_drawn_equal_again() -> None:
    traffic = market_traffic(small_market(), 1, 300)
    for one, again in zip(traffic.blocks(), traffic.blocks(), strict=True):
        assert one.click.tolist() == again.click.tolist()
        assert one.shopper.tolist() == again.shopper.tolist()


def test_a_predictor_without_error_is_the_truth_and_a_bias_multiplies_odds() -> None:
    market = small_market()
    requests = next(market_traffic(market, 1, 50).blocks())
    exact = ErringPredictor(market, EXACT).predict(requests)
    assert exact.expected == pytest.approx(exact.true)
    twice = type(EXACT)("twice", predictor_noise=0.0, predictor_bias=2.0)
    used = ErringPredictor(market, twice).predict(requests).expected
    odds = used / (1 - used) / (exact.true / (1 - exact.true))
    assert odds == pytest.approx(2, rel=1e-4)


def test_half_of_the_variance_of_an_ads_error_is_left_after_as_many_views_as_the_policy_says() -> None:
    predictor = ErringPredictor(small_market(), DEFAULT)
    predictor.saw([0] * DEFAULT.predictor_views)
    assert predictor.spread[0] ** 2 == pytest.approx(DEFAULT.predictor_noise**2 / 2)
    assert predictor.spread[1] == pytest.approx(DEFAULT.predictor_noise)
