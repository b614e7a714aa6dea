"""What the charge worker keeps beside the books: own users, invalid events, slots billed by purchase."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recsys.ads.campaigns.account import Account
from recsys.ads.charging.attribution import PurchaseSlot, cancelled_slot, last_click
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.instants import utc_now
from recsys.stores.ads.ledger_tables import LedgerEntryRow
from recsys.stores.ads.records import Author
from recsys.stores.ads.rows import AdsRows
from recsys.stores.ads.traffic_tables import InvalidEventRow, OwnUserRow, PurchaseSlotRow
from recsys.stores.registry.database import Tables
from recsys.stores.registry.sql_store import SqlStore, open_database

MOST_ASKED = 500  # ids of one question


@dataclass(frozen=True)
class InvalidEvent:
    """An event that is marked: neither billed nor learned from.

    Attributes:
        reason: of `recsys.ads.charging.reasons.NotBilled`.
        account_id, campaign_id, line_id, token_id: None where its token was forged.
        price_nanos: what it would have cost.
    """

    event_id: str
    kind: str
    reason: str
    user_id: str
    occurred_at: datetime
    account_id: str | None = None
    campaign_id: str | None = None
    line_id: str | None = None
    token_id: str | None = None
    price_nanos: int = 0

    def to_json(self) -> JsonObject:
        """What `recsys ads ledger invalid` prints."""
        return dict(vars(self))


class AdsTraffic(SqlStore):
    """The charge worker's own tables; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer; each is safe to repeat.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "AdsTraffic":
        """The tables of the database that `settings` name, brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), clock)

    # -- own users ------------------------------------------------------------------------------

    def own_users(self) -> dict[str, frozenset[str]]:
        """User ids by account; an account without any is not there."""
        found: dict[str, set[str]] = {}
        with self._reading("read own users of advertisers") as connection:
            for account_id, user_id in connection.execute(select(OwnUserRow.account_id, OwnUserRow.user_id)):
                found.setdefault(account_id, set()).add(user_id)
        return {account_id: frozenset(users) for account_id, users in found.items()}

    def change_own_users(
        self, account: Account, add: Iterable[str], remove: Iterable[str], author: Author
    ) -> tuple[str, ...]:
        """Adds and removes own users of an account, with a row of the audit; those there are then, sorted."""
        with self._writing("change own users of an account") as connection:
            before = _own_users(connection, account.account_id)
            gone, new = set(remove) & set(before), set(add) - set(before)
            if gone:
                chosen = delete(OwnUserRow).where(OwnUserRow.account_id == account.account_id)
                connection.execute(chosen.where(OwnUserRow.user_id.in_(gone)))
            _add(
                connection, OwnUserRow, [{"account_id": account.account_id, "user_id": each} for each in new]
            )
            after = _own_users(connection, account.account_id)
            if before != after:
                ids = (account.account_id, account.account_id)
                documents: tuple[JsonObject, JsonObject] = (
                    {"own_users": list(before)},
                    {"own_users": list(after)},
                )
                AdsRows(connection).note(
                    "account", ids, account.version, "own users", documents, self._clock(), author
                )
            return after

    # -- invalid traffic ------------------------------------------------------------------------

    def mark(self, events: Sequence[InvalidEvent]) -> None:
        """Keeps events that are invalid; one that is there stays as it is."""
        if not events:
            return
        with self._writing("mark invalid traffic") as connection:
            noted_at = self._clock()
            _add(connection, InvalidEventRow, [{**vars(each), "noted_at": noted_at} for each in events])

    def marked(self, event_ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids whose events are marked."""
        found: set[str] = set()
        with self._reading("read invalid traffic") as connection:
            for start in range(0, len(event_ids), MOST_ASKED):
                asked = event_ids[start : start + MOST_ASKED]
                query = select(InvalidEventRow.event_id).where(InvalidEventRow.event_id.in_(asked))
                found.update(connection.execute(query).scalars())
        return frozenset(found)

    def invalid_events(
        self, account_id: str | None, since: datetime | None = None, count: int = 1000
    ) -> list[InvalidEvent]:
        """The newest marked events, the newest first.

        Args:
            account_id: None = of all accounts, and those with a forged token.
        """
        names = InvalidEvent.__dataclass_fields__
        query = select(*(getattr(InvalidEventRow, name) for name in names))
        if account_id is not None:
            query = query.where(InvalidEventRow.account_id == account_id)
        if since is not None:
            query = query.where(InvalidEventRow.occurred_at >= since)
        query = query.order_by(InvalidEventRow.occurred_at.desc(), InvalidEventRow.event_id).limit(count)
        with self._reading("read invalid traffic") as connection:
            return [InvalidEvent(*row) for row in connection.execute(query)]

    def invalid_ids(self) -> frozenset[str]:
        """What nothing is learned from: ids of marked events, and slots whose charge was written off."""
        written_off = select(LedgerEntryRow.key).where(LedgerEntryRow.kind == "write_off")
        with self._reading("read invalid traffic") as connection:
            events = connection.execute(select(InvalidEventRow.event_id)).scalars().all()
            keys = connection.execute(written_off).scalars().all()
        # The key of such an entry is return:EVENT:SLOT.
        return frozenset(events) | {key.split(":", 2)[2] for key in keys}

    # -- slots of campaigns that pay by the purchase --------------------------------------------

    def note_clicks(self, slots: Sequence[PurchaseSlot]) -> None:
        """Keeps clicked slots; the first click of a slot counts."""
        if slots:
            with self._writing("keep clicks of ads") as connection:
                _add(connection, PurchaseSlotRow, [vars(slot) for slot in slots])

    def claim(
        self, units: Collection[str], item_id: str, purchase_id: str, at: datetime, window_seconds: int
    ) -> PurchaseSlot | None:
        """The slot that a purchase without a token is charged to, which is its own from now on; see
        `recsys.ads.charging.attribution.last_click`."""
        with self._writing("attribute a purchase") as connection:
            slot = last_click(_slots(connection, units, item_id), purchase_id, at, window_seconds)
            if slot is not None:
                _note_purchase(connection, slot.token_id, purchase_id, at)
            return slot

    def note_purchase(self, slot: PurchaseSlot, purchase_id: str, at: datetime) -> None:
        """Keeps the purchase of a slot that its token named; one that led to another stays as it is."""
        with self._writing("keep a purchase of an ad") as connection:
            _add(connection, PurchaseSlotRow, [vars(slot)])
            _note_purchase(connection, slot.token_id, purchase_id, at)

    def cancelled(self, units: Collection[str], item_id: str, at: datetime) -> PurchaseSlot | None:
        """The slot whose purchase a cancel without a token takes back; None where no ad led to one."""
        with self._reading("find a cancelled purchase") as connection:
            return cancelled_slot(_slots(connection, units, item_id), at)


def _add(connection: Connection, table: type[Tables], rows: Sequence[JsonObject]) -> None:
    """Adds rows; those whose key is there stay as they are."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).on_conflict_do_nothing(), [dict(row) for row in rows])


def _own_users(connection: Connection, account_id: str) -> tuple[str, ...]:
    query = select(OwnUserRow.user_id).where(OwnUserRow.account_id == account_id)
    return tuple(sorted(connection.execute(query).scalars()))


def _slots(connection: Connection, units: Collection[str], item_id: str) -> list[PurchaseSlot]:
    query = select(PurchaseSlotRow.__table__).where(
        PurchaseSlotRow.unit.in_(units), PurchaseSlotRow.item_id == item_id
    )
    return [PurchaseSlot(**dict(row)) for row in connection.execute(query).mappings()]


def _note_purchase(connection: Connection, token_id: str, purchase_id: str, at: datetime) -> None:
    chosen = update(PurchaseSlotRow).where(
        PurchaseSlotRow.token_id == token_id, PurchaseSlotRow.purchase_id.is_(None)
    )
    connection.execute(chosen.values(purchase_id=purchase_id, purchased_at=at))
