"""Draws a market: accounts, campaigns and what shoppers think of them, all from one seed."""

from dataclasses import dataclass

import numpy as np

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import PRICINGS, FixedBid, MostClicks, Pricing
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.status import APPROVED
from recsys.ads.campaigns.targets import Keyword, Surface, Targets
from recsys.ads.matching.target_index import TargetIndex
from recsys.arrays import DoubleArray, IntArray
from recsys.simulation.ads.market import PRICING_CODES, AdTable, Market, Truth
from recsys.simulation.ads.pages import (
    CATEGORIES,
    ITEMS_WITH_PAGES,
    AdPage,
    matched_campaigns,
    page_item_id,
    page_weights,
    shop_pages,
)

ZONES = ("UTC", "Europe/Berlin", "Asia/Shanghai")
EXAMINATION = (0.9, 0.65, 0.45)
SHOPPERS = 5000
DIMENSIONS = 6
BIAS, BIAS_SPREAD = -3.4, 0.4  # log-odds of a click: mean and spread over ads
TASTE = 0.7  # standard deviation of what a shopper's taste adds to them
PAGE_LIFT = 1.0  # what a page about the ad's own category adds
MEDIAN_VALUE, VALUE_SPREAD = 500_000, 0.5  # micros a click is worth, log-normal
PRICING_SHARES = (0.6, 0.2, 0.2)  # of campaigns, in the order of PRICINGS
CAPPED_SHARE, AUTOMATIC_SHARE = 0.2, 0.2
_CAP = FrequencyCap(3, 86_400)


@dataclass(frozen=True)
class MarketSize:
    """How many advertisers there are.

    Attributes:
        large: campaigns that target every page; they have the largest budgets.
    """

    accounts: int = 20
    campaigns: int = 50
    large: int = 5


def draw_market(seed: int, size: MarketSize | None = None) -> Market:
    """A market without budgets; equal arguments give equal markets."""
    size = size or MarketSize()
    rng = np.random.default_rng([seed, 10])
    pages = shop_pages()
    accounts = tuple(
        Account(f"acc_{number}", f"advertiser {number}", ZONES[number % len(ZONES)])
        for number in range(size.accounts)
    )
    categories = rng.permutation(np.arange(size.campaigns) % len(CATEGORIES))
    campaigns: list[Campaign] = []
    owners, values, ads_of = [], [], []
    for number in range(size.campaigns):
        is_large = number < size.large
        # No account has two of the large ones: each shall follow its own plan.
        owner = number if is_large else int(rng.integers(size.large, size.accounts))
        value = MEDIAN_VALUE * float(np.exp(VALUE_SPREAD * rng.normal()))
        value = max(value, 1.2 * MEDIAN_VALUE) if is_large else value
        pricing = PRICINGS[int(rng.choice(3, p=PRICING_SHARES))] if number >= 2 else "cpc"
        items = 3 if is_large else int(rng.integers(1, 4))
        campaigns.append(
            _campaign(number, accounts[owner], pricing, int(categories[number]), items, is_large, rng)
        )
        owners.append(owner)
        values.append(value)
        ads_of += [number] * items
    return _market(seed, accounts, campaigns, owners, values, np.array(ads_of, np.int64), categories, pages, rng)


def _campaign(
    number: int,
    account: Account,
    pricing: Pricing,
    category: int,
    items: int,
    is_large: bool,
    rng: np.random.Generator,
) -> Campaign:
    """A campaign without a bid; its targets are its category, its words, items beside it, or everything."""
    is_automatic = not is_large and pricing == "cpc" and rng.random() < AUTOMATIC_SHARE
    is_capped = not is_large and rng.random() < CAPPED_SHARE
    line = Line(f"lin_{number}", "main", tuple(f"ad-{number}-{item}" for item in range(items)))
    return Campaign(
        campaign_id=f"cmp_{number}",
        account_id=account.account_id,
        name=f"campaign {number}",
        pricing=pricing,
        bidding=MostClicks() if is_automatic else FixedBid(0),
        review=APPROVED,
        targets=Targets() if is_large else _targets(category, rng),
        lines=(line,),
        frequency_cap=_CAP if is_capped else None,
    )


