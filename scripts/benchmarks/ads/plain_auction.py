"""The auction in plain Python, slow and obvious: the benchmark's peer and the reference of the tests.

It shares the rules' names with `recsys.ads.auction` and none of its code.
"""

from collections.abc import Callable
from dataclasses import dataclass

from recsys.ads.auction.placement import Placement, PriceRule

CPC, CPM, CPA = 0, 1, 2
_WORD = 2**64 - 1


@dataclass(frozen=True)
class PlainAd:
    """One ad; see `Candidates`."""

    ad: int
    account: int
    product: int
    bid: int
    pricing: int
    attraction: float
    p_purchase: float
    quality: float
    can_pay: bool

    @property
    def weight(self) -> float:
        """Score of one micro of bid."""
        if self.pricing == CPM:
            return self.quality
        if self.pricing == CPC:
            return 1000 * self.attraction * self.quality
        return 1000 * self.attraction * self.p_purchase * self.quality


@dataclass(frozen=True)
class PlainSlot:
    """Who has a slot, what it pays, what it was asked to reserve, and who came next."""

    ad: int
    price: int
    held: int
    next_ad: int | None


def plain_auction(
    ads: list[PlainAd], placement: Placement, seed: int, reserve_money: Callable[[int, int], bool]
) -> tuple[list[PlainSlot], dict[int, str]]:
    """The slots, and by ad the name of the reason why it lost."""
    competing, reasons = _split(ads, placement, seed)
    held: list[int] = []
    refusals = 0
    while True:
        winners = _fill(competing, [], placement, placement.slots)
        stopped = refusals > placement.most_reruns
        if stopped:
            winners = winners[: len(held)]
        prices = [_price(competing, winners, slot, placement, seed) for slot in range(len(winners))]
        unable = _first_unable(winners, prices, held, reserve_money)
        if unable is None:
            break
        reasons[unable.ad] = "MONEY"
        competing.remove(unable)
        refusals += 1
    slots = []
    for slot, ad in enumerate(winners):
        others = [other for other in competing if other is not ad]
        after = _fill(others, winners[:slot], placement, 1)
        price = min(prices[slot], held[slot])
        slots.append(PlainSlot(ad.ad, price, held[slot], after[0].ad if after else None))
    for ad in competing:
        if ad not in winners:
            reasons[ad.ad] = _reason(ad, winners, placement, stopped)
    return slots, reasons


def _split(ads: list[PlainAd], placement: Placement, seed: int) -> tuple[list[PlainAd], dict[int, str]]:
    """The ads that compete, the best first, and why the others do not."""
    reasons: dict[int, str] = {}
    competing = []
    for ad in ads:
        if ad.bid < _floor(ad, placement):
            reasons[ad.ad] = "RESERVE"
        elif ad.weight < 1e-100:
            reasons[ad.ad] = "SCORE"
        elif not ad.can_pay:
            reasons[ad.ad] = "MONEY"
        else:
            competing.append(ad)
    return sorted(competing, key=lambda ad: _rank_key(ad, ad.bid, seed)), reasons


def _floor(ad: PlainAd, placement: Placement) -> int:
    reserves = placement.reserves
    return {CPC: reserves.cpc_micros, CPM: reserves.cpm_micros, CPA: reserves.cpa_micros}[ad.pricing]


def _first_unable(
    winners: list[PlainAd], prices: list[int], held: list[int], reserve_money: Callable[[int, int], bool]
) -> PlainAd | None:
    """Reserves what is not held yet; the first ad that cannot pay."""
    for slot in range(len(held), len(winners)):
        if not reserve_money(winners[slot].ad, prices[slot]):
            return winners[slot]
        held.append(prices[slot])
    return None


def _fill(ranked: list[PlainAd], above: list[PlainAd], placement: Placement, count: int) -> list[PlainAd]:
    """The first `count` of the ranked ads that may stand below those `above`."""
    found: list[PlainAd] = []
    for ad in ranked:
        shown = above + found
        if len(found) == count:
            break
        if any(other.product == ad.product for other in shown):
            continue
        limit = placement.most_per_account or placement.slots
        if sum(other.account == ad.account for other in shown) < limit:
            found.append(ad)
    return found


def _price(
    competing: list[PlainAd], winners: list[PlainAd], slot: int, placement: Placement, seed: int
) -> int:
    """The price of the winner of `slot`, from 0."""
    ad = winners[slot]
    if placement.price_rule is PriceRule.FIRST:
        return ad.bid
    floor = _floor(ad, placement)
    others = [other for other in competing if other.account != ad.account]
    rivals = _fill(others, winners[:slot], placement, placement.slots - slot)
    same_product = [rival for rival in rivals if rival.product == ad.product]
    least = []
    for step in range(placement.slots - slot):
        beaten = rivals[step : step + 1] + same_product
        least.append(max([floor] + [_least_bid(ad, rival, seed) for rival in beaten]))
    if placement.price_rule is PriceRule.GSP:
        return least[0]
    viewed = [round(value * 10**9) for value in placement.examination[slot:]] + [0]
    return sum((viewed[i] - viewed[i + 1]) * least[i] for i in range(len(least))) // viewed[0]


def _least_bid(ad: PlainAd, rival: PlainAd, seed: int) -> int:
    """The least bid with which `ad` ranks before `rival`."""
    target = _rank_key(rival, rival.bid, seed)
    bid = int(rival.bid * rival.weight / ad.weight)
    while bid > 0 and _rank_key(ad, bid - 1, seed) < target:
        bid -= 1
    while _rank_key(ad, bid, seed) > target:
        bid += 1
    return bid


def _rank_key(ad: PlainAd, bid: int, seed: int) -> tuple[float, int]:
    """Sorts ads: higher score first, equal ones as the seed draws."""
    return (-(bid * ad.weight), _mix(_mix(seed & _WORD) + ad.ad * 0x9E3779B97F4A7C15 & _WORD))


def _mix(word: int) -> int:
    """SplitMix64's finaliser."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
    return word ^ word >> 31


def _reason(ad: PlainAd, winners: list[PlainAd], placement: Placement, stopped: bool) -> str:
    if any(winner.product == ad.product for winner in winners):
        return "PRODUCT"
    limit = placement.most_per_account or placement.slots
    if sum(winner.account == ad.account for winner in winners) >= limit:
        return "ACCOUNT"
    return "STOPPED" if stopped else "RANK"
