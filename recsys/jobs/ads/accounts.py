"""Advertisers' accounts: made, changed and looked at by the shop's operator."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from recsys.ads.campaigns.account import Account, check_account, checked_name
from recsys.ads.campaigns.campaign import Campaign
from recsys.ads.campaigns.documents import account_to_json
from recsys.amounts import amount_text, parse_amount
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.processes import current_user
from recsys.stores.ads.records import AdsChange, Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.lake.dataset_files import INFO_FILE, load_info

NONE = "none"  # takes a budget away


@dataclass(frozen=True)
class ShownAccount:
    """An account with its campaigns.

    Attributes:
        currency: the shop's code; None where it is not known.
    """

    account: Account
    campaigns: tuple[Campaign, ...]
    currency: str | None

    def to_json(self) -> JsonObject:
        """What `recsys ads account show --json` prints."""
        return {
            **account_to_json(self.account),
            "currency": self.currency,
            "version": self.account.version,
            "changed_at": self.account.changed_at,
            "campaigns": len(self.campaigns),
        }

    def to_row(self) -> JsonObject:
        """What `recsys ads account list` shows."""
        budget = self.account.budget_day_micros
        return {
            "account": self.account.name,
            "id": self.account.account_id,
            "time zone": self.account.time_zone,
            "budget a day": None if budget is None else amount_text(budget, self.currency),
            "pays": "in advance" if self.account.prepaid else "by bill",
            "campaigns": len([each for each in self.campaigns if each.status != "archived"]),
        }


class AccountEditing:
    """The accounts of one home. Every method opens the database for itself.

    Args:
        author: who changes something; None = who runs this process.
        account_id: of the advertiser that asks and sees nothing else; None = the shop's operator.
    """

    def __init__(
        self,
        settings: Settings,
        author: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        account_id: str | None = None,
    ) -> None:
        self._settings = settings
        self._author = author or current_user() or "unknown"
        self._clock = clock
        self._account_id = account_id

    def create(
        self, name: str, time_zone: str, budget_per_day: str | int | None = None, prepaid: bool = False
    ) -> ShownAccount:
        """A new account.

        Args:
            time_zone: of the IANA database.
            budget_per_day: an amount, or micros; None = no bound.

        Raises:
            RequestError: name, time zone or amount cannot be, or the name is taken.
        """
        currency = shop_currency(self._settings)
        budget = None if budget_per_day is None else _micros(budget_per_day, currency)
        account = Account(
            new_id("acc_"), checked_name("an account", name), time_zone, budget, prepaid=prepaid
        )
        check_account(account)
        with self._store() as store:
            return ShownAccount(store.add_account(account, Author(self._author)), (), currency)

    def edit(
        self,
        which: str,
        name: str | None = None,
        budget_per_day: str | int | None = None,
        remark: str = "",
        version: int | None = None,
    ) -> ShownAccount:
        """Renames an account or gives it another budget a day, `none` for no bound.

        Args:
            version: that was read; None = whatever it is now.

        Raises:
            UnknownCampaignError: there is no such account. RequestError: nothing is given, or what is given
                cannot be. StaleVersionError: somebody else changed it meanwhile.
        """
        if name is None and budget_per_day is None:
            raise RequestError("nothing is to be changed. Give another name or budget a day.")
        currency = shop_currency(self._settings)
        with self._store() as store:
            account = store.account(which)
            if version is not None:
                account = replace(account, version=version)
            if name is not None:
                account = replace(account, name=checked_name("an account", name))
            if budget_per_day == NONE:
                account = replace(account, budget_day_micros=None)
            elif budget_per_day is not None:
                account = replace(account, budget_day_micros=_micros(budget_per_day, currency))
            check_account(account)
            saved = store.save_account(account, Author(self._author, remark))
            return ShownAccount(saved, store.campaigns(saved.account_id), currency)

    def accounts(self) -> list[ShownAccount]:
        """All accounts with their campaigns, sorted by name."""
        currency = shop_currency(self._settings)
        with self._store() as store:
            campaigns: dict[str, list[Campaign]] = {}
            for campaign in store.campaigns():
                campaigns.setdefault(campaign.account_id, []).append(campaign)
            return [
                ShownAccount(each, tuple(campaigns.get(each.account_id, ())), currency)
                for each in store.accounts()
            ]

    def account(self, which: str) -> ShownAccount:
        """The account of that name or id; raises UnknownCampaignError if there is none."""
        currency = shop_currency(self._settings)
        with self._store() as store:
            account = store.account(which)
            return ShownAccount(account, store.campaigns(account.account_id), currency)

    def history(self, which: str) -> list[AdsChange]:
        """Who changed the account, oldest first; raises UnknownCampaignError if there is none."""
        with self._store() as store:
            return [*store.history(store.account(which).account_id)]

    @contextmanager
    def _store(self) -> Iterator[AdsStore]:
        with AdsStore.open(self._settings, self._clock) as store:
            yield store if self._account_id is None else store.within(self._account_id)


def new_id(prefix: str) -> str:
    """An id that nobody has: the prefix and 16 random characters."""
    return prefix + secrets.token_hex(8)


def _micros(amount: str | int, currency: str | None) -> int:
    return amount if isinstance(amount, int) else parse_amount("--budget-per-day", amount, currency)


def shop_currency(settings: Settings) -> str | None:
    """The code of the shop's currency, as its import said; None where it did not, or nothing was imported."""
    is_imported = (settings.paths.data / INFO_FILE).exists()
    return load_info(settings.paths).currency if is_imported else None
