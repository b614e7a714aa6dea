"""One auction from top to bottom: rank, fill the slots, price, reserve money in rank order."""

from collections.abc import Callable, Collection, Sequence
from itertools import islice

from recsys.ads.auction.candidates import Candidates, PricingCode
from recsys.ads.auction.loss_reasons import LossReason, reasons_after, reasons_before
from recsys.ads.auction.outcome import FilledSlot, Outcome
from recsys.ads.auction.placement import Placement
from recsys.ads.auction.prices import Quote, quote_price
from recsys.ads.auction.ranking import Ranking, admissible_places, rank_candidates

ReserveMoney = Callable[[int, int], bool]  # (ad, price_micros) -> whether the money is now held


def run_auction(
    candidates: Candidates, placement: Placement, seed: int, reserve_money: ReserveMoney | None = None
) -> Outcome:
    """Who gets which slot at which price; the same for the same arguments.

    Winners are asked for their money from the first slot down. Who cannot pay leaves, and the auction is run
    again without it, so that it sets no price. Nobody is asked twice: who has a slot keeps it, and its
    price can only fall. After `placement.most_reruns` such runs the slots left stay organic.

    Args:
        seed: of the request; draws the order of equal scores.
        reserve_money: holds the price of one winner, whose ad index it gets; False = it cannot pay. None =
            everybody can, as in an auction without consequences.
    """
    weights, reserves = candidates.weights(), candidates.reserves(placement.reserves)
    reasons = reasons_before(candidates, weights, reserves)
    ranking = rank_candidates(candidates, weights, reserves, reasons == LossReason.RANK, seed)
    removed: set[int] = set()
    held: list[int] = []
    while True:
        winners = list(islice(admissible_places(ranking, placement.account_limit, removed), placement.slots))
        stopped = len(removed) > placement.most_reruns
        if stopped:
            winners = winners[: len(held)]
        quotes = [quote_price(ranking, placement, winners, slot, removed) for slot in range(len(winners))]
        unable = _reserve_in_order(ranking, winners, quotes, held, reserve_money)
        if unable is None:
            break
        removed.add(unable)
    slots = _filled_slots(candidates, ranking, placement, winners, quotes, held, removed)
    unable_rows = [int(ranking.rows[place]) for place in removed]
    won = [slot.row for slot in slots]
    reasons = reasons_after(reasons, candidates, placement.account_limit, won, unable_rows, stopped)
    return Outcome(slots, reasons, len(removed), stopped)


def _reserve_in_order(
    ranking: Ranking,
    winners: Sequence[int],
    quotes: Sequence[Quote],
    held: list[int],
    reserve_money: ReserveMoney | None,
) -> int | None:
    """Appends to `held` what each further winner has reserved; the place of the first that cannot pay."""
    for place, quote in list(zip(winners, quotes, strict=True))[len(held) :]:
        if reserve_money is not None and not reserve_money(int(ranking.ads[place]), quote.price_micros):
            return place
        held.append(quote.price_micros)
    return None


def _filled_slots(
    candidates: Candidates,
    ranking: Ranking,
    placement: Placement,
    winners: Sequence[int],
    quotes: Sequence[Quote],
    held: Sequence[int],
    removed: Collection[int],
) -> tuple[FilledSlot, ...]:
    """The winners with their prices, and who came next."""
    slots = []
    for slot, (place, quote) in enumerate(zip(winners, quotes, strict=True)):
        below = admissible_places(ranking, placement.account_limit, removed, winners[:slot], place + 1)
        after = next(below, None)
        row = int(ranking.rows[place])
        slots.append(
            FilledSlot(
                position=slot + 1,
                row=row,
                ad=int(ranking.ads[place]),
                account=ranking.accounts[place],
                product=ranking.products[place],
                pricing=PricingCode(int(candidates.pricing[row])),
                bid_micros=int(ranking.bids[place]),
                score=float(ranking.scores[place]),
                # Never above what is held, whatever the removed ads had kept away.
                price_micros=min(quote.price_micros, held[slot]),
                held_micros=held[slot],
                price_steps=quote.steps,
                next_ad=None if after is None else int(ranking.ads[after]),
            )
        )
    return tuple(slots)
