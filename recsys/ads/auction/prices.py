"""What a winner pays: generalised second price, VCG or its own bid.

Promises, for all rules: reserve <= price <= bid, in whole micros. Under GSP and VCG a price depends on the
winner's bid through its slot alone, and no lower bid than the price could be refused the slot under GSP.

An account never prices itself: to price a slot, the winner and the ads of its account below it are taken
away, and the ads of others that would then fill this slot and the next ones, the rivals, set the price. Under
VCG the ads of one account together pay what others would have gained had the account stayed away.

Papers: Edelman, Ostrovsky and Schwarz 2007, Internet Advertising and the Generalized Second-Price Auction;
Varian 2007, Position Auctions; Myerson 1981, Optimal Auction Design (reserves, payments by thresholds).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from recsys.ads.auction.placement import Placement, PriceRule
from recsys.ads.auction.ranking import Ranking, admissible_places

_ROUNDING = 4  # micros by which a quotient of two scores may miss the bid; bids have 51 bits, doubles 53


@dataclass(frozen=True)
class PriceStep:
    """One part of a price.

    Attributes:
        rival: index of the ad of another account that sets it; None = the reserve does.
        least_micros: the least bid with which the winner ranks before the rival, from the reserve.
        share: what part of the price it is; those of a price sum to 1, none is 0.
    """

    rival: int | None
    least_micros: int
    share: float


@dataclass(frozen=True)
class Quote:
    """A price, and the steps that it is made of; a first price has none."""

    price_micros: int
    steps: tuple[PriceStep, ...]


def quote_price(
    ranking: Ranking, placement: Placement, winners: Sequence[int], slot: int, removed: Collection[int]
) -> Quote:
    """What the winner of a slot pays for a click, 1,000 viewable impressions or a purchase.

    GSP: the least bid that ranks before the first rival. VCG: for this slot and each one below, the least bid
    that would have got it, weighted by how much less the slot after it is viewed; rounded down, once.

    Args:
        winners: places in `ranking`, by slot. slot: from 0. removed: places that are out of the auction.
    """
    winner = winners[slot]
    if placement.price_rule is PriceRule.FIRST:
        return Quote(int(ranking.bids[winner]), ())
    count = 1 if placement.price_rule is PriceRule.GSP else placement.slots - slot
    rivals = _rivals(ranking, placement.account_limit, winners, slot, removed, count)
    least = [least_bid(ranking, winner, rival) for rival in rivals]
    viewed = (*placement.examination_ppb[slot:], 0)
    parts = [viewed[0]] if count == 1 else [viewed[t] - viewed[t + 1] for t in range(count)]
    price = sum(part * bid for part, bid in zip(parts, least, strict=True)) // viewed[0]
    steps = []
    for rival, bid, part in zip(rivals, least, parts, strict=True):
        by_reserve = rival is None or bid == ranking.reserves[winner]
        if part:
            steps.append(PriceStep(None if by_reserve else int(ranking.ads[rival]), bid, part / viewed[0]))
    return Quote(price, tuple(steps))


def _rivals(
    ranking: Ranking,
    account_limit: int,
    winners: Sequence[int],
    slot: int,
    removed: Collection[int],
    count: int,
) -> list[int | None]:
    """Who would fill this slot and those below without the winner's account; None where nobody would.

    Behind an ad of the winner's own product nothing counts: a bid below that one would get no slot at all.
    """
    winner = winners[slot]
    places = admissible_places(
        ranking, account_limit, removed, winners[:slot], winner + 1, ranking.accounts[winner]
    )
    found: list[int | None] = []
    for place in islice(places, count):
        same_product = ranking.products[place] == ranking.products[winner]
        found += [place] * (count - len(found) if same_product else 1)
        if same_product:
            break
    return found + [None] * (count - len(found))


def least_bid(ranking: Ranking, winner: int, rival: int | None) -> int:
    """The least bid in micros, from the winner's reserve, that ranks it before `rival`, ties as drawn.

    Found among the bids themselves, by the product that ranks them: dividing alone may miss it by a micro.
    """
    lowest, bid = int(ranking.reserves[winner]), int(ranking.bids[winner])
    if rival is None:
        return lowest
    weight, score = float(ranking.weights[winner]), float(ranking.scores[rival])
    near = int(score / weight)
    start = min(max(lowest, near - _ROUNDING), bid)
    bids = range(start, max(start, min(bid, near + _ROUNDING)) + 1)
    first = bisect_left if ranking.ties[winner] <= ranking.ties[rival] else bisect_right
    return bids[first(bids, score, key=lambda micros: micros * weight)]
