"""What holds of every run: no budget is overspent, money adds up, and equal arguments give equal results."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys.ads.auction.placement import PriceRule, Reserves
from recsys.simulation.ads.billing import Outage
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.run import PolicyRun, market_traffic, run_policy
from tests.simulation.ads.markets import AUCTIONS, DEFAULT, EXACT, all_runs, small_market, small_run

FIRST = AdPolicy("first", price_rule=PriceRule.FIRST)
FEW = 1500  # auctions in one day


def run_few(policy: AdPolicy, outages: Sequence[Outage] = ()) -> PolicyRun:
    return run_policy(small_market(), policy, market_traffic(small_market(), 1, FEW), outages=outages)


def test_no_budget_is_overspent_and_revenue_is_what_campaigns_spent() -> None:
    campaigns = {campaign.campaign_id for campaign in small_market().campaigns}
    for run in all_runs():
        assert all(record.spent_micros <= record.budget_micros for record in run.budget_days)
        spent = sum(each.spent_micros for each in run.budget_days if each.entity_id in campaigns)
        assert run.tally.revenue.sum() == spent


def test_every_request_is_answered_and_no_more_slots_are_filled_than_there_are() -> None:
    for run in all_runs():
        assert run.tally.requests.sum() == AUCTIONS
        assert run.tally.filled.sum() <= 3 * AUCTIONS
        assert run.tally.bins[:, :, 0].sum() == run.tally.filled.sum()


def test_clicks_are_as_many_as_their_true_probabilities_say() -> None:
    tally = small_run(DEFAULT).tally
    expected = tally.expected_clicks.sum()
    assert tally.true.sum() == pytest.approx(expected)
    assert abs(tally.clicks.sum() - expected) < 4 * np.sqrt(expected)


def test_a_controller_keeps_nearer_to_the_plan_than_equal_hours() -> None:
    """By the distance in money: of a budget of a few charges a day one charge is a distance of its own."""
    paced, equal = (
        sum(each.error * each.budget_micros for each in run.budget_days if each.is_whole)
        for run in all_runs()
    )
    assert paced < equal


def test_the_same_run_again_is_the_same() -> None:
    one, again = run_few(FIRST), run_few(FIRST)
    assert one.tally.revenue.tolist() == again.tally.revenue.tolist()
    assert one.tally.bins.tolist() == again.tally.bins.tolist()


def test_without_an_error_the_probabilities_used_are_the_truth_in_every_slot() -> None:
    tally = run_few(EXACT).tally
    assert tally.predicted == pytest.approx(tally.true, rel=1e-4)


def test_winners_are_overestimated_where_the_predictor_errs() -> None:
    """Of errors with opposite signs the auction picks the upward ones: what is shown is above the truth."""
    noisy = AdPolicy("noisy", predictor_noise=0.6, predictor_views=0)
    market = small_market()
    opposite = replace(market, errors=-market.errors)
    tallies = [run_policy(each, noisy, market_traffic(each, 1, FEW)).tally for each in (market, opposite)]
    predicted, true = (sum(t.predicted[0, 0] for t in tallies), sum(t.true[0, 0] for t in tallies))
    assert predicted > 1.02 * true


def test_a_first_price_auction_takes_what_is_bid() -> None:
    """Without budgets in the way each charge is the bid, so revenue over charges is not below GSP's."""
    unpaced = replace(FIRST, pacing="none")
    gsp = replace(DEFAULT, pacing="none")
    first, second = (run_few(each).tally for each in (unpaced, gsp))
    assert first.revenue.sum() / first.charges.sum() > second.revenue.sum() / second.charges.sum()


def test_a_reserve_above_all_bids_leaves_every_slot_organic() -> None:
    dear = Reserves(*[10**12] * 3)
    tally = run_few(replace(DEFAULT, reserves=dear)).tally
    assert (tally.filled.sum(), tally.revenue.sum()) == (0, 0)


def test_a_charge_worker_that_stops_for_a_minute_overspends_nothing_and_few_events_are_free() -> None:
    """At 12:00, 20:00 and 23:00; what waits is charged at the end of the minute."""
    outages = [(hour * 3600.0, hour * 3600.0 + 60) for hour in (12, 20, 23)]
    run = run_few(DEFAULT, outages=outages)
    assert all(each.spent_micros <= each.budget_micros for each in run.budget_days)
    tally = run.tally
    assert tally.over_budget.sum() <= 0.03 * tally.charges.sum()


def test_exploration_gives_slots_within_its_budget_and_none_gives_none() -> None:
    """Of all slots a tenth and the first 20, and the slots of the request that passes it."""
    bold = replace(DEFAULT, exploration="thompson", exploration_strength=3.0, predictor_noise=1.0)
    bold = replace(bold, warm_up_impressions=0, warm_up_share=0.1, warm_up_slots=20)
    explored, plain = run_few(bold).tally, run_few(DEFAULT).tally
    assert 0.05 * explored.filled.sum() < explored.explored.sum() <= 0.1 * explored.filled.sum() + 20 + 3
    assert plain.explored.sum() == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"pacing": "bid", "exploration": "thompson", "quality_exponent": 0.5},
        {"price_rule": PriceRule.VCG, "bid_percent": 50, "most_per_account": 1},
    ],
)
def test_whatever_a_policy_changes_no_budget_is_overspent(changed: dict[str, Any]) -> None:
    run = run_few(replace(DEFAULT, **changed))
    assert all(each.spent_micros <= each.budget_micros for each in run.budget_days)
    assert run.tally.filled.sum() > 0
