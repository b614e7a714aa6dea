"""What ads bid in one request: the operator's bid, or the one that automatic bidding sets."""

import numpy as np

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.bidding import IMPRESSIONS_OF_CPM
from recsys.ads.campaigns.campaign import AS_IT_IS
from recsys.ads.campaigns.targets import SURFACES, Surface
from recsys.ads.selection.inventory import CLICKS, ROAS, Inventory
from recsys.ads.selection.prediction import ClickEstimates
from recsys.amounts import MOST_MICROS
from recsys.arrays import DoubleArray, IntArray


def bids_of(
    inventory: Inventory,
    ads: IntArray,
    estimates: ClickEstimates,
    participation: DoubleArray,
    surface: Surface,
) -> IntArray:
    """(K,) int64 micros: for a click, 1,000 viewable impressions or a purchase; 0 = it does not bid.

    A fixed bid is what was said. A target ROAS bids what the event is expected to sell over the target;
    where the item's price is not known that is nothing. "Most clicks" bids its largest bid, lowered by the
    pacing of its budget. All are then multiplied for the surface, rounded down.

    Args:
        ads: (K,) into the inventory. estimates: of these ads. participation: (K,) of their budgets.
    """
    line = inventory.ad_line[ads]
    campaign = inventory.line_campaign[line]
    strategy, most = inventory.strategy[campaign], inventory.line_bid[line]
    bids = most.astype(np.float64)
    worth = _expected_sales(inventory, ads, campaign, estimates)
    roas = strategy == ROAS
    bids[roas] = np.minimum(worth[roas] * AS_IT_IS / inventory.target_percent[campaign[roas]], bids[roas])
    clicks = strategy == CLICKS
    bids[clicks] *= participation[clicks]
    percent = inventory.percents[campaign, SURFACES.index(surface)]
    placed = np.where(roas | clicks, bids.astype(np.int64), most) * percent // AS_IT_IS
    bounded: IntArray = np.minimum(placed, MOST_MICROS)
    return bounded


def _expected_sales(
    inventory: Inventory, ads: IntArray, campaign: IntArray, estimates: ClickEstimates
) -> DoubleArray:
    """(K,) micros that one billed event is expected to sell: a click, 1,000 viewed slots or a purchase."""
    price = np.maximum(inventory.items.price_micros[ads], 0).astype(np.float64)
    pricing = inventory.pricing[campaign]
    click = np.where(pricing == PricingCode.CPA, 1.0, estimates.p_purchase)
    viewed = np.where(pricing == PricingCode.CPM, IMPRESSIONS_OF_CPM * estimates.attraction, 1.0)
    sales: DoubleArray = price * click * viewed
    return sales
