"""One sponsored slot as it was served: what is billed, labelled and estimated by."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from recsys.ads.campaigns.bidding import Pricing
from recsys.ads.campaigns.targets import Surface

SlotArm = Literal["treatment", "holdout"]


@dataclass(frozen=True)
class ServedSlot:
    """A slot of one answer, as its auction and its page left it.

    Attributes:
        slot_id: unique; charges, holds and the token of the impression name the slot by it.
        request_id: of the answer, which events name. served_at: aware.
        unit: who saw it, see `recsys.experiments.assignment.assignment_unit`.
        slot: of the auction, from 1. position: on the page, from 1; None where the client places the ads.
        item_id: the ad's. next_item_id: of who came next; None = nobody.
        bid_micros, price_micros: for what `pricing` bills. held_micros: what its budgets hold for it.
        attraction: probability of a click where the slot is looked at. examination: that it is.
        p_purchase: of a purchase after a click; None = not known.
        propensity: the probability with which this item has this slot, given the ads that take part in the
            auction: they match, pacing let them in, their budgets hold the money. 1 without exploration.
        model: which predictor gave the probabilities.
        arm: of the hold-out; None while none runs. In the hold-out nothing was shown: the slot is a ghost.
    """

    slot_id: str
    request_id: str
    served_at: datetime
    unit: str
    surface: Surface
    slot: int
    position: int | None
    item_id: str
    account_id: str
    campaign_id: str
    line_id: str
    pricing: Pricing
    bid_micros: int
    price_micros: int
    held_micros: int
    attraction: float
    examination: float
    p_purchase: float | None
    propensity: float
    model: str
    next_item_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    query: str | None = None
    category: str | None = None
    about_item_id: str | None = None
    arm: SlotArm | None = None

    @property
    def p_click(self) -> float:
        """Probability of a click at its slot: what is logged, billed by and measured."""
        return self.attraction * self.examination

    @property
    def is_ghost(self) -> bool:
        """Whether it won and was not shown, because its unit is held out."""
        return self.arm == "holdout"
