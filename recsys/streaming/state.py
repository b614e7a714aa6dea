"""What a worker remembers between batches, as it asks for it: one step is one transaction."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from recsys.arrays import BoolArray, IntArray
from recsys.instants import NEVER

DUE = 0  # an expiry in the past: the first ticks write this entity's rows online


@dataclass(frozen=True)
class UserState:
    """A user's recent events.

    Attributes:
        log: see `recsys.streaming.user_logs.log`; of a long one what is behind its parts.
        expires: microseconds of the next midnight at which the user's features change by themselves.
        searches: see `decode_searches` of `recsys.streaming.user_logs.searches`; empty = none.
        parts: how many parts of the log are stored apart, see `StreamState.log_parts`.
    """

    partition: int
    log: bytes
    expires: int = NEVER
    searches: bytes = b""
    parts: int = 0


@dataclass(frozen=True)
class LogParts:
    """What becomes of the parts of a long log: those before stay or go, and `new` ones follow."""

    keep: bool
    new: Sequence[bytes]


@dataclass(frozen=True)
class ItemState:
    """What people did with an item.

    Attributes:
        counters: see `recsys.streaming.item_counters`.
        expires: microseconds of the next midnight at which the item's features change by themselves.
    """

    counters: bytes
    expires: int = NEVER


ItemStates = Mapping[str, ItemState]


@dataclass(frozen=True)
class Step:
    """What one batch, or one midnight, changes.

    Attributes:
        epoch: of the state that this was computed from, see `StreamState.epoch`.
        before, after: partition -> offset up to which events are in the state.
        users: those whose log changed. log_parts: of these, whose stored parts change.
        expiries: of users whose log is as before, microseconds.
        items: ids of items that change; `merge` says how.
        merge: (states of these items as they are stored, created timestamp of this step) -> new states.
        seen: (n,) int64 hashes of event ids that are new in the state.
        events: for the lake.
        counts: what to add to the counters of these names.
        unknown_items: ids that events were about and that the catalog does not know.
    """

    epoch: str
    before: Mapping[int, int]
    after: Mapping[int, int]
    users: Mapping[str, UserState] = field(default_factory=dict)
    log_parts: Mapping[str, LogParts] = field(default_factory=dict)
    expiries: Mapping[str, int] = field(default_factory=dict)
    items: Sequence[str] = ()
    merge: Callable[[ItemStates, int], ItemStates] = lambda states, created: states
    seen: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    bots: Collection[str] = ()
    events: pa.Table | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    unknown_items: Sequence[str] = ()


@dataclass(frozen=True)
class Committed:
    """A step that is in the state.

    Attributes:
        batch: its number; `StreamState.written` takes it.
        created: microseconds, the created timestamp of its rows, see `StreamState.stamp`.
        items: the new states of its items.
    """

    batch: int
    created: int
    items: ItemStates


@dataclass(frozen=True)
class Pending:
    """A step whose rows may not have reached the online store."""

    batch: int
    users: tuple[str, ...]
    items: tuple[str, ...]


@dataclass(frozen=True)
class InitialState:
    """What a state is begun with. `users` comes to its end before the first of `items` is asked for.

    Attributes:
        epoch: names the data it was made from.
        sequence: larger than that of every event that is known.
        offsets: partition -> offset up to which its events are in this data.
    """

    epoch: str
    sequence: int
    offsets: Mapping[int, int]
    users: Iterable[tuple[str, UserState]]
    items: Iterable[tuple[str, ItemState]]
    seen: IntArray


class StreamState(Protocol):
    """Durable state of all workers of a home; each method is safe beside other workers.

    Raises:
        StoreUnavailableError: from every method, if the disk refuses.
    """

    def epoch(self) -> str | None:
        """Names the data that the state was begun with; None = no worker can begin yet."""
        ...

    def pause(self) -> None:
        """From now on no worker can commit anything, until the next `begin`."""
        ...

    def begin(self, origin: InitialState) -> None:
        """Replaces users, items and offsets by those of `origin`. What waits for the lake stays."""
        ...

    def offsets(self, partitions: Collection[int]) -> dict[int, int]:
        """Partition -> offset up to which its events are in the state; 0 = none."""
        ...

    def users(self, user_ids: Collection[str]) -> dict[str, UserState]:
        """The states of those users that have one."""
        ...

    def log_parts(self, user_id: str) -> list[bytes]:
        """The stored parts of a user's log, the oldest first."""
        ...

    def items(self, item_ids: Collection[str]) -> dict[str, ItemState]:
        """The states of those items that have one."""
        ...

    def bots(self, user_ids: Collection[str]) -> frozenset[str]:
        """Those of these users who are known to be machines."""
        ...

    def seen(self, hashes: IntArray) -> BoolArray:
        """(n,) which hashes of event ids were seen before."""
        ...

    def reserve(self, count: int) -> int:
        """The first of `count` sequence numbers that no other worker gets."""
        ...

    def commit(self, step: Step, now: int) -> Committed | None:
        """Does all of `step` or nothing; None if the state moved on meanwhile: another worker did it."""
        ...

    def written(self, batch: int) -> None:
        """The rows of this step are online. Remembered with the next commit, or when the state is closed."""
        ...

    def pending(self, partitions: Collection[int]) -> list[Pending]:
        """Steps of these partitions whose rows may not be online, oldest first."""
        ...

    def stamp(self, now: int) -> int:
        """A created timestamp, larger than every one before but for those of a clock that ran ahead."""
        ...

    def due_users(self, partitions: Collection[int], now: int, count: int) -> dict[str, UserState]:
        """Up to `count` users of these partitions whose features have changed by themselves."""
        ...

    def due_items(self, now: int, count: int) -> list[str]:
        """Up to `count` items whose features have changed by themselves."""
        ...

    def flushing(self) -> AbstractContextManager[bool]:
        """The right to write events to the lake; false while another worker does."""
        ...

    def waiting(self) -> list[tuple[str, pa.Table]]:
        """Events for the lake by the name of their file: the same, until they are `flushed`."""
        ...

    def flushed(self, name: str) -> None:
        """These events are in the lake."""
        ...

    def forget(self, day: int) -> None:
        """Forgets event ids that were seen before `day`, a part of them at each call."""
        ...

    def close(self) -> None:
        """Closes the state; nothing may be called after."""
