"""What came out of an auction: slots with winner, price and why, and the reason of each loser."""

from collections import Counter
from dataclasses import dataclass

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.auction.loss_reasons import LossReason, Reasons
from recsys.ads.auction.prices import PriceStep


@dataclass(frozen=True)
class FilledSlot:
    """A slot, who won it, for how much and why.

    Attributes:
        position: from 1. row: into the candidates.
        score: what it ranked by, see `Candidates.weights`.
        price_micros: for a click, 1,000 viewable impressions or a purchase.
        held_micros: what `reserve_money` was asked for; more than the price where an ad that had set it left
            afterwards. Give the difference back.
        price_steps: what the price is made of; empty = it is the bid.
        next_ad: who would have this slot without the winner, of whichever account; None = nobody.
    """

    position: int
    row: int
    ad: int
    account: int
    product: int
    pricing: PricingCode
    bid_micros: int
    score: float
    price_micros: int
    held_micros: int
    price_steps: tuple[PriceStep, ...]
    next_ad: int | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """The slots from the first, fewer than the placement has where too few ads could fill them.

    Attributes:
        reasons: (K,) int8, a `LossReason` a candidate.
        reruns: how many ads turned out to be unable to pay.
        stopped: True = the bound on reruns was reached; the slots left are organic.
    """

    slots: tuple[FilledSlot, ...]
    reasons: Reasons
    reruns: int
    stopped: bool

    def reason(self, row: int) -> LossReason:
        """Why the candidate in `row` lost; NONE = it won."""
        return LossReason(int(self.reasons[row]))

    def counts(self) -> dict[LossReason, int]:
        """How many candidates have each reason; they sum to K."""
        return {LossReason(reason): count for reason, count in sorted(Counter(self.reasons.tolist()).items())}
