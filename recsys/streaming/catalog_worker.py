"""The worker of the catalog's partition: upserts become versions on disk, rows online, news for services.

    read -> merge -> version log (durable) -> online rows -> feed -> progress -> commit

The log is the truth and everything behind it follows from it. Whatever a killed worker left undone its
successor does at the start; whatever it is given again changes nothing, because `merged_item` takes an
upsert once. So a kill at any point has no effect but delay.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event as Signal
from typing import TYPE_CHECKING, Protocol

import orjson

from recsys import columns
from recsys.arrays import FloatArray
from recsys.catalog import Item, User
from recsys.dataset.catalog_rows import items_table
from recsys.errors import ArtifactError, ConfigError, InvalidEventError, StoreUnavailableError
from recsys.events import ItemUpsert, UserUpsert, parse_event
from recsys.features.item_content import item_content, item_text, item_vectors
from recsys.instants import CLOCK_TOLERANCE, SECOND, to_micros
from recsys.streaming.event_log_lines import log_dead_letters
from recsys.streaming.sinks import OnlineWriter
from recsys.streaming.stream import Entry, EventStream, StreamProgress, StreamReader
from recsys.streaming.upserts import merged_item, merged_user

if TYPE_CHECKING:
    from recsys.models.bundle_update import ItemChange

BATCH_ENTRIES = 500
WAIT_SECONDS = 0.2
RETRY_SECONDS = 1.0
MOST_DEAD_LETTERS = 1_000_000
FUTURE_TOLERANCE_MICROS = 300 * SECOND  # as cleaning has it: one wrong clock must not have the last word

log = logging.getLogger("recsys.streaming")


class CatalogLog(Protocol):
    """All versions of items and users, on disk."""

    def items(self, item_ids: Sequence[str]) -> dict[str, Item]:
        """The newest version of each of these items; unknown ones are left out."""
        ...

    def users(self, user_ids: Sequence[str]) -> dict[str, User]:
        """The same of users."""
        ...

    def items_with_new_text(self, item_ids: Sequence[str]) -> set[str]:
        """Those of these items whose text was ever another than the imported one, new items included."""
        ...

    def changed_after(self, version: int) -> list[tuple[int, list[str]]]:
        """The items that changed after `version`, each under the version that changed it last, in order."""
        ...

    def last_version(self) -> int:
        """The newest version, 0 = none."""
        ...

    def append(self, items: Sequence[Item], users: Sequence[User], version: int) -> None:
        """Adds versions; returns when they are on the disk."""
        ...


class Feed(Protocol):
    """Where services hear of changes."""

    def version(self, encoder: str) -> int:
        """The newest version that was published with vectors of `encoder`, 0 = none."""
        ...

    def publish(self, changes: "Sequence[ItemChange]", version: int, encoder: str) -> None:
        """Publishes the newest rows of items, all at once."""
        ...

    def clear(self) -> None:
        """Forgets everything."""
        ...


class Texts(Protocol):
    """The text encoder, loaded when it is first asked."""

    @property
    def encoder(self) -> str:
        """As a bundle's manifest names what its text vectors are of."""
        ...

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """(n, E) float32."""
        ...


@dataclass(frozen=True)
class CatalogDeps:
    """Where a catalog worker reads and writes."""

    stream: EventStream
    log: CatalogLog
    online: OnlineWriter
    feed: Feed
    texts: Texts
    progress: StreamProgress


