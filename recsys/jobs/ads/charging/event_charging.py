"""Events of ads into the books: judged by their tokens, charged in batches, and what they held released."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import orjson

from recsys.ads.auction.candidates import PricingCode
from recsys.ads.charging.attribution import purchase_charge, slot_of
from recsys.ads.charging.judgment import (
    AdEvent,
    BillingRules,
    Judgment,
    ReceivedEvent,
    TokenReader,
    charge_of,
    judge_event,
)
from recsys.ads.charging.reasons import NotBilled
from recsys.ads.charging.velocity import ClickLimits, ClickVelocities
from recsys.ads.ledger.budgets import TOTAL, BudgetRow, period_of
from recsys.ads.ledger.charges import Charge, ChargeResult, charge_key
from recsys.ads.pacing.budget_gate import BudgetGate
from recsys.errors import InvalidEventError, LeaseLostError, RequestError
from recsys.events import Cancel, Click, Purchase, parse_event
from recsys.experiments.assignment import assignment_unit, request_unit
from recsys.instants import DAY, SECOND, from_micros, utc_now
from recsys.service_settings import AdsSettings
from recsys.stores.ads.leases import Lease
from recsys.stores.ads.ledger import AdsLedger
from recsys.stores.ads.store import AdsStore
from recsys.stores.ads.traffic import AdsTraffic, InvalidEvent
from recsys.streaming.stream import Entry

MOST_CHARGES = 500  # of one transaction: others who charge the account wait for its end
LEASE_PAUSE_SECONDS = 0.02  # between two tries to take an account's lease
ONE_DAY = timedelta(days=1)  # today in any time zone is within one of today in UTC
_WORDS = (b'"token"', b'"purchase"', b'"cancel"')  # of a body that may be of an ad
_KINDS = get_args(AdEvent)


@dataclass(frozen=True)
class ChargingStores:
    """What a charge worker reads and writes."""

    books: AdsLedger
    traffic: AdsTraffic
    campaigns: AdsStore
    gate: BudgetGate
    tokens: TokenReader


class EventCharging:
    """Charges the events of one worker; for one thread.

    What it does can be repeated: a batch that was cut short anywhere is processed again, and charges nothing
    twice.

    Args:
        owner: names this worker of this process, as leases are taken under it.
        clock: aware now. pause: does nothing for some seconds.
    """

    def __init__(
        self,
        stores: ChargingStores,
        settings: AdsSettings,
        owner: str,
        clock: Callable[[], datetime] = utc_now,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.keeps_leases = True  # from one batch to the next; not where other workers charge too
        self._stores, self._settings, self._owner = stores, settings, owner
        self._clock, self._pause = clock, pause
        self._velocities = ClickVelocities(_click_limits(settings))
        self._window_seconds = round(settings.attribution_days * DAY / SECOND)
        self._accounts: frozenset[str] = frozenset()
        self._leases: dict[str, Lease] = {}

    def process(self, entries: Sequence[Entry]) -> Counter[str]:
        """Charges what is to be charged of `entries`, in their order, and marks what is invalid.

        Returns:
            How many events were `charged`, `over_budget`, `late`, `duplicate`, `invalid`, `returned` or of an
            `unknown` account or line, and the `micros` that were billed.

        Raises:
            LeaseLostError: another worker charges an account, again and again.
            StoreUnavailableError: then the same entries are to be processed again.
        """
        received = [each for entry in entries if (each := received_event(entry)) is not None]
        if not received:
            return Counter()
        counts: Counter[str] = Counter()
        judged = self._judged(received)
        self._mark([each for each in judged if each.is_invalid], counts)
        clicks = [each for each in judged if each.may_lead_to_purchase]
        self._stores.traffic.note_clicks(
            [slot_of(each.impression, each.occurred_at) for each in clicks if each.impression is not None]
        )
        by_account: dict[str, list[Charge]] = defaultdict(list)
        for charge in self._charges(judged):
            by_account[charge.account_id].append(charge)
        for account_id, charges in by_account.items():
            self._charge(account_id, charges, counts)
        self._return_cancelled(judged, counts)
        return counts

    def recall(self, entries: Sequence[Entry]) -> None:
        """Counts clicks that were charged or marked before, so that those to come are judged as without a
        restart. Charges and marks nothing.

        Raises:
            StoreUnavailableError: the database.
        """
        received = [each for entry in entries if (each := received_event(entry)) is not None]
        if not received:
            return
        rules = self._rules()
        for each in received:
            self._too_fast(judge_event(each, self._stores.tokens, rules))

    def release_leases(self) -> None:
        """Lets other workers charge the accounts at once."""
        while self._leases:
            self._stores.books.end_lease(self._leases.popitem()[1])

    # -- what events are ------------------------------------------------------------------------

    def _judged(self, received: Sequence[ReceivedEvent]) -> list[Judgment]:
        marked = self._stores.traffic.marked([each.event.event_id for each in received])
        rules = self._rules()
        judged = [
            judge_event(each, self._stores.tokens, rules)
            for each in received
            if each.event.event_id not in marked
        ]
        fast = [self._too_fast(each) for each in judged]
        # What was charged before it was read again stays charged, however fast its user goes on.
        known = self._stores.books.known(
            [charge for each, reason in zip(judged, fast, strict=True) if reason and (charge := each.charge)]
        )
        return [
            replace(each, reason=reason)
            if reason and ((charge := each.charge) is None or charge.key not in known)
            else each
            for each, reason in zip(judged, fast, strict=True)
        ]

    def _rules(self) -> BillingRules:
        return BillingRules(self._window_seconds, self._stores.traffic.own_users())

    def _too_fast(self, judgment: Judgment) -> NotBilled | None:
        impression, received = judgment.impression, judgment.received
        if impression is None or judgment.is_invalid or not isinstance(received.event, Click):
            return None
        event_id, at = received.event.event_id, judgment.occurred_at
        return self._velocities.exceeded(impression.unit, received.origin, event_id, at)

    def _mark(self, judged: Sequence[Judgment], counts: Counter[str]) -> None:
        self._stores.traffic.mark([invalid_event(each) for each in judged])
        counts["invalid"] += len(judged)

    def _charges(self, judged: Sequence[Judgment]) -> Iterable[Charge]:
        for each in judged:
            event, impression = each.received.event, each.impression
            if charge := each.charge:
                if isinstance(event, Purchase) and impression is not None:
                    slot = slot_of(impression, each.occurred_at)
                    self._stores.traffic.note_purchase(slot, event.event_id, each.occurred_at)
                yield charge
            elif isinstance(event, Purchase) and each.reason is NotBilled.NO_TOKEN:
                at = min(event.at, each.received.accepted_at)
                claimed = self._stores.traffic.claim(
                    each.received.units, event.item_id, event.event_id, at, self._window_seconds
                )
                if claimed is not None:
                    yield purchase_charge(claimed, at)

    # -- money ----------------------------------------------------------------------------------

    def _charge(self, account_id: str, charges: Sequence[Charge], counts: Counter[str]) -> None:
        if not self._is_known(account_id):
            counts["unknown"] += len(charges)
            return
        chunks = [charges[start : start + MOST_CHARGES] for start in range(0, len(charges), MOST_CHARGES)]
        for result in (each for chunk in chunks for each in self._charged(account_id, chunk)):
            counts["duplicate" if result.is_duplicate else result.outcome] += 1
            counts["micros"] += 0 if result.is_duplicate else result.micros
        counts["unknown"] += counts.pop("unknown_line", 0)
        spent = level_spent(self._stores.books.budgets(account_id, open_periods(self._clock())))
        for charge in charges:
            # With the first one all levels are raised: until then the holds keep the money.
            self._stores.gate.settle(account_id, charge.token_id, spent)
            spent = {}

    def _charged(self, account_id: str, charges: Sequence[Charge]) -> list[ChargeResult]:
        end = self._clock() + timedelta(seconds=2 * self._settings.lease_seconds)
        while True:
            lease = self._lease(account_id)
            if lease is None:
                if self._clock() > end:
                    raise LeaseLostError(f"another worker charges {account_id!r}, and does not let it go.")
                self._pause(LEASE_PAUSE_SECONDS)
                continue
            try:
                results = self._stores.books.charge_all(lease, charges)
            except LeaseLostError:
                self._leases.pop(account_id, None)  # this worker was held up; begin anew
                continue
            if not self.keeps_leases:
                self._leases.pop(account_id, None)
                self._stores.books.end_lease(lease)
            return results

    def _lease(self, account_id: str) -> Lease | None:
        seconds, lease = self._settings.lease_seconds, self._leases.get(account_id)
        if lease is None or lease.expires_at - self._clock() < timedelta(seconds=seconds / 2):
            self._leases.pop(account_id, None)
            lease = self._stores.books.take_lease(account_id, self._owner, seconds)
            if lease is not None:
                self._leases[account_id] = lease
        return lease

    def _is_known(self, account_id: str) -> bool:
        """Whether the account is there: the books of an older copy of the database may lack it."""
        if account_id not in self._accounts:
            self._accounts = frozenset(each.account_id for each in self._stores.campaigns.accounts())
        return account_id in self._accounts

    def _return_cancelled(self, judged: Sequence[Judgment], counts: Counter[str]) -> None:
        for each in judged:
            key = self._cancelled_key(each)
            if key is None:
                continue
            try:
                booked = self._stores.books.return_charge(key, "refund", "the purchase was cancelled")
            except RequestError:  # the purchase was not charged
                continue
            counts["returned"] += not booked.is_duplicate and booked.micros > 0

    def _cancelled_key(self, judgment: Judgment) -> str | None:
        event, impression = judgment.received.event, judgment.impression
        if not isinstance(event, Cancel):
            return None
        if impression is not None and judgment.reason is NotBilled.OTHER_EVENT:
            return (
                charge_key("purchase", impression.slot_id) if impression.pricing == PricingCode.CPA else None
            )
        if judgment.reason is not NotBilled.NO_TOKEN:
            return None
        at = min(event.at, judgment.received.accepted_at)
        slot = self._stores.traffic.cancelled(judgment.received.units, event.item_id, at)
        return None if slot is None else charge_key("purchase", slot.token_id)


def received_event(entry: Entry) -> ReceivedEvent | None:
    """The event of an entry, if it may be of an ad; None of others, and of what cannot be read.

    What cannot be read is put aside by the workers of the stream.
    """
    if not any(word in entry.body for word in _WORDS):
        return None
    try:
        event = parse_event(orjson.loads(entry.body))
    except (json.JSONDecodeError, InvalidEventError, AttributeError):
        return None
    if not isinstance(event, _KINDS) or (event.token is None and not isinstance(event, Purchase | Cancel)):
        return None
    units = {assignment_unit(event.user_id, None)}
    if event.session_id is not None:
        units.add(assignment_unit(None, event.session_id))
    if event.request_id is not None:  # of a visitor whom the answer did not know
        units.add(request_unit(event.request_id))
    return ReceivedEvent(event, units, from_micros(entry.accepted_at), entry.origin)


def _click_limits(settings: AdsSettings) -> ClickLimits:
    return ClickLimits(
        settings.velocity_seconds,
        settings.velocity_clicks,
        settings.velocity_address_clicks,
        settings.velocity_agent_clicks,
    )


def invalid_event(judgment: Judgment) -> InvalidEvent:
    """What is kept of an event that is invalid traffic."""
    event, impression = judgment.received.event, judgment.impression
    assert judgment.reason is not None  # it is invalid for one
    found = InvalidEvent(
        event.event_id, event.kind, judgment.reason.value, event.user_id, judgment.occurred_at
    )
    if impression is None:
        return found
    charge = charge_of(impression, judgment.occurred_at)
    return replace(
        found,
        account_id=charge.account_id,
        campaign_id=charge.campaign_id,
        line_id=charge.line_id,
        token_id=charge.token_id,
        price_nanos=charge.price_nanos,
    )


def first_open_day(now: datetime) -> date:
    """The first day that may be the today of an account, in whatever time zone."""
    return (now.astimezone(UTC) - ONE_DAY).date()


def open_periods(now: datetime) -> tuple[str, ...]:
    """The periods of budgets that may be spent: the total, and each day that is today somewhere."""
    first = first_open_day(now)
    return TOTAL, *(period_of(first + days * ONE_DAY) for days in range(3))


def level_spent(rows: Iterable[BudgetRow]) -> dict[str, int]:
    """What was spent by the names that the gate has for levels: `ENTITY/DAY` and `ENTITY/total`."""
    return {f"{row.entity_id}/{row.period}": row.spent_micros for row in rows}
