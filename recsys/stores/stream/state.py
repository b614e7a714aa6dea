"""The workers' state in one SQLite file, `stream/state.db` of a home.

A step of a worker is one transaction, on the disk before `commit` returns. It says which offsets it began
from; if they are no longer those of the state, another worker has done it and nothing is changed. So a
batch counts once, whichever worker is killed and whatever is delivered again.
"""

import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from recsys.arrays import BoolArray, IntArray
from recsys.instants import CLOCK_TOLERANCE, DAY, SECOND
from recsys.stores.locks import try_lock, wait_for_lock
from recsys.stores.stream import tables
from recsys.stores.stream.event_blobs import decode_events, encode_events
from recsys.stores.stream.state_errors import BUSY_SECONDS, state_errors
from recsys.streaming.state import DUE, Committed, InitialState, ItemState, Pending, Step, UserState

STATE_FILE = "state.db"
QUESTION_MARKS = 30_000  # values that one statement takes: SQLite's limit is 32,766
SLICES = 64  # parts in which old event ids are forgotten, so that no worker waits for it
MINUTES_KEPT = 60
EXAMPLES = 10
_MINUTE = 60 * SECOND

log = logging.getLogger(__name__)


class SqliteStreamState:
    """`StreamState` in a SQLite file; one object a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: list[int] = []
        self._slice = 0
        with state_errors("open", folder / STATE_FILE):
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / STATE_FILE, BUSY_SECONDS, isolation_level=None)
            self._db.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
                "PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;" + tables.TABLES
            )
            with self._transaction("begin"):
                self._db.execute("INSERT OR IGNORE INTO meta VALUES ('name', ?)", (uuid4().hex[:12],))
                tables.upgrade_tables(self._db)
            self._name = str(self._meta("name"))

    # -- begin ------------------------------------------------------------------------------------

    def epoch(self) -> str | None:
        """Names the data that the state was begun with; None = there is none yet, or it is paused."""
        with state_errors("read", self._folder / STATE_FILE):
            found = self._meta("epoch")
        return None if found is None else str(found)

    def pause(self) -> None:
        """Lets no worker commit anything until the next `begin`."""
        with self._transaction("pause"):
            self._set("epoch", None)

    def begin(self, origin: InitialState) -> None:
        """Replaces users, items and offsets by those of `origin`; what waits for the lake stays."""
        with self._transaction("begin"):
            for table in ("partitions", "users", "log_parts", "items", "bots", "seen", "pending"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.executemany("INSERT INTO partitions VALUES (?, ?)", origin.offsets.items())
            self._db.executemany(tables.SET_USER, (_user_row(*each) for each in origin.users))
            self._db.executemany(tables.SET_ITEM, (_item_row(*each) for each in origin.items))
            self._see(origin.seen, 0)
            self._set("epoch", origin.epoch)
            self._set("searches", 1)
            self._set("sequence", max(int(self._meta("sequence") or 0), origin.sequence))

    def lacks_searches(self) -> bool:
        """Whether an earlier version began it, which kept no queries of users, and nobody filled them in."""
        with state_errors("read", self._folder / STATE_FILE):
            return self._meta("epoch") is not None and self._meta("searches") is None

    def fill_searches(self, users: Iterable[tuple[str, UserState]]) -> None:
        """Sets the queries of these users and lets their rows be written online; logs stay as they are."""
        with self._transaction("begin"):
            self._db.executemany(tables.FILL_SEARCHES, (_user_row(*each) for each in users))
            self._set("searches", 1)

    # -- reading ----------------------------------------------------------------------------------

    def offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """Partition -> offset up to which its events are in the state; 0 = none."""
        found = dict(self._rows("SELECT partition, offset FROM partitions"))
        return {partition: found.get(partition, 0) for partition in partitions}

    def users(self, user_ids: Collection[str]) -> dict[str, UserState]:
        """The states of those users that have one."""
        query = "SELECT user_id, partition, log, expires, searches, parts FROM users WHERE user_id IN"
        return {user: UserState(*values) for user, *values in self._in(query, user_ids)}

    def log_parts(self, user_id: str) -> list[bytes]:
        """The stored parts of a user's log, the oldest first."""
        return [log for (log,) in self._rows(tables.LOG_PARTS, (user_id,))]

    def items(self, item_ids: Collection[str]) -> dict[str, ItemState]:
        """The states of those items that have one."""
        query = "SELECT item_id, tiles, expires FROM items WHERE item_id IN"
        return {item: ItemState(*values) for item, *values in self._in(query, item_ids)}

    def bots(self, user_ids: Collection[str]) -> frozenset[str]:
        """Those of these users who are known to be bots."""
        found = self._in("SELECT user_id FROM bots WHERE user_id IN", user_ids)
        return frozenset(user for (user,) in found)

    def seen(self, hashes: IntArray) -> BoolArray:
        """(n,) which hashes of event ids were seen before."""
        found = self._in("SELECT hash FROM seen WHERE hash IN", hashes.tolist())
        return np.isin(hashes, np.fromiter((each for (each,) in found), np.int64))

    def due_users(self, partitions: Collection[int], now: int, count: int) -> dict[str, UserState]:
        """Up to `count` users of these partitions whose features time alone has changed."""
        rows: list[Any] = []
        for partition in partitions:
            query = (
                "SELECT user_id, partition, log, expires, searches, parts FROM users "
                "WHERE partition = ? AND expires <= ? LIMIT ?"
            )
            rows += self._rows(query, (partition, now, count - len(rows)))
        return {user: UserState(*values) for user, *values in rows}

    def due_items(self, now: int, count: int) -> list[str]:
        """Up to `count` items whose features time alone has changed."""
        rows = self._rows("SELECT item_id FROM items WHERE expires <= ? LIMIT ?", (now, count))
        return [item for (item,) in rows]

    def pending(self, partitions: Collection[int]) -> list[Pending]:
        """Steps of these partitions whose rows may not be online, oldest first."""
        rows = self._rows("SELECT batch, partitions, users, items FROM pending ORDER BY batch")
        return [
            Pending(batch, _split(users), _split(items))
            for batch, of, users, items in rows
            if batch not in self._written and not set(partitions).isdisjoint(map(int, of.split()))
        ]

    # -- changing ---------------------------------------------------------------------------------

    def reserve(self, count: int) -> int:
        """The first of `count` sequence numbers that no other worker gets."""
        with self._transaction("reserve"):
            first = int(self._meta("sequence") or 0)
            self._set("sequence", first + count)
        return first

    def stamp(self, now: int) -> int:
        """A created timestamp, larger than every one before but for those of a clock that ran ahead."""
        with self._transaction("stamp"):
            return self._stamp(now)

    def commit(self, step: Step, now: int) -> Committed | None:
        """Does all of `step`; nothing, and None, if another worker moved the state on meanwhile."""
        events = encode_events(step.events) if step.events is not None and len(step.events) else None
        try:
            with self._transaction("commit"):
                if self._meta("epoch") != step.epoch or self.offsets(step.before) != dict(step.before):
                    return None
                return self._commit(step, events, now)
        except sqlite3.IntegrityError:  # an event id that another worker saw a moment ago
            return None

    def _commit(self, step: Step, events: bytes | None, now: int) -> Committed:
        db, created = self._db, self._stamp(now)
        batch = int(self._meta("batch") or 0) + 1
        self._set("batch", batch)
        items = step.merge(self.items(step.items), created) if step.items else {}
        db.executemany("INSERT OR REPLACE INTO partitions VALUES (?, ?)", step.after.items())
        db.executemany(tables.SET_USER, (_user_row(*each) for each in step.users.items()))
        tables.write_log_parts(db, step.log_parts)
        expiries = ((expires, user) for user, expires in step.expiries.items())
        db.executemany("UPDATE users SET expires = ? WHERE user_id = ?", expiries)
        db.executemany(tables.SET_ITEM, (_item_row(*each) for each in items.items()))
        db.executemany("INSERT OR IGNORE INTO bots VALUES (?)", ((user,) for user in step.bots))
        self._see(step.seen, now // DAY)
        if events is not None:
            db.execute("INSERT INTO lake VALUES (?, NULL, ?)", (batch, events))
        users = (*step.users, *step.expiries)
        if users or items:
            row = (batch, " ".join(map(str, step.after)), "\0".join(users), "\0".join(items))
            db.execute("INSERT INTO pending VALUES (?, ?, ?, ?)", row)
        self._count(step, now)
        if step.unknown_items:
            latest = dict.fromkeys((*reversed(step.unknown_items), *self.unknown_items()))
            self._set("unknown_items", "\0".join([*latest][:EXAMPLES]))
        self._forget_written()
        return Committed(batch, created, items)

    def written(self, batch: int) -> None:
        """Notes that the rows of this step are online; on the disk with the next commit, or at the end."""
        self._written.append(batch)

    def forget(self, day: int) -> None:
        """Forgets event ids that were seen before `day`, a part of them at each call."""
        width = (1 << 64) // SLICES
        first = -(1 << 63) + self._slice * width
        with self._transaction("forget"):
            self._db.execute(
                "DELETE FROM seen WHERE hash BETWEEN ? AND ? AND day < ?", (first, first + width - 1, day)
            )
        self._slice = (self._slice + 1) % SLICES

    # -- the lake ---------------------------------------------------------------------------------

    @contextmanager
    def flushing(self, wait: bool = False) -> Iterator[bool]:
        """The right to write events to the lake; false while another worker has it and `wait` is false."""
        path = self._folder / "flush.lock"
        file = wait_for_lock(path) if wait else try_lock(path)
        with file or nullcontext():
            yield file is not None

    def waiting(self) -> list[tuple[str, pa.Table]]:
        """Events for the lake by the name of their file: the same, until they are `flushed`."""
        # Which batches a file holds is settled before it is written, so that it is written again after a
        # crash as it was.
        with self._transaction("flush"):
            number = int(self._meta("flush") or 0) + 1
            if self._db.execute("UPDATE lake SET flush = ? WHERE flush IS NULL", (number,)).rowcount:
                self._set("flush", number)
        files: dict[int, list[pa.Table]] = {}
        for flush, events in self._rows("SELECT flush, events FROM lake ORDER BY flush, batch"):
            files.setdefault(flush, []).append(decode_events(events))
        return [(f"stream-{self._name}-{flush}", pa.concat_tables(files[flush])) for flush in files]

    def flushed(self, name: str) -> None:
        """Notes that these events are in the lake."""
        with self._transaction("flush"):
            self._db.execute("DELETE FROM lake WHERE flush = ?", (int(name.rpartition("-")[2]),))

    # -- status -----------------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """What all workers have counted since the state was made."""
        return dict(self._rows("SELECT name, count FROM counters ORDER BY name"))

    def unknown_items(self) -> tuple[str, ...]:
        """Ids of the last items that events were about and the catalog did not know, the latest first."""
        with state_errors("read", self._folder / STATE_FILE):
            return _split(self._meta("unknown_items") or "")

    def rate(self, now: int) -> float:
        """Events a second over the last minutes that are complete, and the one that is not."""
        minute = now // _MINUTE
        rows = self._rows("SELECT SUM(events) FROM minutes WHERE minute >= ?", (minute - 1,))
        return int(rows[0][0] or 0) / ((now - (minute - 1) * _MINUTE) / SECOND)

    def sizes(self) -> dict[str, int]:
        """Rows by table, of those that grow."""
        names = ("users", "items", "seen", "bots", "lake", "pending")
        return {name: int(self._rows(f"SELECT COUNT(*) FROM {name}")[0][0]) for name in names}

    def close(self) -> None:
        """Notes what was `written` and closes the file."""
        with state_errors("close", self._folder / STATE_FILE):
            if self._written:
                with self._transaction("close"):
                    self._forget_written()
            self._db.close()

    # -- statements -------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self, operation: str) -> Iterator[None]:
        # One transaction at a time: SQLite alone would look again only after up to 100 ms.
        with state_errors(operation, self._folder / STATE_FILE), wait_for_lock(self._folder / "state.lock"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with state_errors("read", self._folder / STATE_FILE):
            return self._db.execute(query, values).fetchall()

    def _in(self, query: str, values: Collection[Any]) -> list[Any]:
        rows: list[Any] = []
        for part in _parts(list(values)):
            rows += self._rows(f"{query} ({','.join('?' * len(part))})", part)
        return rows

    def _meta(self, name: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _set(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _stamp(self, now: int) -> int:
        last = int(self._meta("created") or 0)
        if last > now + CLOCK_TOLERANCE:
            self._undo_future(now, last)
            last = 0
        created = max(now, last + 1)
        self._set("created", created)
        return created

    def _undo_future(self, now: int, last: int) -> None:
        """After a clock ran ahead: what midnights to come changed is written anew by the next ticks."""
        log.warning("a worker's clock was %.0f s ahead; all rows are written again", (last - now) / SECOND)
        for statement in tables.UNDO_FUTURE:
            self._db.execute(statement, {"day": now // DAY, "minute": now // _MINUTE, "due": DUE})
        self._db.execute(tables.ADD_COUNT, ("clock_ahead", 1))

    def _see(self, hashes: IntArray, day: int) -> None:
        rows = ((each, day) for each in np.sort(hashes).tolist())  # in the order of the table's pages
        self._db.executemany("INSERT INTO seen VALUES (?, ?)", rows)

    def _count(self, step: Step, now: int) -> None:
        self._db.executemany(tables.ADD_COUNT, step.counts.items())
        if events := step.counts.get("received"):
            self._db.execute(tables.ADD_EVENTS, (now // _MINUTE, events))
            self._db.execute("DELETE FROM minutes WHERE minute < ?", (now // _MINUTE - MINUTES_KEPT,))

    def _forget_written(self) -> None:
        self._db.executemany("DELETE FROM pending WHERE batch = ?", ((each,) for each in self._written))
        self._written.clear()


def _user_row(user_id: str, state: UserState) -> tuple[Any, ...]:
    return user_id, state.partition, state.expires, state.log, state.searches, state.parts


def _item_row(item_id: str, state: ItemState) -> tuple[Any, ...]:
    return item_id, state.expires, state.counters


def _parts(values: list[Any]) -> Iterable[list[Any]]:
    return (values[start : start + QUESTION_MARKS] for start in range(0, len(values), QUESTION_MARKS))


def _split(ids: str) -> tuple[str, ...]:
    return tuple(ids.split("\0")) if ids else ()
