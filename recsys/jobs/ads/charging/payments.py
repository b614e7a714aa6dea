"""Money that moves without an event, own users, and invalid traffic, as the shop's operator sees them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from recsys.ads.ledger.books import Booking, ReturnKind
from recsys.ads.ledger.charges import NANOS
from recsys.amounts import amount_text, parse_amount
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import RequestError
from recsys.identifiers import MOST_CHARACTERS
from recsys.instants import utc_now
from recsys.jobs.ads.accounts import shop_currency
from recsys.processes import current_user
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.payments import PaymentKind
from recsys.stores.ads.records import Author
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads.traffic import AdsTraffic, InvalidEvent

MOST_SHOWN = 1000  # invalid events
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class ShownBooking:
    """What came of a payment, a credit or a return. `currency`: the shop's; None where it is not known."""

    booking: Booking
    currency: str | None

    def to_json(self) -> JsonObject:
        """What the commands print with --json."""
        return {**vars(self.booking), "currency": self.currency}

    def to_row(self) -> JsonObject:
        """What they print for people."""
        booked = self.booking
        return {
            "entry": booked.key,
            "amount": amount_text(booked.micros, self.currency),
            "on the bill of": booked.day.isoformat(),
            "booked before": booked.is_duplicate,
        }


@dataclass(frozen=True)
class ShownTraffic:
    """Marked events of an account or of all, the newest first."""

    events: Sequence[InvalidEvent]
    currency: str | None

    def to_json(self) -> list[JsonObject]:
        """What `recsys ads ledger invalid --json` prints."""
        return [each.to_json() for each in self.events]

    def to_rows(self) -> list[JsonObject]:
        """What it prints for people."""
        return [
            {
                "at": each.occurred_at,
                "event": each.kind,
                "reason": each.reason.replace("_", " "),
                "user": each.user_id,
                "campaign": each.campaign_id,
                "would have cost": amount_text(each.price_nanos // NANOS, self.currency),
                "id": each.event_id,
            }
            for each in self.events
        ]


def book_payment(
    settings: Settings,
    kind: PaymentKind,
    which: str,
    amount: str,
    reference: str,
    remark: str = "",
    clock: Clock = utc_now,
) -> ShownBooking:
    """Books what an account paid (`top_up`) or is given (`credit`); the same reference again changes nothing.

    Raises:
        UnknownCampaignError: there is no such account.
        RequestError: amount or reference cannot be, or the reference was booked with another amount.
    """
    currency = shop_currency(settings)
    with AdsStore.open(settings) as store:
        account = store.account(which)
    micros = parse_amount("AMOUNT", amount, currency)
    with AdsLedger.open(settings, clock) as books:
        book = books.top_up if kind == "top_up" else books.credit
        return ShownBooking(book(account, micros, reference, remark, _author(remark)), currency)


def return_charge(
    settings: Settings, kind: ReturnKind, charge_key: str, remark: str = "", clock: Clock = utc_now
) -> ShownBooking:
    """Gives a charge back, once: as a refund, or as a write-off of invalid traffic.

    Raises:
        RequestError: there is no such charge.
    """
    with AdsLedger.open(settings, clock) as books:
        booked = books.return_charge(charge_key, kind, remark, _author(remark))
    return ShownBooking(booked, shop_currency(settings))


def change_own_users(
    settings: Settings,
    which: str,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    remark: str = "",
) -> tuple[str, ...]:
    """The account's own users, sorted, after these were added and removed; their clicks are never billed.

    Raises:
        UnknownCampaignError: there is no such account. RequestError: a user id cannot be.
    """
    for user_id in (*add, *remove):
        if not 0 < len(user_id) <= MOST_CHARACTERS:
            raise RequestError(f"the user id {user_id[:40]!r} has not 1 to {MOST_CHARACTERS} characters.")
    with AdsStore.open(settings) as store:
        account = store.account(which)
    with AdsTraffic.open(settings) as traffic:
        return traffic.change_own_users(account, add, remove, _author(remark))


def invalid_traffic(
    settings: Settings, which: str | None = None, since: datetime | None = None, count: int = MOST_SHOWN
) -> ShownTraffic:
    """The newest events that were marked, of an account or of all; raises UnknownCampaignError."""
    account_id = None
    if which is not None:
        with AdsStore.open(settings) as store:
            account_id = store.account(which).account_id
    with AdsTraffic.open(settings) as traffic:
        return ShownTraffic(traffic.invalid_events(account_id, since, count), shop_currency(settings))


def _author(remark: str) -> Author:
    return Author(current_user() or "unknown", remark)
