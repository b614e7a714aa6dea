"""Which household redeemed a coupon of which campaign: the campaigns of the demo shop's package as labels.

An instant is a campaign's start. The label says whether the household redeemed one of its coupons within
28 days. Campaigns that began before the data (24 to 26) or end too late to be known (21 to 23) are not
scored. There is no place, price, bid or click in it, so that it compares models and calibrates no auction.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.arrays import BoolArray, IntArray

NOT_SCORED = range(21, 27)
RESPONSE_DAYS = 28
TEST_FROM = np.datetime64("2017-10-01")
_TABLES = (
    "campaigns",
    "campaign_descriptions",
    "coupons",
    "coupon_redemptions",
    "transactions",
    "products",
    "demographics",
)


@dataclass(frozen=True)
class ResponseTables:
    """The package's tables by their names, with the columns that they have there."""

    campaigns: pd.DataFrame
    campaign_descriptions: pd.DataFrame
    coupons: pd.DataFrame
    coupon_redemptions: pd.DataFrame
    transactions: pd.DataFrame
    products: pd.DataFrame
    demographics: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Exposures:
    """E households that campaigns were sent to, by instant, campaign and household.

    Attributes:
        campaign, household: (E,) ids. start: (E,) datetime64.
        redeemed: (E,) within 28 days. scored: (E,) whether that is known.
    """

    campaign: IntArray
    household: IntArray
    start: np.ndarray
    redeemed: BoolArray
    scored: BoolArray

    def __len__(self) -> int:
        return len(self.campaign)

    @property
    def is_test(self) -> BoolArray:
        """(E,) scored and of the later campaigns."""
        return np.asarray(self.scored & (self.start >= TEST_FROM))

    @property
    def is_train(self) -> BoolArray:
        """(E,) scored and of the earlier campaigns."""
        return np.asarray(self.scored & (self.start < TEST_FROM))


def read_tables(folder: Path) -> ResponseTables:
    """The tables of the package's `folder`."""
    return ResponseTables(**{name: pd.read_parquet(folder / f"{name}.parquet") for name in _TABLES})


def find_exposures(tables: ResponseTables) -> Exposures:
    """All exposures with their labels."""
    sent = tables.campaigns.merge(tables.campaign_descriptions, on="campaign_id")
    sent = sent.sort_values(["start_date", "campaign_id", "household_id"], kind="stable")
    redeemed = tables.coupon_redemptions.merge(tables.campaign_descriptions, on="campaign_id")
    days = (redeemed["redemption_date"] - redeemed["start_date"]).dt.days
    within = redeemed[(days >= 0) & (days < RESPONSE_DAYS)]
    positive = pd.MultiIndex.from_frame(within[["campaign_id", "household_id"]])
    campaign = sent["campaign_id"].to_numpy(np.int64)
    return Exposures(
        campaign,
        sent["household_id"].to_numpy(np.int64),
        sent["start_date"].to_numpy(),
        np.asarray(pd.MultiIndex.from_frame(sent[["campaign_id", "household_id"]]).isin(positive)),
        ~np.isin(campaign, list(NOT_SCORED)),
    )
