"""What had to be outbid of late: the least that an ad which won a slot was worth, request by request."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recsys.ads.campaigns.bidding import IMPRESSIONS_OF_CPM, Pricing
from recsys.ads.campaigns.targets import Targets
from recsys.ads.delivery.forecast import Share
from recsys.ads.delivery.served_slot import ServedSlot
from recsys.ads.matching.targeting import AdRequest, is_targeted
from recsys.arrays import DoubleArray


@dataclass(frozen=True, eq=False)
class Landscape:
    """What auctions asked for.

    Attributes:
        to_beat: (R,) micros that a view of the last winner was worth, of requests that an ad was served in.
        filled: the part of all requests in which one was.
        attraction, p_purchase: means over the served ads; of a click where it is viewed, and of a purchase
            after it.
    """

    to_beat: DoubleArray
    filled: float
    attraction: float
    p_purchase: float

    def wins(self, micros_a_view: float) -> Share:
        """Requests that an ad of that worth is shown in: without a winner, or with one that it outbids."""
        outbid = int(np.searchsorted(self.to_beat, micros_a_view, side="left"))
        requests = len(self.to_beat) / self.filled
        return Share(requests - len(self.to_beat) + outbid, requests)


def worth_of_view(pricing: Pricing, bid_micros: int, attraction: float, p_purchase: float) -> float:
    """Micros that a bid is worth for one view: what ads are ranked by, but for their quality.

    >>> worth_of_view("cpc", 400_000, 0.05, 0.1), worth_of_view("cpm", 8_000_000, 0.05, 0.1)
    (20000.0, 8000.0)
    """
    if pricing == "cpm":
        return bid_micros / IMPRESSIONS_OF_CPM
    return bid_micros * attraction * (p_purchase if pricing == "cpa" else 1.0)


def landscape(
    slots: Iterable[ServedSlot], requests: int, targets: Targets, campaign_id: str | None = None
) -> Landscape | None:
    """The landscape of what `slots` were served in; None where no ad of others was in what meets `targets`.

    A request with fewer winners than slots asks for less than this says.

    Args:
        slots: of some time, ghosts left out. requests: all requests for ads of that time.
        targets: without their segment, as the log has no facts of users.
        campaign_id: whose own ads are not to be outbid.
    """
    least: dict[str, float] = {}
    served: set[str] = set()
    attractions: list[float] = []
    purchases: list[float] = []
    for slot in slots:
        if slot.is_ghost:
            continue
        served.add(slot.request_id)
        attractions.append(slot.attraction)
        purchases.append(slot.p_purchase or 0.0)
        if slot.campaign_id == campaign_id or not is_targeted(targets, _request(slot)):
            continue
        worth = worth_of_view(slot.pricing, slot.bid_micros, slot.attraction, slot.p_purchase or 0.0)
        least[slot.request_id] = min(worth, least.get(slot.request_id, worth))
    if not least:
        return None
    return Landscape(
        to_beat=np.sort(np.array(list(least.values()))),
        filled=min(len(served) / max(requests, len(served)), 1.0),
        attraction=float(np.mean(attractions)),
        p_purchase=float(np.mean(purchases)),
    )


def _request(slot: ServedSlot) -> AdRequest:
    categories = () if slot.category is None else (slot.category,)
    return AdRequest(slot.surface, slot.query or "", categories, slot.about_item_id)
