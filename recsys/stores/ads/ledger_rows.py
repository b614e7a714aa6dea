"""Entries and charges, read and added inside a transaction that is open already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlalchemy.engine import RowMapping

from recsys.ads.ledger.books import Entry
from recsys.ads.ledger.budgets import Caps
from recsys.ads.ledger.charges import Charge, ChargeResult, charge_key
from recsys.stores.ads.ledger_tables import ChargeRow, LedgerEntryRow, LedgerLegRow
from recsys.stores.ads.tables import AccountRow, CampaignRow, LineRow

MOST_ASKED = 500  # tokens of one question


@dataclass(frozen=True)
class Payer:
    """Who pays a charge.

    Attributes:
        levels: the caps of account, campaign and line, in this order, as they are now.
    """

    time_zone: str
    prepaid: bool
    levels: tuple[Caps, Caps, Caps]


def payer(connection: Connection, charge: Charge) -> Payer | None:
    """Who pays `charge`; None where there is no such line in that campaign of that account."""
    account, campaign, line = AccountRow, CampaignRow, LineRow
    query = (
        select(
            account.time_zone,
            account.prepaid,
            account.budget_day_micros,
            campaign.budget_day_micros,
            campaign.budget_total_micros,
            line.budget_day_micros,
            line.budget_total_micros,
        )
        .join_from(line, campaign, campaign.campaign_id == line.campaign_id)
        .join(account, account.account_id == campaign.account_id)
        .where(
            line.line_id == charge.line_id,
            campaign.campaign_id == charge.campaign_id,
            account.account_id == charge.account_id,
        )
    )
    found = connection.execute(query).one_or_none()
    if found is None:
        return None
    zone, prepaid, of_account, of_campaign, campaign_total, of_line, line_total = found
    levels = (
        Caps("account", charge.account_id, of_account, prepaid=prepaid),
        Caps("campaign", charge.campaign_id, of_campaign, campaign_total),
        Caps("line", charge.line_id, of_line, line_total),
    )
    return Payer(zone, prepaid, levels)


def add_entries(connection: Connection, entries: Sequence[Entry], at: datetime) -> None:
    """Books entries with their legs."""
    if not entries:
        return
    rows = [
        {name: value for name, value in vars(entry).items() if name != "legs"} | {"booked_at": at}
        for entry in entries
    ]
    added = insert(LedgerEntryRow).returning(LedgerEntryRow.entry_id, sort_by_parameter_order=True)
    ids = connection.execute(added, rows).scalars().all()
    legs = [
        {"entry_id": entry_id, "book": leg.book, "micros": leg.micros}
        for entry_id, entry in zip(ids, entries, strict=True)
        for leg in entry.legs
    ]
    connection.execute(insert(LedgerLegRow), legs)


def entry_row(connection: Connection, key: str) -> RowMapping | None:
    """The entry of that key; None if there is none."""
    query = select(LedgerEntryRow.__table__).where(LedgerEntryRow.key == key)
    return connection.execute(query).mappings().one_or_none()


def add_charges(connection: Connection, results: Sequence[tuple[Charge, ChargeResult]], at: datetime) -> None:
    """Keeps what came of charges, for good.

    Raises:
        IntegrityError: another transaction kept one of the same token and event meanwhile.
    """
    rows = [
        {
            **vars(charge),
            "day": result.day,
            "micros": result.micros,
            "outcome": result.outcome,
            "refused_by": result.refused_by,
            "charged_at": at,
        }
        for charge, result in results
    ]
    if rows:
        connection.execute(insert(ChargeRow), rows)


def charge_results(connection: Connection, charges: Sequence[Charge]) -> dict[str, ChargeResult]:
    """What came of those charges that were there before, by key."""
    found: dict[str, ChargeResult] = {}
    for start in range(0, len(charges), MOST_ASKED):
        tokens = [charge.token_id for charge in charges[start : start + MOST_ASKED]]
        query = select(ChargeRow.__table__).where(ChargeRow.token_id.in_(tokens))
        for row in connection.execute(query).mappings():
            key = charge_key(row["event"], row["token_id"])
            found[key] = ChargeResult(key, row["outcome"], row["micros"], row["day"], row["refused_by"])
    return found


def charge_row(connection: Connection, key: str) -> RowMapping | None:
    """The charge of that key; None if there is none."""
    event, _, token_id = key.partition(":")
    query = select(ChargeRow.__table__).where(ChargeRow.token_id == token_id, ChargeRow.event == event)
    return connection.execute(query).mappings().one_or_none()
