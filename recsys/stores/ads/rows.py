"""What the store of campaigns reads and writes inside a transaction that is open already."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, update

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.stores.ads.records import (
    Author,
    account_of,
    account_values,
    campaign_of,
    campaign_values,
    line_of,
    line_values,
)
from recsys.stores.ads.tables import (
    AccountRow,
    AdsAuditRow,
    AdsKind,
    CampaignRow,
    LineItemRow,
    LineRow,
)


@dataclass(frozen=True)
class AdsRows:
    """Rows of accounts and campaigns. `account_id`: the only account that is seen; None = all."""

    connection: Connection
    account_id: str | None = None

    def accounts(self) -> tuple[Account, ...]:
        """Sorted by name."""
        query = select(AccountRow.__table__).order_by(AccountRow.name)
        if self.account_id is not None:
            query = query.where(AccountRow.account_id == self.account_id)
        return tuple(account_of(row) for row in self.connection.execute(query).mappings())

    def campaigns(self, *chosen: ColumnElement[bool]) -> tuple[Campaign, ...]:
        """Those for which all of `chosen` holds, with their lines, sorted by account and name.

        Raises:
            DataError: one is none that this version reads.
        """
        found, unreadable = self.readable_campaigns(*chosen)
        for error in unreadable.values():
            raise error
        return found

    def readable_campaigns(
        self, *chosen: ColumnElement[bool]
    ) -> tuple[tuple[Campaign, ...], dict[str, DataError]]:
        """Those of `campaigns` that this version reads, and why it does not read the others, by their id."""
        if self.account_id is not None:
            chosen = (*chosen, CampaignRow.account_id == self.account_id)
        query = select(CampaignRow.__table__).where(*chosen)
        rows = self.connection.execute(query.order_by(CampaignRow.account_id, CampaignRow.name)).mappings()
        stored = rows.all()
        lines = self._lines(select(CampaignRow.campaign_id).where(*chosen))
        found: list[Campaign] = []
        unreadable: dict[str, DataError] = {}
        for row in stored:
            try:
                found.append(campaign_of(row, lines.get(row["campaign_id"], ())))
            except DataError as error:
                unreadable[row["campaign_id"]] = error
        return tuple(found), unreadable

    def _lines(self, campaigns: Select[Any]) -> dict[str, list[Line]]:
        items: dict[str, list[str]] = {}
        of_lines = select(LineItemRow.line_id, LineItemRow.item_id).join(
            LineRow, LineRow.line_id == LineItemRow.line_id
        )
        of_lines = of_lines.where(LineRow.campaign_id.in_(campaigns)).order_by(LineItemRow.place)
        for line_id, item_id in self.connection.execute(of_lines):
            items.setdefault(line_id, []).append(item_id)
        query = select(LineRow.__table__).where(LineRow.campaign_id.in_(campaigns)).order_by(LineRow.place)
        found: dict[str, list[Line]] = {}
        for row in self.connection.execute(query).mappings():
            found.setdefault(row["campaign_id"], []).append(line_of(row, items.get(row["line_id"], ())))
        return found

    def write_account(self, account: Account, version: int, at: datetime, author: Author) -> None:
        """Adds the account at version 1, else changes it."""
        values = {**account_values(account), **_changed(version, at, author)}
        if version == 1:
            self.connection.execute(insert(AccountRow).values(account_id=account.account_id, **values))
        else:
            chosen = update(AccountRow).where(AccountRow.account_id == account.account_id)
            self.connection.execute(chosen.values(values))

    def write_campaign(
        self, campaign: Campaign, before: Campaign | None, version: int, at: datetime, author: Author
    ) -> None:
        """Adds the campaign with its lines, or changes it where it was `before`."""
        values = {**campaign_values(campaign), **_changed(version, at, author)}
        if before is None:
            ids = {"campaign_id": campaign.campaign_id, "account_id": campaign.account_id}
            self.connection.execute(insert(CampaignRow).values({**ids, **values}))
        else:
            chosen = update(CampaignRow).where(CampaignRow.campaign_id == campaign.campaign_id)
            self.connection.execute(chosen.values(values))
        stored = {} if before is None else {line.line_id: line for line in before.lines}
        for place, line in enumerate(campaign.lines):
            self._write_line(campaign.campaign_id, line, stored.get(line.line_id), place)

    def _write_line(self, campaign_id: str, line: Line, before: Line | None, place: int) -> None:
        values = line_values(line, place)
        if before is None:
            ids = {"line_id": line.line_id, "campaign_id": campaign_id}
            self.connection.execute(insert(LineRow).values({**ids, **values}))
        else:
            self.connection.execute(update(LineRow).where(LineRow.line_id == line.line_id).values(values))
        if before is not None and before.items == line.items:
            return
        self.connection.execute(delete(LineItemRow).where(LineItemRow.line_id == line.line_id))
        rows = [
            {"line_id": line.line_id, "item_id": item_id, "place": place}
            for place, item_id in enumerate(line.items)
        ]
        if rows:
            self.connection.execute(insert(LineItemRow), rows)

    def note(
        self,
        kind: AdsKind,
        ids: tuple[str, str],
        version: int,
        action: str,
        documents: tuple[JsonObject | None, JsonObject],
        at: datetime,
        author: Author,
    ) -> None:
        """Adds a row to the audit. `ids`: of what was changed, and of its account."""
        before, after = documents
        self.connection.execute(
            insert(AdsAuditRow).values(
                kind=kind,
                entity_id=ids[0],
                account_id=ids[1],
                version=version,
                action=action,
                before=before,
                after=after,
                changed_by=author.name,
                changed_at=at,
                remark=author.remark,
            )
        )


def _changed(version: int, at: datetime, author: Author) -> JsonObject:
    return {"version": version, "changed_at": at, "changed_by": author.name}
