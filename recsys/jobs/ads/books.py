"""The books looked at by the shop's operator: whether they are right, and an account's bill."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from recsys.ads.campaigns.local_days import local_day
from recsys.ads.ledger.identities import BrokenIdentity
from recsys.ads.ledger.statement import Statement
from recsys.amounts import amount_text
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.instants import utc_now
from recsys.jobs.ads.accounts import shop_currency
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore


@dataclass(frozen=True)
class ShownStatement:
    """A bill as it is printed. `currency`: the shop's code; None where it is not known."""

    bill: Statement
    currency: str | None

    def to_json(self) -> JsonObject:
        """What `recsys ads ledger statement --json` prints."""
        return {**self.bill.to_json(), "currency": self.currency}

    def to_rows(self) -> list[JsonObject]:
        """Its lines for people, then the sums."""
        rows: list[JsonObject] = [
            {
                "day": line.day,
                "what": line.kind.replace("_", " "),
                "campaign": line.campaign,
                "line": line.line,
                "entries": line.entries,
                "amount": amount_text(line.micros, self.currency),
            }
            for line in self.bill.lines
        ]
        sums = {
            "owed before": self.bill.opening_micros,
            "billed": self.bill.billed_micros,
            "paid": self.bill.paid_micros,
            "owed after": self.bill.closing_micros,
        }
        for what, micros in sums.items():
            amount = amount_text(micros, self.currency)
            rows.append(
                {"day": None, "what": what, "campaign": None, "line": None, "entries": None, "amount": amount}
            )
        return rows


def check_ledger(settings: Settings) -> tuple[BrokenIdentity, ...]:
    """The identities of the home's books that do not hold; none where the books are right."""
    with AdsLedger.open(settings) as books:
        return books.check()


def account_statement(
    settings: Settings,
    which: str,
    first: str | None = None,
    last: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> ShownStatement:
    """The bill of the account of that name or id.

    Args:
        first, last: days as YYYY-MM-DD, both included. Default: this month's first, and today, in the
            account's time zone; where only `last` is given, the first of its month.

    Raises:
        UnknownCampaignError: there is no such account. RequestError: a day is none, or they are in
            the wrong order.
    """
    currency = shop_currency(settings)
    with AdsStore.open(settings) as store:
        account = store.account(which)
    end = local_day(clock(), account.zone) if last is None else _day("--to", last)
    start = end.replace(day=1) if first is None else _day("--from", first)
    if start > end:
        raise RequestError(f"the bill ends on {end}, before its first day {start}. Give --to after --from.")
    with AdsLedger.open(settings) as books:
        return ShownStatement(books.statement(account, start, end), currency)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(f"{option} {text[:40]!r} is no day. Write YYYY-MM-DD, as 2026-05-01.") from error
