"""Charges by the rules of the books, in memory: on every budget or on none, late is free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.ledger.budgets import TOTAL, Caps, period_of
from recsys.ads.ledger.charges import Charge, ChargeResult, Level, due_micros


@dataclass(frozen=True)
class Payer:
    """Who pays for the ads of a line.

    Attributes:
        levels: account, campaign and line.
    """

    zone: tzinfo
    levels: tuple[Caps, ...]


class MemoryLedger:
    """What was charged, as the store of the books decides it; no entries are kept, only running numbers.

    Args:
        payers: by line id. A charge of another line is refused.
        keeps_keys: whether an event that comes again is found to be one; a simulation sends none twice.
    """

    def __init__(self, payers: Mapping[str, Payer], keeps_keys: bool = True) -> None:
        self._payers = dict(payers)
        self._spent: dict[tuple[str, str], int] = {}
        self._lost: dict[tuple[str, str], int] = {}
        self._remainders: dict[str, int] = {}
        self._known: dict[str, ChargeResult] = {}
        self._keeps_keys = keeps_keys

    def charge(self, charge: Charge) -> ChargeResult:
        """Bills the event where every budget has room for it, or says why it is free."""
        if charge.key in self._known:
            return replace(self._known[charge.key], is_duplicate=True)
        payer = self._payers.get(charge.line_id)
        if payer is None:
            return ChargeResult(charge.key, "unknown_line")
        result = self._charge(charge, payer, local_day(charge.occurred_at, payer.zone))
        if self._keeps_keys:
            self._known[charge.key] = result
        return result

    def spent(self, entity_id: str, day: date | None) -> int:
        """Micros charged to an account, campaign or line on a day; None = in total."""
        return self._spent.get((entity_id, period_of(day)), 0)

    def lost_nanos(self, entity_id: str, day: date | None) -> int:
        """What events over the budget would have cost."""
        return self._lost.get((entity_id, period_of(day)), 0)

    def _charge(self, charge: Charge, payer: Payer, day: date) -> ChargeResult:
        if charge.is_late:
            return ChargeResult(charge.key, "late", day=day)
        before = self._remainders.get(charge.line_id, 0)
        micros, after = due_micros(charge.price_nanos, before)
        refused_by = self._refusing(payer.levels, day, micros)
        periods = (period_of(day), TOTAL)
        keys = [(caps.entity_id, period) for caps in payer.levels for period in periods]
        if refused_by is not None:
            for key in keys:
                self._lost[key] = self._lost.get(key, 0) + charge.price_nanos
            return ChargeResult(charge.key, "over_budget", day=day, refused_by=refused_by)
        for key in keys:
            self._spent[key] = self._spent.get(key, 0) + micros
        self._remainders[charge.line_id] = after
        return ChargeResult(charge.key, "charged", micros, day)

    def _refusing(self, levels: Sequence[Caps], day: date, micros: int) -> Level | None:
        """The first level whose day or total would be above its cap."""
        for caps in levels:
            for period, cap in ((day, caps.day_micros), (None, caps.total_micros)):
                if cap is not None and self.spent(caps.entity_id, period) + micros > cap:
                    return caps.level
        return None
