"""What each campaign sold, out of purchases that are attributed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.ads.attribution.last_touch import NONE, Attribution, Match, attribute_purchases
from recsys.ads.attribution.new_to_brand import new_to_brand
from recsys.ads.attribution.records import ItemGroups, Purchases, Touches
from recsys.ads.attribution.rule import AttributionRule
from recsys.arrays import BoolArray


@dataclass(frozen=True)
class CampaignSales:
    """What is attributed to one campaign.

    Attributes:
        purchases: that stand. by_click, by_view, same_item, halo, new_to_brand: those of them.
        undone: purchases that were attributed and cancelled as a whole; they are none of the others.
        quantity: thousandths. value_micros: what stands of it. taken_micros: what was cancelled or returned.
    """

    purchases: int = 0
    by_click: int = 0
    by_view: int = 0
    same_item: int = 0
    halo: int = 0
    new_to_brand: int = 0
    undone: int = 0
    quantity: int = 0
    value_micros: int = 0
    taken_micros: int = 0


def campaign_sales(
    touches: Touches,
    purchases: Purchases,
    groups: ItemGroups,
    rules: Sequence[AttributionRule],
    counted: BoolArray,
) -> tuple[CampaignSales, ...]:
    """What each campaign sold, by its rule; each purchase counts for one campaign at most.

    Args:
        rules: of each campaign. purchases: with all of the year before those that count.
        counted: (P,) the purchases of the period.
    """
    found = attribute_purchases(touches, purchases, groups, rules)
    fresh = new_to_brand(purchases, groups)
    if not len(touches):
        return (CampaignSales(),) * len(rules)
    campaign = np.where(found.touch == NONE, NONE, touches.campaign[found.touch])
    return tuple(
        _sales(touches, purchases, found, fresh, counted & (campaign == each)) for each in range(len(rules))
    )


def _sales(
    touches: Touches, purchases: Purchases, found: Attribution, fresh: BoolArray, own: BoolArray
) -> CampaignSales:
    stands = own & (purchases.quantity > 0)
    clicked = touches.clicked[found.touch[stands]]
    same = found.match[stands] == Match.ITEM
    return CampaignSales(
        purchases=int(stands.sum()),
        by_click=int(clicked.sum()),
        by_view=int((~clicked).sum()),
        same_item=int(same.sum()),
        halo=int((~same).sum()),
        new_to_brand=int((stands & fresh).sum()),
        undone=int((own & ~stands).sum()),
        quantity=int(purchases.quantity[stands].sum()),
        value_micros=int(np.maximum(purchases.value_micros[stands], 0).sum()),
        taken_micros=int(purchases.taken_micros[own].sum()),
    )
