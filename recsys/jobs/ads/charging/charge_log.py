"""A line when a charge worker is ready, and one a minute while it works."""

import logging
from collections import Counter
from collections.abc import Callable

from recsys.amounts import amount_text

REPORT_SECONDS = 60.0  # between two lines of the log

log = logging.getLogger(__name__)


class ChargeLog:
    """Logs what a worker owns whenever that changes, and once a minute what it charged.

    Args:
        users: how many partitions users have. currency: of the shop; None where it is not known.
        clock: seconds of any origin.
    """

    def __init__(self, users: int, currency: str | None, clock: Callable[[], float]) -> None:
        self._users, self._currency, self._clock = users, currency, clock
        self._owned: frozenset[int] | None = None
        self._counts: Counter[str] = Counter()
        self._since = clock()

    def __call__(self, owned: frozenset[int], counts: Counter[str]) -> None:
        """Takes note of a round."""
        if owned != self._owned:
            self._owned = owned
            users = len(owned - {self._users})
            keeps = " and keeps the budgets" if self._users in owned else ""
            log.info("ready: charges %d of %d partitions%s", users, self._users, keeps)
        self._counts += counts
        seconds = self._clock() - self._since
        if seconds >= REPORT_SECONDS:
            log.info("%s in the last %.0f s", self._summary(), seconds)
            self._counts, self._since = Counter(), self._clock()

    def _summary(self) -> str:
        counts = dict(self._counts)
        read, micros = counts.pop("read", 0), counts.pop("micros", 0)
        told = [f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items()) if count]
        billed = f" ({amount_text(micros, self._currency)})" if micros else ""
        return ", ".join([f"{read} events read", *told]) + billed
