"""Money that is held for the slots of one request, and given back if they are not shown."""

from collections.abc import Callable

from recsys.ads.pacing.budget_gate import BudgetGate, HoldRequest, RefusalReason
from recsys.ads.selection.refusals import RecentRefusals


class Holds:
    """The holds of one request; used by one thread at a time.

    Args:
        new_id: makes ids of slots, which are those of their holds.
        seconds: the instant of the request by the clock of `refusals`.

    Attributes:
        taken: holds that the gate granted. reasons: ad -> why it was refused.
    """

    def __init__(
        self, gate: BudgetGate, refusals: RecentRefusals, new_id: Callable[[], str], seconds: float
    ) -> None:
        self.new_id = new_id
        self.taken: list[HoldRequest] = []
        self.reasons: dict[int, RefusalReason] = {}
        self._gate = gate
        self._refusals = refusals
        self._seconds = seconds

    def take(self, ad: int, request: HoldRequest) -> bool:
        """Whether the gate holds what is asked for.

        Raises:
            StoreUnavailableError: it does not answer.
        """
        refusal = self._gate.hold(request)
        if refusal is None:
            self.taken.append(request)
            return True
        self.reasons[ad] = refusal.reason
        self._refusals.note(request, refusal, self._seconds)
        return False

    def full_levels(self) -> frozenset[str]:
        """Levels that had no room a moment ago."""
        return self._refusals.full_levels(self._seconds)

    def capped(self, unit: str) -> frozenset[str]:
        """Campaigns that the unit saw often enough a moment ago."""
        return self._refusals.capped(unit, self._seconds)

    def release(self) -> None:
        """Gives back all that was taken.

        Raises:
            StoreUnavailableError: the gate does not answer; then the holds end by themselves.
        """
        release_all(self._gate, self.taken)
        self.taken = []


def release_all(gate: BudgetGate, holds: list[HoldRequest]) -> None:
    """Gives back these holds.

    Raises:
        StoreUnavailableError: the gate does not answer; then the holds end by themselves.
    """
    for each in holds:
        gate.release(each)
