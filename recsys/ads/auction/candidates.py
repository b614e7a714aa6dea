"""The ads of one auction as arrays, checked."""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from recsys.ads.auction.placement import Reserves
from recsys.amounts import MOST_MICROS
from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import DataError

MOST_QUALITY = 1e6
# Below this a weight has no price: numbers so small have too few digits for a bid to be found by division.
_LEAST_WEIGHT = 1e-100


class PricingCode(IntEnum):
    """Which event an ad is billed for."""

    CPC = 0  # a click
    CPM = 1  # a thousand viewable impressions
    CPA = 2  # a purchase


@dataclass(frozen=True, eq=False)
class Candidates:
    """K ads that are eligible and match; all arrays have shape (K,), identities and money are int64.

    Attributes:
        ad: index of the ad, each once. It also decides ties, so it has to be the same in every request.
        account: index of the advertiser.
        product: index of the product; variants of one product have the same one.
        bid_micros: per click, per 1,000 viewable impressions or per purchase; from 0 to MOST_MICROS.
        pricing: codes of `PricingCode`.
        attraction: probability of a click where the slot is viewed, in [0, 1]. CPM does not use it.
        p_purchase: probability of a purchase after a click, in [0, 1]. Only CPA uses it.
        quality: the factor of the score, in [0, MOST_QUALITY]; 1 leaves the expected revenue as it is.
        can_pay: bool; False = its budget is used up or a cap is reached: it neither wins nor sets a price.

    Raises:
        DataError: arrays of unlike lengths, an ad twice, a value outside its range.
    """

    ad: IntArray
    account: IntArray
    product: IntArray
    bid_micros: IntArray
    pricing: IntArray
    attraction: DoubleArray
    p_purchase: DoubleArray
    quality: DoubleArray
    can_pay: BoolArray

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name).shape != self.ad.shape:
                shape = getattr(self, field.name).shape
                raise DataError(f"{field.name} has shape {shape}, ad {self.ad.shape}. Give one value an ad.")
        for name in ("ad", "account", "product", "bid_micros", "pricing"):
            if getattr(self, name).dtype != np.int64:
                raise DataError(f"{name} is {getattr(self, name).dtype}. Identities and money are int64.")
        if self.can_pay.dtype != np.bool_:
            raise DataError(f"can_pay is {self.can_pay.dtype}. Give booleans.")
        if len(self.ad):
            self._check_values()

    def _check_values(self) -> None:
        ordered = np.sort(self.ad)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(twice):
            raise DataError(f"ad {twice[0]} is there twice. Give each ad once.")
        bounds = {
            "bid_micros": MOST_MICROS,
            "pricing": max(PricingCode),
            "attraction": 1,
            "p_purchase": 1,
            "quality": MOST_QUALITY,
        }
        for name, most in bounds.items():
            values = getattr(self, name)
            low, high = values.min(), values.max()
            if not (low >= 0 and high <= most):  # true for NaN too
                wrong = high if low >= 0 else low
                raise DataError(f"{name} {wrong} is not between 0 and {most:g}. Correct it where it is made.")

    def __len__(self) -> int:
        return len(self.ad)

    def weights(self) -> DoubleArray:
        """(K,) double: score of one micro of bid. The score is bid x weight, which is eCPM x quality.

        The eCPM is the expected revenue, in micros, of 1,000 viewed slots: bid x 1,000 x attraction for CPC,
        times p_purchase for CPA, and the bid itself for CPM. A weight too small to divide by becomes 0.
        """
        per_view = 1000 * self.attraction * np.where(self.pricing == PricingCode.CPA, self.p_purchase, 1.0)
        weights = np.where(self.pricing == PricingCode.CPM, 1.0, per_view) * self.quality
        return np.where(weights >= _LEAST_WEIGHT, weights, 0.0)

    def reserves(self, reserves: Reserves) -> IntArray:
        """(K,) int64: the reserve of each ad, in micros of what it bids for."""
        by_code = np.array([reserves.cpc_micros, reserves.cpm_micros, reserves.cpa_micros], np.int64)
        return by_code[self.pricing]
