"""Sums over the books, for the identities and for bills; all within one snapshot of the database."""

from collections import Counter
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute

from recsys.ads.campaigns.account import Account
from recsys.ads.ledger.budgets import period_of
from recsys.ads.ledger.identities import BookSums, Period, Sold
from recsys.ads.ledger.statement import Statement, StatementLine
from recsys.stores.ads.budget_rows import budget_rows
from recsys.stores.ads.ledger_tables import ChargeRow as Charged
from recsys.stores.ads.ledger_tables import LedgerEntryRow as Entry
from recsys.stores.ads.ledger_tables import LedgerLegRow as Leg
from recsys.stores.ads.tables import CampaignRow, LineRow

MOST_SHOWN = 100  # entries or charges that are wrong in themselves
_BALANCE = Leg.book.in_(("wallet", "clearing"))
_MOVES_BUDGETS = Entry.kind.in_(("charge", "refund", "write_off"))


def book_sums(connection: Connection) -> BookSums:
    """What the identities are checked on."""
    micros = func.sum(Leg.micros)
    unbalanced = (
        select(Entry.key, micros).join(Leg).group_by(Entry.entry_id, Entry.key).having(micros != 0)
    ).limit(MOST_SHOWN)
    balances = select(Entry.account_id, micros).join(Leg).where(_BALANCE).group_by(Entry.account_id)
    sold = (
        select(Charged.line_id, func.sum(Charged.price_nanos), func.sum(Charged.micros))
        .where(Charged.outcome == "charged")
        .group_by(Charged.line_id)
    )
    return BookSums(
        unbalanced=_numbers(connection, unbalanced),
        books=_numbers(connection, select(Leg.book, micros).group_by(Leg.book)),
        balances=_numbers(connection, balances),
        billed=_billed(connection),
        lost=_lost(connection),
        sold={line: Sold(int(nanos), int(billed)) for line, nanos, billed in connection.execute(sold)},
        mismatched=_mismatched(connection),
        rows=budget_rows(connection),
    )


def _numbers(connection: Connection, query: Executable) -> dict[Any, int]:
    # PostgreSQL's sums are decimals.
    return {key: int(number) for key, number in connection.execute(query)}


def _billed(connection: Connection) -> dict[Period, int]:
    ids = (Entry.account_id, Entry.campaign_id, Entry.line_id)
    query = (
        select(*ids, Entry.budget_day, -func.sum(Leg.micros))
        .join(Leg)
        .where(Leg.book == "revenue", _MOVES_BUDGETS)
        .group_by(*ids, Entry.budget_day)
    )
    return _by_period(connection, query)


def _lost(connection: Connection) -> dict[Period, int]:
    ids = (Charged.account_id, Charged.campaign_id, Charged.line_id)
    query = (
        select(*ids, Charged.day, func.sum(Charged.price_nanos))
        .where(Charged.outcome == "over_budget")
        .group_by(*ids, Charged.day)
    )
    return _by_period(connection, query)


def _by_period(connection: Connection, query: Executable) -> dict[Period, int]:
    found: Counter[Period] = Counter()
    for *ids, day, number in connection.execute(query):
        for entity_id in ids:
            found[entity_id, period_of(None)] += int(number)
            if day is not None:
                found[entity_id, period_of(day)] += int(number)
    return dict(found)


def _mismatched(connection: Connection) -> dict[str, tuple[int, int]]:
    """Charges without an entry of the same line, day and micros; and how many entries have no charge."""
    key: ColumnElement[str] = Charged.event + ":" + Charged.token_id
    same = and_(Entry.key == key, Entry.line_id == Charged.line_id, Entry.day == Charged.day)
    billed = func.coalesce(-Leg.micros, 0)
    query = (
        select(key, Charged.micros, billed)
        .outerjoin(Entry, same)
        .outerjoin(Leg, and_(Leg.entry_id == Entry.entry_id, Leg.book == "revenue"))
        .where(Charged.micros != billed)
        .limit(MOST_SHOWN)
    )
    found = {name: (int(of_charge), int(of_entry)) for name, of_charge, of_entry in connection.execute(query)}
    charges = _count(connection, Charged.token_id, Charged.micros > 0)
    entries = _count(connection, Entry.entry_id, Entry.kind == "charge")
    return {**found, "number of entries": (charges, entries)}


def _count(connection: Connection, column: InstrumentedAttribute[Any], chosen: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count(column)).where(chosen)).scalar_one())


def statement(connection: Connection, account: Account, first: date, last: date) -> Statement:
    """The bill of an account, from the legs of its wallet or of what it owes."""
    mine = (Entry.account_id == account.account_id, _BALANCE)
    before = select(func.coalesce(func.sum(Leg.micros), 0)).select_from(Entry).join(Leg)
    opening = connection.execute(before.where(*mine, Entry.day < first)).scalar_one()
    names = (Entry.day, Entry.kind, CampaignRow.name, LineRow.name)
    query = (
        select(*names, func.count(), func.sum(Leg.micros))
        .select_from(Entry)
        .join(Leg)
        .outerjoin(CampaignRow, CampaignRow.campaign_id == Entry.campaign_id)
        .outerjoin(LineRow, LineRow.line_id == Entry.line_id)
        .where(*mine, Entry.day >= first, Entry.day <= last)
        .group_by(*names, Entry.line_id)
        .order_by(*names)
    )
    lines = tuple(
        StatementLine(day, kind, campaign, line, entries, int(micros))
        for day, kind, campaign, line, entries, micros in connection.execute(query)
    )
    return Statement(account.name, account.account_id, account.time_zone, first, last, int(opening), lines)
