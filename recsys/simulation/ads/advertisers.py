"""Draws a market: accounts, campaigns and what shoppers think of them, all from one seed."""

from dataclasses import dataclass, field

import numpy as np

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.bidding import PRICINGS, FixedBid, MostClicks, Pricing
from recsys.ads.campaigns.campaign import Campaign, FrequencyCap, Line
from recsys.ads.campaigns.status import APPROVED
from recsys.ads.campaigns.targets import Keyword, Surface, Targets
from recsys.ads.matching.target_index import TargetIndex
from recsys.arrays import BoolArray, DoubleArray, IntArray
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
LARGE_LIFT = 0.2  # the items of large campaigns are clicked at least so much more than usual
TASTE = 0.7  # standard deviation of what a shopper's taste adds to them
PAGE_LIFT = 1.0  # what a page about the ad's own category adds
MEDIAN_VALUE, VALUE_SPREAD = 500_000, 0.5  # micros a click is worth, log-normal
LARGE_VALUE = (1.6, 2.2)  # of the large campaigns, in medians
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
    large: int = 4


@dataclass
class _Drawn:
    """Campaigns with the place of their account, what a click is worth to them, and which ads are theirs.

    Attributes:
        categories: (C,) what each advertises. is_large: (C,).
    """

    categories: IntArray
    is_large: BoolArray
    campaigns: list[Campaign] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    campaign_of: list[int] = field(default_factory=list)


def draw_market(seed: int, size: MarketSize | None = None) -> Market:
    """A market without budgets; equal arguments give equal markets."""
    size = size or MarketSize()
    rng = np.random.default_rng([seed, 10])
    accounts = tuple(
        Account(f"acc_{number}", f"advertiser {number}", ZONES[number % len(ZONES)])
        for number in range(size.accounts)
    )
    numbers = np.arange(size.campaigns)
    drawn = _Drawn(rng.permutation(numbers % len(CATEGORIES)), numbers < size.large)
    for number in range(size.campaigns):
        is_large = number < size.large
        # No account has two of the large ones, or another campaign: each shall follow its own plan.
        owner = number if is_large else int(rng.integers(size.large, size.accounts))
        value = MEDIAN_VALUE * float(np.exp(VALUE_SPREAD * rng.normal()))
        value = MEDIAN_VALUE * float(rng.uniform(*LARGE_VALUE)) if is_large else value
        items = 3 if is_large else int(rng.integers(1, 4))
        category = int(drawn.categories[number])
        drawn.campaigns.append(_campaign(number, accounts[owner], category, items, is_large, rng))
        drawn.owners.append(owner)
        drawn.values.append(value)
        drawn.campaign_of += [number] * items
    return _market(seed, accounts, drawn, rng)


def _campaign(
    number: int,
    account: Account,
    category: int,
    items: int,
    is_large: bool,
    rng: np.random.Generator,
) -> Campaign:
    """A campaign without a bid; its targets are its category, its words, items beside it, or everything."""
    drawn: Pricing = PRICINGS[int(rng.choice(len(PRICINGS), p=PRICING_SHARES))]
    pricing: Pricing = "cpc" if is_large else drawn
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
    kind = rng.choice(
        ["category", "keywords", "items", "search", "everything"], p=[0.35, 0.2, 0.1, 0.15, 0.2]
    )
    surfaces: tuple[Surface, ...] = ("search",)
    if kind == "category":
        return Targets(categories=(name,))
    if kind == "keywords":
        return Targets(keywords=(Keyword(name), Keyword("family", negative=True)))
    if kind == "items":
        return Targets(items=tuple(page_item_id(category, item) for item in range(ITEMS_WITH_PAGES)))
    return Targets(categories=(name,), surfaces=surfaces) if kind == "search" else Targets()


def _market(seed: int, accounts: tuple[Account, ...], drawn: _Drawn, rng: np.random.Generator) -> Market:
    campaigns, campaign_of = drawn.campaigns, np.array(drawn.campaign_of, np.int64)
    pages = shop_pages()
    count = len(campaign_of)
    index = TargetIndex(campaigns)
    by_campaign = matched_campaigns(index, pages, [each.campaign_id for each in campaigns])
    matched = tuple(np.flatnonzero(np.isin(campaign_of, found)) for found in by_campaign)
    truth = _truth(drawn.categories[campaign_of], drawn.is_large[campaign_of], pages, matched, rng)
    pricing = np.array([PRICING_CODES[campaigns[each].pricing] for each in campaign_of], np.int64)
    p_purchase = rng.beta(2, 10, count)
    value = _event_values(np.array(drawn.values)[campaign_of], pricing, p_purchase, truth.mean_attraction)
    shading = rng.uniform(0.7, 1.0, len(campaigns))[campaign_of]  # bids are below what a click is worth
    activity = rng.lognormal(0, 1, SHOPPERS)
    ads = AdTable(
        campaign=campaign_of,
        account=np.array(drawn.owners, np.int64)[campaign_of],
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
    category: IntArray,
    is_large: BoolArray,
    pages: tuple[AdPage, ...],
    matched: tuple[IntArray, ...],
    rng: np.random.Generator,
) -> Truth:
    """Args: category, is_large: (A,) of each ad."""
    count = len(category)
    lift = np.zeros((len(pages), count), np.float32)
    for number, page in enumerate(pages):
        if page.category is not None:
            lift[number, category == page.category] = PAGE_LIFT
    bias = rng.normal(BIAS, BIAS_SPREAD, count)
    truth = Truth(
        tastes=rng.normal(0, TASTE, (SHOPPERS, DIMENSIONS)).astype(np.float32),
        items=(rng.normal(size=(count, DIMENSIONS)) / np.sqrt(DIMENSIONS)).astype(np.float32),
        bias=np.where(is_large, np.maximum(bias, BIAS + LARGE_LIFT), bias).astype(np.float32),
        page_lift=lift,
        examination=EXAMINATION,
        mean_attraction=0.0,
    )
    opened = rng.choice(len(pages), 500, p=page_weights(pages))
    chances = 1 / (1 + np.exp(-truth.logits(rng.integers(0, SHOPPERS, 500), opened)))
    met = [row[matched[each]] for row, each in zip(chances, opened, strict=True)]
    mean = float(np.concatenate(met).mean())
    return Truth(truth.tastes, truth.items, truth.bias, truth.page_lift, EXAMINATION, mean)


def _event_values(
    click_value: DoubleArray, pricing: IntArray, p_purchase: DoubleArray, mean_attraction: float
) -> DoubleArray:
    """(A,) micros: what a click is worth, as a value of what each ad is billed for."""
    of_views = click_value * 1000 * 2 * mean_attraction  # it is shown where it is liked twice as well
    of_purchases = click_value / np.maximum(p_purchase, 0.02)
    return np.select(
        [pricing == PRICING_CODES["cpm"], pricing == PRICING_CODES["cpa"]],
        [of_views, of_purchases],
        click_value,
    )
