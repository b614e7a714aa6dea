"""The worker: batches of events from the stream into state, online features and the event lake.

Each batch is one transaction of the state. What happens outside of it can be repeated: rows online win by
their timestamps, files of the lake have settled names, and a worker that takes partitions over first finishes
what the one before it left. So kill it at any point: everything counts exactly once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.features.windows import day_of
from recsys.ingest.cleaning.filters import DUPLICATE
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.tables.live_rejects import LiveRejects
from recsys.instants import CLOCK_TOLERANCE, DAY, NEVER, SECOND
from recsys.service_settings import StreamSettings
from recsys.streaming.aggregate import (
    Aggregated,
    Categories,
    UserRows,
    aggregate,
    expire,
    stamp_rows,
    user_rows,
)
from recsys.streaming.cleaning import NO_REJECTS
from recsys.streaming.engagement import ItemUpdate, KnownItems, all_known, unknown_items
from recsys.streaming.event_log_lines import log_dead_letters, log_rejected
from recsys.streaming.parsing import CheckItem, ParsedEntries, parse_entries
from recsys.streaming.sinks import Sinks
from recsys.streaming.state import DUE, Committed, Step, StreamState
from recsys.streaming.stream import Entry, EventStream, StreamReader
from recsys.streaming.user_logs.known_logs import KnownLogs, WorkerLogs

TICK_ROWS = 500  # entities whose windows are moved on at once, so that events need not wait long
TICK_SECONDS = 1.0  # how often they are looked for when there were none


@dataclass(frozen=True)
class ShopRules:
    """What the shop's mapping and catalog say of events.

    Attributes:
        weights: kind -> how much an event of it says.
        label_kinds: the actions that make an item popular.
        categories_version: another one as soon as `categories` answers otherwise than before.
        rejects: the mapping's own rules.
    """

    weights: Mapping[str, float]
    label_kinds: Collection[str]
    cleaning: CleaningRules
    categories: Categories
    rejects: LiveRejects = NO_REJECTS
    is_known: KnownItems = all_known
    check_item: CheckItem | None = None
    categories_version: Callable[[], int] = lambda: 0


class Worker:
    """Processes whole partitions, each in one worker at a time.

    Attributes:
        partitions: those it has taken.
        outdated: whether the state was begun anew meanwhile; then make another worker.
    """

    def __init__(
        self,
        stream: EventStream,
        state: StreamState,
        sinks: Sinks,
        rules: ShopRules,
        settings: StreamSettings,
        clock: Callable[[], int],
        pause: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Takes no partitions yet.

        Args:
            clock: microseconds.
            pause: does nothing for some seconds.
        """
        self.partitions: frozenset[int] = frozenset()
        self.outdated = False
        self._stream, self._state, self._out = stream, state, sinks
        self._rules, self._settings = rules, settings
        self._clock, self._pause = clock, pause
        self._logs = WorkerLogs(state.log_parts, rules.cleaning, rules.categories, rules.categories_version)
        self._epoch = state.epoch() or ""
        self._reader: StreamReader | None = None
        self._offsets: dict[int, int] = {}
        self._sequence = 0
        self._retries = 0
        self._flushed_at = self._ticked_at = 0

    # -- partitions -------------------------------------------------------------------------------

    def take(self, partitions: Collection[int]) -> None:
        """Owns these partitions from now on and no others; finishes what their last owner left undone."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.partitions = frozenset(partitions)
        self.outdated = self._state.epoch() != self._epoch
        self._sequence = 0
        self._ticked_at = 0
        self._logs.forget()
        if not partitions or self.outdated:
            return
        for pending in self._state.pending(partitions):
            created = self._state.stamp(self._clock())  # before reading: what changes later wins
            self._rewrite(pending.users, pending.items, created)
            self._state.written(pending.batch)
        self._offsets = self._state.offsets(partitions)
        self._out.progress.advance(self._offsets, [])
        self._reader = self._stream.reader(self._offsets)

    def close(self) -> None:
        """Writes what waits for the lake, and lets the partitions go."""
        if self._reader is not None:
            self.flush()
            self._reader.close()
            self._reader = None
        self.partitions = frozenset()

    # -- one round --------------------------------------------------------------------------------

    def run_once(self, wait_seconds: float = 0.0) -> int:
        """Processes what has come, or a midnight that has passed; returns how many entries that were.

        Args:
            wait_seconds: how long to wait for the first entry.
        """
        entries = self._read(0.0 if self.tick() else wait_seconds)
        if entries:
            self._process(entries)
        if self._is_due(self._flushed_at, self._settings.flush_seconds):
            self.flush()
        return len(entries)

    def _read(self, wait_seconds: float) -> list[Entry]:
        if self._reader is None:
            return []
        most = self._settings.batch_events
        entries = self._reader.read(most, wait_seconds)
        if wait_seconds and 0 < len(entries) < most:  # a batch of a few costs nearly as much as one of many
            self._pause(self._settings.wait_seconds)
            entries += self._reader.read(most - len(entries), 0.0)
        return entries

    def _process(self, entries: Sequence[Entry]) -> None:
        now = self._clock()
        after = {**self._offsets, **_last_offsets(entries)}
        # Numbers that grow are all that order asks for; the clock's also say in the lake when an event was
        # processed, which an audit of what was served must know.
        if self._sequence > now + CLOCK_TOLERANCE:  # the clock ran ahead and was set right
            self._sequence = 0
        sequence = max(now, self._sequence or self._state.reserve(1))
        self._sequence = sequence + len(entries)
        rules = self._rules
        parsed = parse_entries(entries, self._stream.partitions, rules.weights, sequence, rules.check_item)
        if parsed.poison:
            self._stream.put_aside(parsed.poison, now)
            log_dead_letters(parsed.poison)
        new = parsed.take(~self._state.seen(parsed.id_hashes))
        names = pc.unique(new.events[columns.USER_ID]).to_pylist()
        users, bots = self._state.users(names), self._state.bots(names)
        known = self._logs.read(users, new.events, bots)
        result = self._aggregate(new, known, now, bots)
        states, log_parts = self._logs.changed(
            users, known, result, self._stream.partitions, bots | result.bots
        )
        log_rejected(result.rejected, parsed.entries, sequence)
        update = ItemUpdate(result.deltas, now)
        unknown = unknown_items(result.kept, rules.is_known)
        step = Step(
            epoch=self._epoch,
            before=self._offsets,
            after=after,
            users=states,
            log_parts=log_parts,
            items=result.deltas.items,
            merge=update,
            seen=np.unique(new.id_hashes),
            bots=result.bots,
            events=pa.concat_tables([result.kept, result.late]),
            counts=self._counts(entries, parsed, new, result, unknown),
            unknown_items=[*unknown],
        )
        committed = self._state.commit(step, now)
        if committed is None:  # another worker did it: begin behind that
            self._retries += 1
            self.take(self.partitions)
            return
        self._logs.committed()
        self._retries, self._offsets = 0, after
        self._publish(committed, result.rows, update)
        visible = self._clock()
        self._out.progress.advance(after, [visible - entry.accepted_at for entry in entries])
        self._out.progress.count(len(entries), sum(unknown.values()))

    def _aggregate(
        self, parsed: ParsedEntries, known: KnownLogs, now: int, bots: frozenset[str]
    ) -> Aggregated:
        return aggregate(
            parsed.events,
            known.logs,
            searches=known.searches,
            categories=self._rules.categories,
            rules=self._rules.cleaning,
            now=now,
            created=now,  # the commit says better
            bots=bots,
            lateness=round(self._settings.lateness_days * DAY),
            accepted_at=parsed.accepted_at,
            label_kinds=self._rules.label_kinds,
            rejects=self._rules.rejects,
            beside=known.beside,
        )

    def _counts(
        self,
        entries: Sequence[Entry],
        parsed: ParsedEntries,
        new: ParsedEntries,
        result: Aggregated,
        unknown: Mapping[str, int],
    ) -> dict[str, int]:
        reasons = result.rejected["reason"].value_counts().to_pylist()
        rejected = {row["values"]: row["counts"] for row in reasons}
        duplicates = len(parsed.events) - len(new.events) + rejected.pop(DUPLICATE, 0)
        counts = {
            "received": len(entries),
            "kept": len(result.kept),
            "late": len(result.late),
            "duplicates": duplicates,
            "poison": len(parsed.poison),
            "retries": self._retries,
            "unknown_items": sum(unknown.values()),
            **{f"rejected.{reason}": count for reason, count in rejected.items()},
        }
        return {name: count for name, count in counts.items() if count}

    def _publish(self, committed: Committed, rows: UserRows, update: ItemUpdate) -> None:
        self._write_online(rows, update, committed.created)
        self._state.written(committed.batch)

    def _write_online(self, rows: UserRows, update: ItemUpdate, created: int) -> None:
        self._out.online.write(
            {
                columns.USER_ACTIVITY: stamp_rows(rows.activity, created),
                columns.USER_HISTORY: stamp_rows(rows.history, created),
                columns.USER_SEARCHES: stamp_rows(rows.searches, created),
                columns.ITEM_ENGAGEMENT: update.engagement,
            }
        )
        if self._out.popularity is not None and update.popularity:
            self._out.popularity.update(update.popularity)

    # -- midnights --------------------------------------------------------------------------------

    def tick(self) -> bool:
        """Moves windows on whose midnight has passed; whether there may be more of them."""
        now = self._clock()
        if self._reader is None or not self._is_due(self._ticked_at, TICK_SECONDS):
            return False
        users = self._state.due_users(self.partitions, now, TICK_ROWS)
        items = self._state.due_items(now, TICK_ROWS)
        if not users and not items:
            self._ticked_at = now
            self._state.forget(day_of(now) - round(self._settings.lateness_days) - 1)
            return False
        known, categories = self._logs.read(users), self._rules.categories
        # Midnights leave histories alone; users of a state that was just begun may not be online at all.
        if any(state.expires == DUE for state in users.values()):
            rows = user_rows(
                known.logs, known.searches, categories=categories, now=now, created=now, beside=known.beside
            )
        else:
            rows = expire(known.logs, categories=categories, now=now, created=now, beside=known.beside)
        update = ItemUpdate(None, now)
        step = Step(
            epoch=self._epoch,
            before=self._offsets,
            after=self._offsets,
            expiries={user: _micros(rows.expires.get(user)) for user in users},
            items=items,
            merge=update,
        )
        committed = self._state.commit(step, now)
        if committed is None:
            self.take(self.partitions)
        else:
            self._publish(committed, rows, update)
        return True

    def _rewrite(self, user_ids: Sequence[str], item_ids: Sequence[str], created: int) -> None:
        """Writes the rows of these entities online as the state has them."""
        now = self._clock()
        known, categories = self._logs.read(self._state.users(user_ids)), self._rules.categories
        rows = user_rows(
            known.logs, known.searches, categories=categories, now=now, created=created, beside=known.beside
        )
        update = ItemUpdate(None, now)
        update(self._state.items(item_ids), created)
        self._write_online(rows, update, created)

    # -- the lake ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Writes to the lake what waits for it, then tells the stream what it may forget."""
        if self._reader is None:
            return
        with self._state.flushing() as mine:
            if mine:
                for name, events in self._state.waiting():
                    self._out.lake.append(events, name)
                    self._state.flushed(name)
                self._reader.commit(self._offsets)
        self._flushed_at = self._clock()

    def _is_due(self, last: int, seconds: float) -> bool:
        """Whether that long has passed since `last`; a clock that was set back counts as well."""
        return abs(self._clock() - last) >= seconds * SECOND


def _last_offsets(entries: Sequence[Entry]) -> dict[int, int]:
    return {entry.partition: entry.offset for entry in entries}  # in the order of offsets: the last one stays


def _micros(expires: int | None) -> int:
    return NEVER if expires is None else expires