class CatalogWorker:
    """Processes upserts one batch at a time. Only one may run: the owner of partition P.

    Args:
        clock: microseconds since 1970.
    """

    def __init__(self, deps: CatalogDeps, clock: Callable[[], int]) -> None:
        self._deps = deps
        self._clock = clock
        self._reader: StreamReader | None = None
        self._refused: set[int] = set()

    def run(self, stop: Signal) -> None:
        """Works until `stop` is set; a store that is away is asked again every second."""
        deps = self._deps
        if deps.log.items_with_new_text([item for _, items in deps.log.changed_after(0) for item in items]):
            self._encoded([])  # a shop that has sent texts will send more: its next one need not wait
        while not stop.is_set():
            try:
                self.run_once(WAIT_SECONDS)
            except StoreUnavailableError as error:
                log.warning("the catalog waits: %s", error)
                self.close()
                stop.wait(RETRY_SECONDS)
        self.close()

    def run_once(self, wait_seconds: float = 0.0) -> int:
        """One batch; returns how many entries it had. The first call finishes what was left undone.

        Raises:
            StoreUnavailableError: a store is away; nothing is lost, the next call begins anew.
        """
        try:
            reader = self._reader or self._start()
            entries = reader.read(BATCH_ENTRIES, wait_seconds)
            if entries:
                self._process(entries)
                offset = {self._partition: entries[-1].offset}
                now = self._clock()
                self._deps.progress.advance(offset, [max(0, now - entry.accepted_at) for entry in entries])
                reader.commit(offset)
            return len(entries)
        except StoreUnavailableError:
            self.close()  # entries that were read and not processed come again
            raise

    def close(self) -> None:
        """Gives up reading; the next batch begins behind what was committed."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            reader.close()

    @property
    def _partition(self) -> int:
        return self._deps.stream.partitions

    def _start(self) -> StreamReader:
        self._catch_up()
        stream = self._deps.stream
        committed = stream.status()[self._partition].committed_offset
        # What was rejected stays rejected: its item may be known by now, and it would count after all.
        dead_letters = (dead_letter.entry for dead_letter in stream.dead_letters(MOST_DEAD_LETTERS))
        self._refused = {
            entry.offset
            for entry in dead_letters
            if entry.partition == self._partition and entry.offset > committed
        }
        self._reader = stream.reader({self._partition: committed})
        return self._reader

    def _catch_up(self) -> None:
        """Brings online and publishes what is in the log and not in the feed."""
        deps = self._deps
        known = deps.feed.version(deps.texts.encoder)
        if known > deps.log.last_version():
            deps.feed.clear()  # of another home that used this server
            known = 0
        batch: list[str] = []
        unfinished = deps.log.changed_after(known)
        for place, (version, item_ids) in enumerate(unfinished, start=1):
            batch += item_ids
            if len(batch) >= BATCH_ENTRIES or place == len(unfinished):  # a version is never cut through
                self._publish(batch, version)
                batch = []

    def _process(self, entries: Sequence[Entry]) -> None:
        now = self._clock()
        upserts, poison = _parsed([each for each in entries if each.offset not in self._refused], now)
        items, users, refused = self._merged(upserts)
        if poison or refused:
            self._deps.stream.put_aside([*poison, *refused], now)
            log_dead_letters([*poison, *refused])
        if items or users:
            version = max(self._deps.log.last_version() + 1, now)
            self._deps.log.append(items, users, version)
            self._publish(list(dict.fromkeys(item.item_id for item in items)), version)

    def _merged(
        self, upserts: Sequence[tuple[Entry, ItemUpsert | UserUpsert]]
    ) -> tuple[list[Item], list[User], list[tuple[Entry, str]]]:
        """Every new version in order of arrival, and what cannot be merged."""
        log = self._deps.log
        items = log.items([each.item_id for _, each in upserts if isinstance(each, ItemUpsert)])
        users = log.users([each.user_id for _, each in upserts if isinstance(each, UserUpsert)])
        new_items: list[Item] = []
        new_users: list[User] = []
        refused: list[tuple[Entry, str]] = []
        for entry, upsert in upserts:
            if isinstance(upsert, UserUpsert):
                user = merged_user(users.get(upsert.user_id), upsert)
                if user is not users.get(upsert.user_id):
                    new_users.append(user)
                users[upsert.user_id] = user
                continue
            try:
                item = merged_item(items.get(upsert.item_id), upsert)
            except InvalidEventError as error:
                refused.append((entry, str(error)))
                continue
            if item is not items.get(upsert.item_id):
                new_items.append(item)
            items[upsert.item_id] = item
        return new_items, new_users, refused

    def _publish(self, item_ids: Sequence[str], version: int) -> None:
        """Brings the newest versions of these items online and tells the services."""
        if not item_ids:
            return
        deps = self._deps
        items = list(deps.log.items(item_ids).values())
        now = self._clock()
        created = version if version <= now + CLOCK_TOLERANCE else now  # versions go on from a wrong clock's
        # Price and stock first: they need not wait until a text is encoded.
        table = items_table(items)
        deps.online.write(
            {
                columns.ITEM_CONTENT: item_content(table, 0, created),
                columns.ITEM_VECTORS: item_vectors(table, 0, created),
            }
        )
        items_with_new_text = deps.log.items_with_new_text(item_ids)
        told = [item for item in items if item.item_id in items_with_new_text]
        vectors: dict[str, FloatArray] = {}
        if told and (rows := self._encoded([item.text or "" for item in told])) is not None:
            deps.online.write({columns.ITEM_TEXT: item_text(items_table(told), rows, 0, created)})
            vectors = {item.item_id: row for item, row in zip(told, rows, strict=True)}
        from recsys.models.bundle_update import ItemChange  # torch; most workers never come here

        changes = [ItemChange(item, vectors.get(item.item_id)) for item in items]
        deps.feed.publish(changes, version, deps.texts.encoder)

    def _encoded(self, texts: Sequence[str]) -> FloatArray | None:
        """Text vectors; None without an encoder, which is no reason to keep a price or a title back."""
        try:
            return self._deps.texts.vectors(texts)
        except (ArtifactError, ConfigError) as error:
            log.error("%d changed texts stay without a vector: %s", len(texts), error)
            return None


def _parsed(
    entries: Sequence[Entry], now: int
) -> tuple[list[tuple[Entry, ItemUpsert | UserUpsert]], list[tuple[Entry, str]]]:
    """The upserts, and the entries that are none with the reason."""
    upserts: list[tuple[Entry, ItemUpsert | UserUpsert]] = []
    poison: list[tuple[Entry, str]] = []
    for entry in entries:
        try:
            upserts.append((entry, _upsert(entry, now)))
        except (InvalidEventError, orjson.JSONDecodeError) as error:
            poison.append((entry, str(error)))
    return upserts, poison


def _upsert(entry: Entry, now: int) -> ItemUpsert | UserUpsert:
    row = orjson.loads(entry.body)
    if not isinstance(row, dict):
        raise InvalidEventError(f"the body is a {type(row).__name__}, not an object with the event's fields.")
    event = parse_event(row)
    if not isinstance(event, ItemUpsert | UserUpsert):
        raise InvalidEventError(f"{event.kind} belongs to a user's partition, not to the catalog's.")
    if to_micros(event.at) > now + FUTURE_TOLERANCE_MICROS:
        raise InvalidEventError(f"at {event.at.isoformat()} is in the future. Set the clock that sent it.")
    return event
