"""An advertiser's account: the time zone of its days, what it may spend, and whether it pays in advance."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from recsys.ads.campaigns.local_days import time_zone
from recsys.errors import RequestError

MOST_NAME = 100  # characters
ID_PREFIXES = ("acc_", "cmp_", "lin_")  # of accounts, campaigns and lines
_NAME = re.compile(r"[^\W_][\w. &'+-]*")


@dataclass(frozen=True)
class Account:
    """An advertiser.

    Attributes:
        account_id: `acc_` and letters; it stays, and keys of the role advertiser name it.
        name: unique in the shop.
        time_zone: of the IANA database; budgets, bills and schedules have the days of this zone.
        budget_day_micros: what all campaigns together may spend in a day; None = no bound.
        prepaid: whether it spends only what it paid in before.
        version: of the account, from 1; 0 = not stored yet. changed_at: when it became that.
    """

    account_id: str
    name: str
    time_zone: str
    budget_day_micros: int | None = None
    prepaid: bool = False
    version: int = 0
    changed_at: datetime | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return time_zone(self.time_zone)


def checked_name(kind: str, name: str) -> str:
    """`name` without the blanks around it.

    Raises:
        RequestError: it cannot be the name of an account, campaign or line.
    """
    trimmed = name.strip()
    if len(trimmed) > MOST_NAME or not _NAME.fullmatch(trimmed):
        raise RequestError(
            f"{name[:MOST_NAME]!r} cannot be the name of {kind}. Use up to {MOST_NAME} letters, digits, "
            "blanks and . & ' + - _; the first is a letter or a digit."
        )
    if trimmed.startswith(ID_PREFIXES):
        raise RequestError(f"the name {trimmed!r} has the form of an id. Choose another.")
    return trimmed


def check_account(account: Account) -> None:
    """Raises RequestError where name, time zone or budget cannot be."""
    checked_name("an account", account.name)
    time_zone(account.time_zone)
    if account.budget_day_micros is not None and account.budget_day_micros <= 0:
        raise RequestError("an account's budget a day must be above 0. Leave it out for no bound.")
