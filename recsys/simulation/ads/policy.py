"""What an operator may change about ads, and the two policies that others are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from recsys.ads.auction.placement import PriceRule, Reserves
from recsys.ads.auction.surface_prices import Prices, SurfacePrices, surface_prices
from recsys.ads.campaigns.targets import Surface
from recsys.errors import ConfigError
from recsys.service_settings import AdsSettings

Pacing = Literal["plan", "bid", "hours", "none"]
Exploration = Literal["none", "thompson"]
MOST_BID_PERCENT = 1000
DEFAULT, SIMPLEST = "default", "simplest"


@dataclass(frozen=True)
class AdPolicy:
    """How ads are chosen, priced and paced.

    Attributes:
        price_rule, reserves, most_per_account: of the placement. prices: rule and reserves of a surface that
            has its own.
        quality_exponent: an ad's quality is its attraction to this power, over the shop's mean attraction. 0
            orders by expected revenue; above it, what is clicked more goes before what pays more.
        pacing: `plan` follows the plan of the day by taking part less often, and by lower bids where the
            bidding is automatic; `bid` lowers the bids of all; `hours` lets each hour of the day spend an
            equal part of the budget and what the hours before it left over; `none` stops at the budget.
        exploration: `thompson` ranks by a draw from what the predictor takes for possible.
        exploration_strength: what the spread of these draws is multiplied by.
        warm_up_impressions, warm_up_share, warm_up_slots: which ads are explored and how many slots they get
            by it, see `WarmUp`.
        bid_percent: of the bids of all campaigns.
        predictor_bias: what the predicted attraction is multiplied by, in odds.
        predictor_noise: standard deviation of an ad's error in log-odds, before it was viewed.
        predictor_views: after so many views of an ad half of the variance of its error is left; 0 = all.

    Raises:
        ConfigError: a number outside its range.
    """

    name: str
    price_rule: PriceRule = PriceRule.GSP
    reserves: Reserves = field(default_factory=Reserves)
    prices: Mapping[Surface, Prices] = field(default_factory=dict, hash=False)
    most_per_account: int | None = None
    quality_exponent: float = 0.0
    pacing: Pacing = "plan"
    exploration: Exploration = "none"
    exploration_strength: float = 1.0
    warm_up_impressions: int = 1000
    warm_up_share: float = 0.05
    warm_up_slots: int = 100
    bid_percent: int = 100
    predictor_bias: float = 1.0
    predictor_noise: float = 0.3
    predictor_views: int = 2000

    @property
    def surface_prices(self) -> SurfacePrices:
        """Rule and reserves of each surface."""
        return SurfacePrices(Prices(self.price_rule, self.reserves), self.prices)

    def __post_init__(self) -> None:
        bounds = {
            "quality_exponent": (-1.0, 3.0),
            "exploration_strength": (0.01, 5.0),
            "warm_up_impressions": (0, 10**9),
            "warm_up_share": (0.0, 1.0),
            "warm_up_slots": (0, 10**9),
            "bid_percent": (1, MOST_BID_PERCENT),
            "predictor_bias": (0.05, 20.0),
            "predictor_noise": (0.0, 3.0),
            "predictor_views": (0, 10**9),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} = {value} is not between {least} and {most}. Correct the policy.")


def default_policy(settings: AdsSettings) -> AdPolicy:
    """What the settings say: what runs now."""
    prices = surface_prices(settings)
    return AdPolicy(
        DEFAULT,
        prices.default.rule,
        prices.default.reserves,
        prices.of_surface,
        settings.most_per_account,
        quality_exponent=settings.quality_exponent,
        exploration=settings.exploration,
        exploration_strength=settings.exploration_strength,
        warm_up_impressions=settings.warm_up_impressions,
        warm_up_share=settings.warm_up_share,
        warm_up_slots=settings.warm_up_slots,
    )


def simplest_policy(default: AdPolicy) -> AdPolicy:
    """The prices of `default`; the budget in equal parts over the hours, bids as they are, no controller.

    It orders by expected revenue and explores nothing.
    """
    return replace(default, name=SIMPLEST, pacing="hours", quality_exponent=0.0, exploration="none")
