"""One step of the stream: a batch of events and what is known of its users -> what is to be written.

Pure: the caller reads the logs, commits the result and writes the rows online.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recsys.dataset.cleaning_rules import CleaningRules
from recsys.features.event_log import IntArray
from recsys.streaming.item_tiles import ItemTiles

Categories = Callable[[IntArray], IntArray]
"""Item keys (see `recsys.catalog.stable_key`) -> stable keys of their categories, 0 = none or unknown."""


@dataclass(frozen=True)
class UserRows:
    """Feature rows of users, one a user and view, and the midnights at which they change next.

    Attributes:
        activity: rows of VIEW_SCHEMAS[user_activity].
        history: rows of VIEW_SCHEMAS[user_history]; empty after `expire`: midnights do not change them.
        expires: user id -> microseconds of the next midnight at which the activity row changes;
            None = it does not change until a new event comes.
    """

    activity: pa.Table
    history: pa.Table
    expires: dict[str, int | None]


@dataclass(frozen=True)
class Aggregated:
    """What one batch comes to. Every row of the batch is in one of `kept`, `late` and `rejected`.

    Attributes:
        kept: clean events in the order of arrival, for the lake; cancellations are events like others.
        late: clean events that came later than the lateness allows: for the lake, and counted, no more.
        rejected: the others, with a column `reason` out of `recsys.dataset.clean.REASONS`.
        logs: user id -> new log of each user whose log changed.
        rows: of the users for whom something that features count was kept.
        deltas: what the batch adds to the tiles of items.
        bots: users that this batch betrayed as machines (new ones only).
    """

    kept: pa.Table
    late: pa.Table
    rejected: pa.Table
    logs: dict[str, bytes]
    rows: UserRows
    deltas: ItemTiles
    bots: frozenset[str]


def aggregate(
    events: pa.Table,
    logs: Mapping[str, bytes],
    *,
    categories: Categories,
    rules: CleaningRules,
    now: int,
    created: int,
    bots: frozenset[str],
    lateness: int,
    accepted_at: npt.NDArray[np.int64] | None = None,
) -> Aggregated:
    """Cleans `events` and brings the logs, the users' rows and the tiles of items up to date.

    Args:
        events: columns of EVENT_SCHEMA in the order of arrival, weight and sequence filled in; an event id
            that an earlier batch had must not come again (within the batch it is a duplicate).
        logs: user id -> log as the last commit left it; users without one may be absent.
        now: microseconds of the clock.
        created: microseconds, the rows' created timestamp; `stamped` changes it afterwards.
        bots: users known to be machines.
        lateness: microseconds that an event may come after it happened.
        accepted_at: (N,) microseconds at which each event was accepted; by default all at `now`. Clocks and
            lateness are judged by it, so that a batch that is done again has the same verdicts.
    """
    raise NotImplementedError


def expire(logs: Mapping[str, bytes], *, categories: Categories, now: int, created: int) -> UserRows:
    """The activity rows of these users valid at `now`, though nothing new came from them.

    The event timestamp is the latest midnight up to `now` at which a window lost something, or the user's
    newest event if that is later: as the batch table has it.
    """
    raise NotImplementedError


def stamped(rows: pa.Table, created: int) -> pa.Table:
    """Feature `rows` with another created timestamp, microseconds."""
    raise NotImplementedError
