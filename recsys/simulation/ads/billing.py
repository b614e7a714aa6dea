"""What comes of ads that were shown: views, clicks and purchases, each charged when it arrives."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.campaigns.bidding import Pricing
from recsys.ads.ledger.charges import Charge, ChargedEvent, ChargeResult, event_price_nanos
from recsys.ads.pacing.budget_gate import BudgetGate
from recsys.simulation.ads.memory_ledger import MemoryLedger

PRICINGS: dict[PricingCode, Pricing] = {
    PricingCode.CPC: "cpc",
    PricingCode.CPM: "cpm",
    PricingCode.CPA: "cpa",
}
EVENTS: dict[Pricing, ChargedEvent] = {"cpc": "click", "cpm": "viewable", "cpa": "purchase"}
VIEW_SECONDS = 1.0  # until a slot counts as viewed
CLICK_MEDIAN, CLICK_SPREAD = (
    8.0,
    1.0,
)  # seconds after the answer, log-normal
PURCHASE_MEAN = 6 * 3600.0  # seconds after the click, exponential
WORKER_SECONDS = 1.0  # from an event to its charge
Outage = tuple[float, float]  # from when to when nothing is charged, in seconds


@dataclass(frozen=True, slots=True)
class ShownAd:
    """A slot that may still cost something.

    Attributes:
        at: seconds when it was served. entity ids: of the campaign's books.
    """

    hold_id: str
    campaign: int
    account_id: str
    campaign_id: str
    line_id: str
    pricing: Pricing
    price_micros: int
    at: float


def click_seconds(normal: float) -> float:
    """How long after the answer a click comes, by a standard normal draw."""
    return CLICK_MEDIAN * math.exp(CLICK_SPREAD * normal)


def purchase_seconds(uniform: float) -> float:
    """How long after its click a purchase comes, by a uniform draw."""
    return -PURCHASE_MEAN * math.log1p(-uniform)


class BillingQueue:
    """Events on their way to the charge worker.

    Args:
        outages: times in which nothing is charged; what waits is charged at their end.
    """

    def __init__(
        self, ledger: MemoryLedger, gate: BudgetGate, starts: datetime, outages: Sequence[Outage] = ()
    ) -> None:
        self._ledger, self._gate, self._starts, self._outages = ledger, gate, starts, outages
        self._waiting: list[tuple[float, int, float, ShownAd]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_due(self) -> float:
        """When the next event is charged; infinite where none waits."""
        return self._waiting[0][0] if self._waiting else math.inf

    def add(self, shown: ShownAd, occurred: float) -> None:
        """The event that `shown` is billed for happens `occurred` seconds after the beginning."""
        due = occurred + WORKER_SECONDS
        for begins, ends in self._outages:
            if begins <= due < ends:
                due = ends
        heapq.heappush(self._waiting, (due, self._count, occurred, shown))
        self._count += 1

    def charge_next(self) -> tuple[ShownAd, float, ChargeResult]:
        """Charges the event that is due first: what was shown, when the event was, and what came of it."""
        _, _, occurred, shown = heapq.heappop(self._waiting)
        result = self._ledger.charge(
            Charge(
                token_id=shown.hold_id,
                event=EVENTS[shown.pricing],
                account_id=shown.account_id,
                campaign_id=shown.campaign_id,
                line_id=shown.line_id,
                price_nanos=event_price_nanos(shown.pricing, shown.price_micros),
                served_at=self._starts + timedelta(seconds=shown.at),
                occurred_at=self._starts + timedelta(seconds=occurred),
            )
        )
        assert result.day is not None  # every line of a market has a payer
        names = {
            f"{entity}/{result.day.isoformat()}": self._ledger.spent(entity, result.day)
            for entity in (shown.account_id, shown.campaign_id)
        }
        self._gate.settle(shown.account_id, shown.hold_id, names)
        return shown, occurred, result
