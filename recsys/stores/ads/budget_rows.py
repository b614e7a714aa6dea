"""Running numbers of budgets, read and moved inside a transaction that is open already."""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import Connection, Select, case, func, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from recsys.ads.ledger.budgets import TOTAL, BudgetRow, Caps, period_of
from recsys.ads.selection.spending import RunningNumber, RunningNumbers
from recsys.stores.ads.ledger_tables import BudgetRowTable as Row
from recsys.stores.ads.ledger_tables import LedgerEntryRow as Entry

NO_CAP = 2**62  # micros; no sum of charges comes near


def budget_rows(
    connection: Connection, account_id: str | None = None, periods: Collection[str] | None = None
) -> tuple[BudgetRow, ...]:
    """The rows of an account, or all, of these periods, or all; sorted by id and period."""
    query = select(Row.__table__).order_by(Row.entity_id, Row.period)
    if account_id is not None:
        query = query.where(Row.account_id == account_id)
    if periods is not None:
        query = query.where(Row.period.in_(periods))
    return tuple(BudgetRow(**dict(row)) for row in connection.execute(query).mappings())


def running_numbers(
    connection: Connection, periods: Collection[str], since: int | None = None
) -> RunningNumbers:
    """What was spent in these periods, of all budgets or of those that entries after `since` moved.

    Every change of what was spent or paid in is booked. Plain tuples, as a service that shows ads reads many.
    """
    booked = connection.execute(select(func.max(Entry.entry_id))).scalar() or 0
    if booked == since:
        return RunningNumbers(booked, ())
    query = select(Row.entity_id, Row.period, Row.spent_micros, Row.paid_in_micros)
    query = query.where(Row.period.in_(periods))
    if since is not None:
        query = query.where(Row.entity_id.in_(_moved_since(since)))
    return RunningNumbers(booked, [RunningNumber._make(row) for row in connection.execute(query).all()])


def _moved_since(entry_id: int) -> Select[tuple[str]]:
    """Ids of accounts, campaigns and lines that later entries are of."""
    columns = (Entry.account_id, Entry.campaign_id, Entry.line_id)
    moved = union(*(select(column.label("id")).where(Entry.entry_id > entry_id) for column in columns))
    found = moved.subquery()
    return select(found.c.id)


def open_periods(
    connection: Connection, account_id: str, levels: Sequence[Caps], day: date
) -> dict[tuple[str, str], BudgetRow]:
    """The rows of `day` and of the total, by id and period; made where they are missing."""
    periods = (period_of(day), TOTAL)
    query = select(Row.__table__).where(
        Row.entity_id.in_([level.entity_id for level in levels]), Row.period.in_(periods)
    )
    stored = [BudgetRow(**dict(row)) for row in connection.execute(query).mappings()]
    rows = {(row.entity_id, row.period): row for row in stored}
    missing = [
        BudgetRow(level.entity_id, period, level.level, account_id)
        for level in levels
        for period in periods
        if (level.entity_id, period) not in rows
    ]
    add_rows(connection, missing)
    return rows | {(row.entity_id, row.period): row for row in missing}


def add_rows(connection: Connection, rows: Sequence[BudgetRow]) -> None:
    """Adds rows that are not there; those that are stay as they are."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(Row).on_conflict_do_nothing(), [vars(row) for row in rows])


def spend(connection: Connection, caps: Caps, day: date, micros: int) -> bool:
    """Adds `micros` to the day and to the total where both stay within the caps; whether they do.

    One statement: whatever else charges at the same time, neither cap is passed. Where it is False, one of
    the two rows may have been changed, and the caller goes back to before.
    """
    total = Row.paid_in_micros if caps.prepaid else _bound(caps.total_micros)
    cap = case((Row.period == TOTAL, total), else_=_bound(caps.day_micros))
    statement = (
        update(Row)
        .where(Row.entity_id == caps.entity_id, Row.period.in_((period_of(day), TOTAL)))
        .where(Row.spent_micros + micros <= cap)
        .values(spent_micros=Row.spent_micros + micros)
    )
    return connection.execute(statement).rowcount == 2


def keep_remainder(connection: Connection, line_id: str, nanos: int) -> None:
    """What of the line's sales is not billed yet."""
    chosen = update(Row).where(Row.entity_id == line_id, Row.period == TOTAL)
    connection.execute(chosen.values(remainder_nanos=nanos))


def lose(connection: Connection, levels: Sequence[Caps], day: date, price_nanos: int) -> None:
    """Counts an event over the budget on every level, on the day and in total."""
    chosen = update(Row).where(
        Row.entity_id.in_([level.entity_id for level in levels]), Row.period.in_((period_of(day), TOTAL))
    )
    connection.execute(chosen.values(lost_nanos=Row.lost_nanos + price_nanos))


def give_back(connection: Connection, entity_ids: Sequence[str], day: date | None, micros: int) -> None:
    """Takes a charge that is returned out of the totals, and of its day unless that is None."""
    periods = (TOTAL,) if day is None else (period_of(day), TOTAL)
    chosen = update(Row).where(Row.entity_id.in_(entity_ids), Row.period.in_(periods))
    connection.execute(chosen.values(spent_micros=Row.spent_micros - micros))


def pay_in(connection: Connection, account_id: str, micros: int) -> None:
    """Adds to what the account paid in; its row of the total is made where it is missing."""
    add_rows(connection, [BudgetRow(account_id, TOTAL, "account", account_id)])
    chosen = update(Row).where(Row.entity_id == account_id, Row.period == TOTAL)
    connection.execute(chosen.values(paid_in_micros=Row.paid_in_micros + micros))


def _bound(micros: int | None) -> int:
    return NO_CAP if micros is None else micros
