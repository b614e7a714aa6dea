"""Charges, booked inside a transaction that is open already: legs, budgets and the charges' keys together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from recsys.ads.campaigns.local_days import local_day, time_zone
from recsys.ads.ledger.books import Entry, charge_legs
from recsys.ads.ledger.budgets import Caps
from recsys.ads.ledger.charges import Charge, ChargeResult, Level, due_micros
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

    Charges that fit their budgets together are moved by one statement a level. Where they do not, each half
    of them is tried, the first one first: what comes of it is what one after the other would have come to.

    Args:
        now: when the charges are booked.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._payers: dict[tuple[str, str], Payer | None] = {}  # by campaign and line
        self._opened: set[tuple[str, date]] = set()  # lines with their days
        self._remainders: dict[str, int] = {}  # by line
        self._changed: set[str] = set()  # lines whose remainder is another now
        self._lost: Counter[tuple[tuple[Caps, ...], date]] = Counter()  # nanos
        self._results: dict[str, ChargeResult] = {}  # by key

    def charge_all(self, charges: Sequence[Charge]) -> list[ChargeResult]:
        """Bills each event, or keeps that it is free; one that was there before changes nothing."""
        known = charge_results(self._connection, charges)
        first = {charge.key: charge for charge in reversed(charges) if charge.key not in known}
        sales = self._sales([charge for charge in charges if first.get(charge.key) is charge])
        self._sell(sales)
        self._keep(charges, first)
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

    def _sell(self, sales: Sequence[_Sale]) -> None:
        """Charges sales in their order."""
        if not sales:
            return
        remainders = dict(self._remainders)
        dues = []
        for sale in sales:
            line_id = sale.charge.line_id
            micros, remainders[line_id] = due_micros(sale.charge.price_nanos, remainders[line_id])
            dues.append(micros)
        refused_by = self._spend(sales, dues)
        if refused_by is None:
            for sale, micros in zip(sales, dues, strict=True):
                result = ChargeResult(sale.charge.key, "charged", micros, sale.day)
                self._results[sale.charge.key] = result
            self._changed |= {line for line, nanos in remainders.items() if nanos != self._remainders[line]}
            self._remainders = remainders
        elif len(sales) > 1:
            self._sell(sales[: len(sales) // 2])
            self._sell(sales[len(sales) // 2 :])
        else:
            (sale,) = sales
            self._lost[sale.payer.levels, sale.day] += sale.charge.price_nanos
            result = ChargeResult(sale.charge.key, "over_budget", day=sale.day, refused_by=refused_by)
            self._results[sale.charge.key] = result

    def _spend(self, sales: Sequence[_Sale], dues: Sequence[int]) -> Level | None:
        """Moves all levels of all sales, or none: then the first level that has not enough."""
        moved: Counter[tuple[Caps, date]] = Counter()
        for sale, micros in zip(sales, dues, strict=True):
            for caps in sale.payer.levels:
                moved[caps, sale.day] += micros
        before = self._connection.begin_nested()
        for (caps, day), micros in moved.items():
            if not spend(self._connection, caps, day, micros):
                before.rollback()
                return caps.level
        before.commit()
        return None

    def _keep(self, charges: Sequence[Charge], first: dict[str, Charge]) -> None:
        """Writes what came of new charges: their keys, entries, lost prices and remainders."""
        new = [
            (charge, self._results[charge.key])
            for charge in charges
            if first.get(charge.key) is charge and charge.key in self._results
        ]
        for line_id in sorted(self._changed):
            keep_remainder(self._connection, line_id, self._remainders[line_id])
        for (levels, day), nanos in self._lost.items():
            lose(self._connection, levels, day, nanos)
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
            remainder = open_periods(self._connection, charge.account_id, found.levels, day)
            self._remainders.setdefault(line_id, remainder)
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
