"""Charges, booked inside a transaction that is open already: legs, budgets and the charges' keys together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from recsys.ads.campaigns.local_days import local_day, time_zone
from recsys.ads.ledger.books import Entry, charge_legs
from recsys.ads.ledger.budgets import TOTAL, BudgetRow, Caps, period_of
from recsys.ads.ledger.charges import Charge, ChargeResult, due_micros
from recsys.errors import LeaseLostError
from recsys.stores.ads.budget_rows import keep_remainder, lose, open_periods, spend
from recsys.stores.ads.ledger_rows import Payer, add_charges, add_entries, charge_results, payer


@dataclass(frozen=True)
class _Sale:
    """A charge that is new and in time, with who pays and the day that it counts on."""

    charge: Charge
    payer: Payer
    day: date


class Charging:
    """Charges of one account, whose lease `connection` holds: nobody else moves its budgets meanwhile.

    So what fits is decided by the numbers as they were read, and one conditional statement a level moves what
    all charges together cost: it says whether nobody else moved them indeed.

    Args:
        now: when the charges are booked.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._payers: dict[tuple[str, str], Payer | None] = {}  # by campaign and line
        self._opened: set[tuple[str, date]] = set()  # lines with their days
        self._rows: dict[tuple[str, str], BudgetRow] = {}  # as they were read, by id and period
        self._moved: Counter[tuple[Caps, date]] = Counter()  # micros
        self._spent: Counter[tuple[str, str]] = Counter()  # micros, of `moved`, by id and period
        self._remainders: dict[str, int] = {}  # by line
        self._lost: Counter[tuple[tuple[Caps, ...], date]] = Counter()  # nanos
        self._results: dict[str, ChargeResult] = {}  # by key

    def charge_all(self, charges: Sequence[Charge]) -> list[ChargeResult]:
        """Bills each event, or keeps that it is free; one that was there before changes nothing."""
        known = charge_results(self._connection, charges)
        first = {charge.key: charge for charge in reversed(charges) if charge.key not in known}
        for sale in self._sales([charge for charge in charges if first.get(charge.key) is charge]):
            self._results[sale.charge.key] = self._sell(sale)
        self._keep([charge for charge in charges if first.get(charge.key) is charge])
        told: set[str] = set()
        results = []
        for charge in charges:
            key = charge.key
            found = known.get(key) or self._results.get(key) or ChargeResult(key, "unknown_line")
            is_duplicate = key in known or (key in told and key in self._results)
            results.append(replace(found, is_duplicate=True) if is_duplicate else found)
            told.add(key)
        return results

    def _sales(self, charges: Sequence[Charge]) -> list[_Sale]:
        """Those that are to be paid; what came of the others is kept. Of an unknown line nothing comes."""
        sales = []
        for charge in charges:
            found = self._payer(charge)
            if found is None:
                continue
            day = local_day(charge.occurred_at, time_zone(found.time_zone))
            if charge.is_late:
                self._results[charge.key] = ChargeResult(charge.key, "late", day=day)
                continue
            self._open(charge, found, day)
            sales.append(_Sale(charge, found, day))
        return sales

    def _sell(self, sale: _Sale) -> ChargeResult:
        """What comes of a sale, after those before it."""
        charge, day = sale.charge, sale.day
        micros, after = due_micros(charge.price_nanos, self._remainders[charge.line_id])
        for caps in sale.payer.levels:
            if not self._fits(caps, day, micros):
                self._lost[sale.payer.levels, day] += charge.price_nanos
                return ChargeResult(charge.key, "over_budget", day=day, refused_by=caps.level)
        for caps in sale.payer.levels:
            self._moved[caps, day] += micros
            for period in (period_of(day), TOTAL):
                self._spent[caps.entity_id, period] += micros
        self._remainders[charge.line_id] = after
        return ChargeResult(charge.key, "charged", micros, day)

    def _fits(self, caps: Caps, day: date, micros: int) -> bool:
        total = self._rows[caps.entity_id, TOTAL]
        bounds = {
            period_of(day): caps.day_micros,
            TOTAL: total.paid_in_micros if caps.prepaid else caps.total_micros,
        }
        return all(
            bound is None
            or self._rows[caps.entity_id, period].spent_micros + self._spent[caps.entity_id, period] + micros
            <= bound
            for period, bound in bounds.items()
        )

    def _keep(self, charges: Sequence[Charge]) -> None:
        """Writes what came of new charges: budgets, their keys, entries, lost prices and remainders."""
        for (caps, day), micros in self._moved.items():
            if not spend(self._connection, caps, day, micros):
                raise LeaseLostError(
                    f"the budgets of {caps.entity_id!r} were moved by somebody without the lease of their "
                    "account. Charge again."
                )
        for line_id, nanos in self._remainders.items():
            if nanos != self._rows[line_id, TOTAL].remainder_nanos:
                keep_remainder(self._connection, line_id, nanos)
        for (levels, day), nanos in self._lost.items():
            lose(self._connection, levels, day, nanos)
        new = [(charge, self._results[charge.key]) for charge in charges if charge.key in self._results]
        add_charges(self._connection, new, self._now)
        billed = [(charge, result) for charge, result in new if result.micros > 0]
        entries = [_entry(charge, self._payer(charge), result) for charge, result in billed]
        add_entries(self._connection, entries, self._now)

    def _payer(self, charge: Charge) -> Payer | None:
        of_line = (charge.campaign_id, charge.line_id)
        if of_line not in self._payers:
            self._payers[of_line] = payer(self._connection, charge)
        return self._payers[of_line]

    def _open(self, charge: Charge, found: Payer, day: date) -> None:
        line_id = charge.line_id
        if (line_id, day) not in self._opened:
            rows = open_periods(self._connection, charge.account_id, found.levels, day)
            self._rows = rows | self._rows
            self._remainders.setdefault(line_id, rows[line_id, TOTAL].remainder_nanos)
            self._opened.add((line_id, day))


def _entry(charge: Charge, found: Payer | None, result: ChargeResult) -> Entry:
    assert result.day is not None  # whoever pays has days
    assert found is not None
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
