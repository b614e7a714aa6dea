"""By which rule winners pay on each surface, and what they pay at least."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from recsys.ads.auction.placement import PriceRule, Reserves
from recsys.ads.campaigns.targets import Surface
from recsys.service_settings import AdPricesSettings, AdsSettings


@dataclass(frozen=True)
class Prices:
    """By which rule the winners of a placement pay, and what they pay at least."""

    rule: PriceRule = PriceRule.GSP
    reserves: Reserves = field(default_factory=Reserves)


@dataclass(frozen=True)
class SurfacePrices:
    """The prices of each surface.

    Attributes:
        default: of a surface that is not among `of_surface`.
    """

    default: Prices = field(default_factory=Prices)
    of_surface: Mapping[Surface, Prices] = field(default_factory=dict, hash=False)

    def on(self, surface: Surface) -> Prices:
        """The prices of `surface`."""
        return self.of_surface.get(surface, self.default)


def surface_prices(settings: AdsSettings) -> SurfacePrices:
    """What the settings say of prices.

    >>> of_search = AdPricesSettings(price_rule="vcg", reserve_cpc_micros=7)
    >>> found = surface_prices(AdsSettings(prices={"search": of_search}))
    >>> found.on("search").rule.value, found.on("home").rule.value, found.on("search").reserves.cpc_micros
    ('vcg', 'gsp', 7)
    """
    reserves = Reserves(settings.reserve_cpc_micros, settings.reserve_cpm_micros, settings.reserve_cpa_micros)
    default = Prices(PriceRule(settings.price_rule), reserves)
    return SurfacePrices(default, {on: _prices(own, default) for on, own in settings.prices.items()})


def _prices(own: AdPricesSettings, default: Prices) -> Prices:
    return Prices(
        PriceRule(own.price_rule or default.rule),
        Reserves(
            own.reserve_cpc_micros or default.reserves.cpc_micros,
            own.reserve_cpm_micros or default.reserves.cpm_micros,
            own.reserve_cpa_micros or default.reserves.cpa_micros,
        ),
    )
