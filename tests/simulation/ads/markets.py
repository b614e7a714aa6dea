"""A small market, simulated once for all tests that only look at what came of it."""

from dataclasses import replace
from functools import cache

from recsys.simulation.ads.advertisers import MarketSize, draw_market
from recsys.simulation.ads.budgets import with_budgets
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.policy import AdPolicy, simplest_policy
from recsys.simulation.ads.run import PolicyRun, market_traffic, run_policy

SIZE = MarketSize(accounts=4, campaigns=6, large=2)
DAYS, AUCTIONS = 2, 6_000
DEFAULT = AdPolicy("default")
SIMPLEST = simplest_policy(DEFAULT)
EXACT = replace(DEFAULT, name="exact", predictor_noise=0.0)


@cache
def small_market() -> Market:
    """6 campaigns of 4 accounts with budgets for 3,000 requests a day."""
    return with_budgets(draw_market(3, SIZE), AUCTIONS / DAYS, SIZE.large)


@cache
def small_run(policy: AdPolicy) -> PolicyRun:
    """What `policy` does in it in two days."""
    return run_policy(small_market(), policy, market_traffic(small_market(), DAYS, AUCTIONS))


def all_runs() -> tuple[PolicyRun, PolicyRun]:
    """Those of the default policy and of the simplest one."""
    return small_run(DEFAULT), small_run(SIMPLEST)
