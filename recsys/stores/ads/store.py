"""Accounts and campaigns of one shop in SQL: each change is one transaction, with its row of the audit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine, func, or_, select

from recsys.ads.campaigns.account import Account
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.documents import account_to_json, campaign_to_json
from recsys.config import Settings
from recsys.errors import RequestError, StaleVersionError, UnknownCampaignError, did_you_mean
from recsys.instants import utc_now
from recsys.stores.ads.records import AdsChange, Author, StoredAds
from recsys.stores.ads.rows import AdsRows
from recsys.stores.ads.tables import AdsAuditRow, CampaignRow
from recsys.stores.registry.sql_store import SqlStore, open_database


class AdsStore(SqlStore):
    """Accounts and campaigns; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer. Of a store `within` an
    account nothing else is there: what another account has is unknown, in messages too.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = utc_now, account_id: str | None = None
    ) -> None:
        super().__init__(engine)
        self._clock = clock
        self._account_id = account_id

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "AdsStore":
        """The store of the database that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), clock)

    def within(self, account_id: str) -> "AdsStore":
        """The same store, by the same connections, as the advertiser of that account sees it."""
        return AdsStore(self._engine, self._clock, account_id)

    def accounts(self) -> tuple[Account, ...]:
        """All accounts, sorted by name."""
        with self._rows("read advertisers' accounts") as rows:
            return rows.accounts()

    def account(self, which: str) -> Account:
        """The account of that id or name.

        Raises:
            UnknownCampaignError: there is none.
        """
        with self._rows("read an advertiser's account") as rows:
            return _account(rows, which)

    def add_account(self, account: Account, author: Author) -> Account:
        """Keeps a new account.

        Raises:
            RequestError: the name is taken, or the store is within an account.
        """
        if self._account_id is not None:
            raise RequestError("an advertiser makes no accounts. Ask the shop's operator.")
        with self._rows_to_change("keep an advertiser's account") as rows:
            if any(each.name == account.name for each in rows.accounts()):
                raise _taken("account", account.name)
            return self._write_account(rows, account, None, "create", author)

    def save_account(self, account: Account, author: Author) -> Account:
        """Changes an account that was read; one that is as it was stays untouched.

        Raises:
            UnknownCampaignError: it is not there. StaleVersionError: it was changed since it was read.
            RequestError: the name is taken.
        """
        with self._rows_to_change("change an advertiser's account") as rows:
            before = _account(rows, account.account_id)
            _check_version("account", before.name, account.version, before.version)
            if account_to_json(before) == account_to_json(account):
                return before
            everybody = AdsRows(rows.connection).accounts()
            if account.name in {each.name for each in everybody if each.account_id != account.account_id}:
                raise _taken("account", account.name)
            return self._write_account(rows, account, before, "change", author)

    def campaigns(self, account_id: str | None = None) -> tuple[Campaign, ...]:
        """All campaigns, or those of an account, with their lines, sorted by account and name.

        Raises:
            DataError: one is none that this version reads.
        """
        chosen = [] if account_id is None else [CampaignRow.account_id == account_id]
        with self._rows("read campaigns") as rows:
            return rows.campaigns(*chosen)

    def version(self) -> int:
        """A number that rises with each change of an account or campaign; 0 = nothing was ever stored."""
        with self._reading("look for changed campaigns") as connection:
            return connection.execute(select(func.max(AdsAuditRow.change_id))).scalar() or 0

    def everything(self) -> StoredAds:
        """All accounts and campaigns as of one instant. One that cannot be read takes no other away."""
        with self._rows("read campaigns") as rows:
            newest = rows.connection.execute(select(func.max(AdsAuditRow.change_id))).scalar() or 0
            found, unreadable = rows.readable_campaigns()
            reasons = {campaign_id: str(error) for campaign_id, error in unreadable.items()}
            return StoredAds(newest, rows.accounts(), found, reasons)

    def campaign(self, which: str, account_id: str | None = None) -> Campaign:
        """The campaign of that id, or of that name in the account.

        Raises:
            UnknownCampaignError: there is none.
            RequestError: several accounts have one of that name, and none was given.
            DataError: it is none that this version reads.
        """
        with self._rows("read a campaign") as rows:
            return _campaign(rows, which, account_id)

    def add_campaign(self, campaign: Campaign, author: Author) -> Campaign:
        """Keeps a new campaign with its lines.

        Raises:
            UnknownCampaignError: its account is not there. RequestError: the name is taken in it.
        """
        with self._rows_to_change("keep a campaign") as rows:
            account = _account(rows, campaign.account_id)
            _check_name(rows, campaign, account)
            return self._write_campaign(rows, campaign, None, "create", author)

    def save_campaign(self, campaign: Campaign, author: Author, action: str = "change") -> Campaign:
        """Changes a campaign that was read, and its lines; one that is as it was stays untouched.

        Args:
            action: what is done, for the audit.

        Raises:
            UnknownCampaignError: it is not there. StaleVersionError: it was changed since it was read.
            RequestError: the name is taken in its account.
            ValueError: it lacks a line that is stored: lines are archived, never removed.
        """
        with self._rows_to_change("change a campaign") as rows:
            before = _campaign(rows, campaign.campaign_id)
            _check_version("campaign", before.name, campaign.version, before.version)
            if campaign_to_json(before) == campaign_to_json(campaign):
                return before
            if {line.line_id for line in before.lines} - {line.line_id for line in campaign.lines}:
                raise ValueError("a stored line is missing; archive lines, never remove them")
            _check_name(rows, campaign, _account(rows, before.account_id))
            return self._write_campaign(rows, campaign, before, action, author)

    def history(self, entity_id: str | None = None) -> Sequence[AdsChange]:
        """Every change, of the account or campaign of that id or of all, oldest first."""
        query = select(AdsAuditRow.__table__).order_by(AdsAuditRow.change_id)
        if entity_id is not None:
            query = query.where(AdsAuditRow.entity_id == entity_id)
        if self._account_id is not None:
            query = query.where(AdsAuditRow.account_id == self._account_id)
        with self._rows("read changes of campaigns") as rows:
            found = rows.connection.execute(query).mappings().all()
        return [AdsChange(**{name: row[name] for name in row if name != "change_id"}) for row in found]

    # -- inside a transaction -----------------------------------------------------------------

    def _write_account(
        self, rows: AdsRows, account: Account, before: Account | None, action: str, author: Author
    ) -> Account:
        at, version = self._clock(), 1 if before is None else before.version + 1
        rows.write_account(account, version, at, author)
        documents = (None if before is None else account_to_json(before), account_to_json(account))
        rows.note("account", (account.account_id, account.account_id), version, action, documents, at, author)
        return replace(account, version=version, changed_at=at)

    def _write_campaign(
        self, rows: AdsRows, campaign: Campaign, before: Campaign | None, action: str, author: Author
    ) -> Campaign:
        at, version = self._clock(), 1 if before is None else before.version + 1
        rows.write_campaign(campaign, before, version, at, author)
        documents = (None if before is None else campaign_to_json(before), campaign_to_json(campaign))
        rows.note(
            "campaign", (campaign.campaign_id, campaign.account_id), version, action, documents, at, author
        )
        return replace(campaign, version=version, changed_at=at)

    @contextmanager
    def _rows(self, operation: str) -> Iterator[AdsRows]:
        with self._snapshot(operation) as connection:
            yield AdsRows(connection, self._account_id)

    @contextmanager
    def _rows_to_change(self, operation: str) -> Iterator[AdsRows]:
        with self._writing(operation) as connection:
            yield AdsRows(connection, self._account_id)


def _account(rows: AdsRows, which: str) -> Account:
    found = rows.accounts()
    for account in found:
        if which in (account.account_id, account.name):
            return account
    near = did_you_mean(which, [account.name for account in found])
    raise UnknownCampaignError(
        f"there is no account {which[:100]!r}.{near} `recsys ads account list` shows those there are."
    )


def _campaign(rows: AdsRows, which: str, account_id: str | None = None) -> Campaign:
    chosen = [] if account_id is None else [CampaignRow.account_id == account_id]
    named = or_(CampaignRow.campaign_id == which, CampaignRow.name == which)
    found = rows.campaigns(named, *chosen)
    if len(found) > 1:
        raise RequestError(
            f"{len(found)} accounts have a campaign {which[:100]!r}. Give --account, or its id."
        )
    if found:
        return found[0]
    near = did_you_mean(which, [each.name for each in rows.campaigns(*chosen)])
    raise UnknownCampaignError(
        f"there is no campaign {which[:100]!r}.{near} `recsys ads campaign list` shows those there are."
    )


def _check_name(rows: AdsRows, campaign: Campaign, account: Account) -> None:
    same = rows.campaigns(CampaignRow.account_id == account.account_id, CampaignRow.name == campaign.name)
    if any(each.campaign_id != campaign.campaign_id for each in same):
        raise _taken("campaign", campaign.name)


def _check_version(kind: str, name: str, read: int, stored: int) -> None:
    if read != stored:
        raise StaleVersionError(
            f"the {kind} {name!r} was read at version {read} and is at {stored} now: somebody changed it "
            "since. Read it again and repeat the change."
        )


def _taken(kind: str, name: str) -> RequestError:
    archived = ", which may be archived" if kind == "campaign" else ""
    return RequestError(f"the name {name!r} is taken by another {kind}{archived}. Choose another name.")
