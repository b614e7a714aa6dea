"""A simulated market: shoppers whose tastes are known, advertisers with values, bids, targets and budgets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.arrays import DoubleArray, IntArray
from recsys.simulation.ads.pages import AdPage

PRICING_CODES = {"cpc": PricingCode.CPC, "cpm": PricingCode.CPM, "cpa": PricingCode.CPA}
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AdTable:
    """A ads: each one item of a campaign.

    Attributes:
        campaign, account, product: (A,) indices. pricing: (A,) codes.
        bid_micros, value_micros: (A,) for a click, 1,000 viewable impressions or a purchase: what the
            campaign bids, and what that is worth to it.
        p_purchase: (A,) the truth, after a click.
    """

    campaign: IntArray
    account: IntArray
    product: IntArray
    pricing: IntArray
    bid_micros: IntArray
    value_micros: DoubleArray
    p_purchase: DoubleArray

    def __len__(self) -> int:
        return len(self.campaign)


@dataclass(frozen=True, eq=False)
class Truth:
    """What shoppers really do.

    Attributes:
        tastes: (S, D). items: (A, D) of the ads' items. bias: (A,) log-odds of a click where
            tastes say nothing.
        page_lift: (P, A) what a page about the ad's category adds to them.
        examination: (slots,) probability that a slot is looked at.
        mean_attraction: over requests and ads that match.
    """

    tastes: Logits
    items: Logits
    bias: Logits
    page_lift: Logits
    examination: tuple[float, ...]
    mean_attraction: float

    def logits(self, shopper: IntArray, page: IntArray) -> Logits:
        """(B, A) log-odds of a click on each ad by each request's shopper, where it is looked at."""
        return self.tastes[shopper] @ self.items.T + self.bias + self.page_lift[page]


@dataclass(frozen=True, eq=False)
class Market:
    """Everything that no policy changes.

    Attributes:
        campaigns: those with fixed bids, and those whose bids the shop sets.
        matched: for each page the ads that target it, ascending.
        activity: (S,) how often each shopper comes. page_weights: (P,).
        errors: (A,) standard normal, which way the predictor errs about each ad.
    """

    seed: int
    accounts: tuple[Account, ...]
    campaigns: tuple[Campaign, ...]
    ads: AdTable
    truth: Truth
    pages: tuple[AdPage, ...]
    matched: tuple[IntArray, ...]
    activity: DoubleArray
    page_weights: DoubleArray
    errors: DoubleArray