def _targets(category: int, rng: np.random.Generator) -> Targets:
    name = CATEGORIES[category]
    kind = rng.choice(["category", "keywords", "items", "search", "everything"], p=[0.35, 0.2, 0.1, 0.15, 0.2])
    surfaces: tuple[Surface, ...] = ("search",)
    if kind == "category":
        return Targets(categories=(name,))
    if kind == "keywords":
        return Targets(keywords=(Keyword(name), Keyword("family", negative=True)))
    if kind == "items":
        return Targets(items=tuple(page_item_id(category, item) for item in range(ITEMS_WITH_PAGES)))
    return Targets(categories=(name,), surfaces=surfaces) if kind == "search" else Targets()


def _market(
    seed: int,
    accounts: tuple[Account, ...],
    campaigns: list[Campaign],
    owners: list[int],
    values: list[float],
    campaign_of: IntArray,
    categories: IntArray,
    pages: tuple[AdPage, ...],
    rng: np.random.Generator,
) -> Market:
    count = len(campaign_of)
    index = TargetIndex(campaigns)
    by_campaign = matched_campaigns(index, pages, [each.campaign_id for each in campaigns])
    matched = tuple(np.flatnonzero(np.isin(campaign_of, found)) for found in by_campaign)
    truth = _truth(categories[campaign_of], pages, matched, rng)
    pricing = np.array([PRICING_CODES[campaigns[each].pricing] for each in campaign_of], np.int64)
    p_purchase = rng.beta(2, 10, count)
    value = _event_values(np.array(values)[campaign_of], pricing, p_purchase, truth.mean_attraction)
    shading = rng.uniform(0.7, 1.0, len(campaigns))[campaign_of]  # bids are below what a click is worth
    activity = rng.lognormal(0, 1, SHOPPERS)
    ads = AdTable(
        campaign=campaign_of,
        account=np.array(owners, np.int64)[campaign_of],
        product=np.arange(count),
        pricing=pricing,
        bid_micros=np.maximum(value * shading, 1).astype(np.int64),
        value_micros=value,
        p_purchase=p_purchase,
    )
    return Market(
        seed=seed,
        accounts=accounts,
        campaigns=tuple(campaigns),
        ads=ads,
        truth=truth,
        pages=pages,
        matched=matched,
        activity=activity / activity.sum(),
        page_weights=page_weights(pages),
        errors=rng.normal(size=count),
    )


def _truth(
    category: IntArray, pages: tuple[AdPage, ...], matched: tuple[IntArray, ...], rng: np.random.Generator
) -> Truth:
    """Args: category: (A,) of each ad."""
    count = len(category)
    lift = np.zeros((len(pages), count), np.float32)
    for number, page in enumerate(pages):
        if page.category is not None:
            lift[number, category == page.category] = PAGE_LIFT
    truth = Truth(
        tastes=rng.normal(0, TASTE, (SHOPPERS, DIMENSIONS)).astype(np.float32),
        items=(rng.normal(size=(count, DIMENSIONS)) / np.sqrt(DIMENSIONS)).astype(np.float32),
        bias=rng.normal(BIAS, BIAS_SPREAD, count).astype(np.float32),
        page_lift=lift,
        examination=EXAMINATION,
        mean_attraction=0.0,
    )
    page = rng.choice(len(pages), 500, p=page_weights(pages))
    chances = 1 / (1 + np.exp(-truth.logits(rng.integers(0, SHOPPERS, 500), page)))
    met = [row[matched[each]] for row, each in zip(chances, page, strict=True)]
    mean = float(np.concatenate(met).mean())
    return Truth(truth.tastes, truth.items, truth.bias, truth.page_lift, EXAMINATION, mean)


def _event_values(
    click_value: DoubleArray, pricing: IntArray, p_purchase: DoubleArray, mean_attraction: float
) -> DoubleArray:
    """(A,) micros: what a click is worth, as a value of what each ad is billed for."""
    of_views = click_value * 1000 * 2 * mean_attraction  # it is shown where it is liked twice as well
    of_purchases = click_value / np.maximum(p_purchase, 0.02)
    return np.select([pricing == PRICING_CODES["cpm"], pricing == PRICING_CODES["cpa"]], [of_views, of_purchases], click_value)
