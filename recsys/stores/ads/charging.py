"""Charges, booked inside a transaction that is open already: legs, budgets and the charge's key together."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from recsys.ads.campaigns.local_days import local_day, time_zone
from recsys.ads.ledger.books import Entry, charge_legs
from recsys.ads.ledger.charges import Charge, ChargeResult, Level, charge_key, due_micros
from recsys.stores.ads.budget_rows import keep_remainder, lose, open_periods, spend
from recsys.stores.ads.ledger_rows import Payer, add_charge, add_entry, charge_row, payer


@dataclass(frozen=True)
class Charging:
    """Charges of one account, whose lease `connection` holds. `now`: when they are booked."""

    connection: Connection
    now: datetime

    def charge(self, charge: Charge) -> ChargeResult:
        """Bills an event, or keeps that it is free; one that was there before changes nothing."""
        known = charge_row(self.connection, charge.key)
        if known is not None:
            return _first_result(known)
        found = payer(self.connection, charge)
        if found is None:
            return ChargeResult(charge.key, "unknown_line")
        day = local_day(charge.occurred_at, time_zone(found.time_zone))
        if charge.is_late:
            result = ChargeResult(charge.key, "late", day=day)
        else:
            result = self._bill(charge, found, day)
        add_charge(self.connection, charge, result, self.now)
        return result

    def _bill(self, charge: Charge, found: Payer, day: date) -> ChargeResult:
        before = open_periods(self.connection, charge.account_id, found.levels, day)
        micros, after = due_micros(charge.price_nanos, before)
        refused_by = self._spend(found, day, micros)
        if refused_by is not None:
            lose(self.connection, found.levels, day, charge.price_nanos)
            return ChargeResult(charge.key, "over_budget", day=day, refused_by=refused_by)
        if after != before:
            keep_remainder(self.connection, charge.line_id, after)
        if micros > 0:
            add_entry(self.connection, _entry(charge, found, day, micros), self.now)
        return ChargeResult(charge.key, "charged", micros, day)

    def _spend(self, found: Payer, day: date, micros: int) -> Level | None:
        """Moves all three levels, or none: then the first that has not enough."""
        before = self.connection.begin_nested()
        for caps in found.levels:
            if not spend(self.connection, caps, day, micros):
                before.rollback()
                return caps.level
        before.commit()
        return None


def _entry(charge: Charge, found: Payer, day: date, micros: int) -> Entry:
    return Entry(
        kind="charge",
        key=charge.key,
        account_id=charge.account_id,
        day=day,
        legs=charge_legs(micros, found.prepaid),
        budget_day=day,
        campaign_id=charge.campaign_id,
        line_id=charge.line_id,
    )


def _first_result(row: RowMapping) -> ChargeResult:
    key = charge_key(row["event"], row["token_id"])
    result = ChargeResult(key, row["outcome"], row["micros"], row["day"], row["refused_by"])
    return replace(result, is_duplicate=True)
