"""Gives the campaigns of a market budgets that bind: parts of what each would spend if nothing bounded it."""

from dataclasses import dataclass, replace

import numpy as np

from recsys.ads.auction.auction import run_auction
from recsys.ads.auction.candidates import Candidates, PricingCode
from recsys.ads.auction.placement import Placement
from recsys.ads.campaigns.bidding import Budget
from recsys.arrays import DoubleArray
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.policy import AdPolicy
from recsys.simulation.ads.predictor import ErringPredictor
from recsys.simulation.ads.run import market_traffic

PILOT_REQUESTS = 3000
LARGE_DEMAND = (1.4, 2.0)  # demand of the campaigns that target everything, in budgets
OTHER_DEMAND = (0.7, 5.0)  # of the others, evenly on a logarithmic scale
ACCOUNT_SHARE = 0.25  # of accounts with several campaigns that have a budget of their own
ACCOUNT_PART = 0.7  # which is this part of their campaigns' budgets together
LEAST_BUDGET = 10_000_000  # micros


@dataclass(frozen=True)
class _Amounts:
    """Micros a day by the number of the campaign, and by the id of the account."""

    campaigns: list[int]
    accounts: dict[str, int]


def with_budgets(market: Market, requests_per_day: float, large: int) -> Market:
    """The market with budgets a day, drawn from its seed.

    Args:
        large: how many campaigns, the first ones, have plenty of demand and an account to themselves.
    """
    amounts = _amounts(market, requests_per_day, large)
    campaigns = tuple(
        replace(campaign, budget=Budget(day_micros=amounts.campaigns[number]))
        for number, campaign in enumerate(market.campaigns)
    )
    accounts = tuple(
        replace(account, budget_day_micros=amounts.accounts.get(account.account_id))
        for account in market.accounts
    )
    return replace(market, campaigns=campaigns, accounts=accounts)


def _amounts(market: Market, requests_per_day: float, large: int) -> _Amounts:
    rng = np.random.default_rng([market.seed, 20])
    costs = _costs_of_requests(market) * requests_per_day
    low, high = np.log(OTHER_DEMAND)
    demand = np.exp(rng.uniform(low, high, len(costs)))
    demand[:large] = rng.uniform(*LARGE_DEMAND, large)
    budgets = [max(int(cost / part), LEAST_BUDGET) for cost, part in zip(costs, demand, strict=True)]
    of_account: dict[str, list[int]] = {}
    for campaign, budget in zip(market.campaigns, budgets, strict=True):
        of_account.setdefault(campaign.account_id, []).append(budget)
    bounded = {
        account_id: int(ACCOUNT_PART * sum(own))
        for account_id, own in sorted(of_account.items())
        if len(own) > 1 and rng.random() < ACCOUNT_SHARE
    }
    return _Amounts(budgets, bounded)


def _costs_of_requests(market: Market) -> DoubleArray:
    """(C,) what each campaign would spend on a request on average, in micros, if no budget bounded any."""
    ads, placement = market.ads, Placement(market.truth.examination)
    traffic = market_traffic(market, 1, PILOT_REQUESTS)
    predictor = ErringPredictor(market, AdPolicy("pilot", predictor_noise=0.0))
    costs = np.zeros(len(market.campaigns))
    for requests in traffic.blocks():
        true = predictor.predict(requests).true
        for row, page in enumerate(requests.page.tolist()):
            rows = market.matched[page]
            candidates = Candidates(
                ad=rows,
                account=ads.account[rows],
                product=ads.product[rows],
                bid_micros=ads.bid_micros[rows],
                pricing=ads.pricing[rows],
                attraction=true[row, rows],
                p_purchase=ads.p_purchase[rows],
                quality=np.ones(len(rows)),
                can_pay=np.ones(len(rows), bool),
            )
            for slot in run_auction(candidates, placement, row).slots:
                per_view = 1 / 1000 if slot.pricing is PricingCode.CPM else true[row, slot.ad]
                per_view *= ads.p_purchase[slot.ad] if slot.pricing is PricingCode.CPA else 1.0
                viewed = placement.examination[slot.position - 1]
                costs[ads.campaign[slot.ad]] += slot.price_micros * per_view * viewed
    return costs / traffic.requests
