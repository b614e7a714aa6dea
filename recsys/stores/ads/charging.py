"""Charges, booked inside a transaction that is open already: legs, budgets and the charges' keys together."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Connection

from recsys.ads.campaigns.local_days import local_day, time_zone
from recsys.ads.ledger.books import Entry, charge_legs
from recsys.ads.ledger.charges import Charge, ChargeResult, Level, due_micros
from recsys.stores.ads.budget_rows import keep_remainder, lose, open_periods, spend
from recsys.stores.ads.ledger_rows import Payer, add_charges, add_entries, charge_results, payer


class Charging:
    """Charges of one account, whose lease `connection` holds: nobody else moves its budgets meanwhile.

    Args:
        now: when the charges are booked.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._payers: dict[tuple[str, str], Payer | None] = {}  # by campaign and line
        self._opened: set[tuple[str, date]] = set()  # lines with their days
        self._remainders: dict[str, int] = {}  # by line

    def charge_all(self, charges: Sequence[Charge]) -> list[ChargeResult]:
        """Bills each event, or keeps that it is free; one that was there before changes nothing."""
        known = charge_results(self._connection, charges)
        results: list[ChargeResult] = []
        new: list[tuple[Charge, ChargeResult]] = []
        entries: list[Entry] = []
        for charge in charges:
            if charge.key in known:
                results.append(replace(known[charge.key], is_duplicate=True))
                continue
            found = self._payer(charge)
            if found is None:
                results.append(ChargeResult(charge.key, "unknown_line"))
                continue
            result = self._charge(charge, found)
            known[charge.key] = result
            results.append(result)
            new.append((charge, result))
            if result.micros > 0:
                entries.append(_entry(charge, found, result))
        add_charges(self._connection, new, self._now)
        add_entries(self._connection, entries, self._now)
        return results

    def _charge(self, charge: Charge, found: Payer) -> ChargeResult:
        day = local_day(charge.occurred_at, time_zone(found.time_zone))
        if charge.is_late:
            return ChargeResult(charge.key, "late", day=day)
        before = self._remainder(charge, found, day)
        micros, after = due_micros(charge.price_nanos, before)
        refused_by = self._spend(found, day, micros)
        if refused_by is not None:
            lose(self._connection, found.levels, day, charge.price_nanos)
            return ChargeResult(charge.key, "over_budget", day=day, refused_by=refused_by)
        if after != before:
            keep_remainder(self._connection, charge.line_id, after)
            self._remainders[charge.line_id] = after
        return ChargeResult(charge.key, "charged", micros, day)

    def _spend(self, found: Payer, day: date, micros: int) -> Level | None:
        """Moves all three levels, or none: then the first that has not enough."""
        before = self._connection.begin_nested()
        for caps in found.levels:
            if not spend(self._connection, caps, day, micros):
                before.rollback()
                return caps.level
        before.commit()
        return None

    def _payer(self, charge: Charge) -> Payer | None:
        of_line = (charge.campaign_id, charge.line_id)
        if of_line not in self._payers:
            self._payers[of_line] = payer(self._connection, charge)
        return self._payers[of_line]

    def _remainder(self, charge: Charge, found: Payer, day: date) -> int:
        line_id = charge.line_id
        if (line_id, day) not in self._opened:
            self._remainders[line_id] = open_periods(self._connection, charge.account_id, found.levels, day)
            self._opened.add((line_id, day))
        return self._remainders[line_id]


def _entry(charge: Charge, found: Payer, result: ChargeResult) -> Entry:
    assert result.day is not None  # whoever pays has days
    return Entry(
        kind="charge",
        key=charge.key,
        account_id=charge.account_id,
        day=result.day,
        legs=charge_legs(result.micros, found.prepaid),
        budget_day=result.day,
        campaign_id=charge.campaign_id,
        line_id=charge.line_id,
    )
