"""A log of very many events, such as a guest's: a batch gets the part that its events ask for.

All else of it is known by its days (`recsys.features.user_days`). A row then costs what is new, not all that
is there: what cleaning looks back on, the last actions, and the purchases that a cancellation may mean.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import IntArray
from recsys.features.event_log import CANCEL_CODE, IS_ACTION, PURCHASE_CODE
from recsys.features.user_days import UserDays
from recsys.features.windows import day_of
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import NEVER
from recsys.streaming.batch import read_batch
from recsys.streaming.user_logs.log import (
    Rows,
    UserLogs,
    first_recent_day,
    forgotten_before,
    looked_back_on,
    merge_logs,
)


@dataclass(frozen=True)
class Asked:
    """What a batch has of one user.

    Attributes:
        earliest: instant of its earliest event.
        bought, cancelled: keys of items that it has purchases and cancellations of.
    """

    earliest: int = NEVER
    bought: frozenset[int] = frozenset()
    cancelled: frozenset[int] = frozenset()


NOTHING_ASKED = Asked()


def asked_by(events: pa.Table, users: Collection[str]) -> dict[str, Asked]:
    """What canonical `events` have of each of `users`."""
    of_users = pc.is_in(events[columns.USER_ID], value_set=pa.array(users, pa.string()))
    batch, asked = read_batch(events.filter(of_users)), {}
    for place, user in enumerate(batch.users):
        own = batch.user == place

        def keys(kind: int, own: IntArray = own) -> frozenset[int]:
            return frozenset(batch.item_key[own & (batch.kind == kind)].tolist())

        asked[user] = Asked(int(batch.at[own].min()), keys(PURCHASE_CODE), keys(CANCEL_CODE))
    return asked


@dataclass(frozen=True)
class LongLog:
    """The log of one user.

    Attributes:
        rows: (M,) LOG_DTYPE, sorted by instant and arrival, M > 0.
        days: of all of them, as far as a window may ask for them.
        tail: rows behind those of the stored parts, as they came.
        parts, stored: how many parts are stored, and how many rows they have.
    """

    rows: Rows
    days: UserDays
    tail: Rows
    parts: int
    stored: int

    def excerpt(self, asked: Asked, rules: CleaningRules, is_bot: bool) -> Rows:
        """The rows that the events of a batch, or a row of features, ask for; in their order."""
        rows, at = self.rows, self.rows["at"]
        newest, first_action = int(at[-1]), self._history_start()
        start = min(first_action, int(np.searchsorted(at, looked_back_on(asked.earliest, rules))))
        if start < len(rows):  # a purchase and a cancellation at one instant stay together
            start = int(np.searchsorted(at, at[start]))
        keys = asked.cancelled | (asked.bought & self._cancelled)
        older = np.flatnonzero(np.isin(rows["key"][:start], [*keys])) if keys else np.zeros(0, np.int64)
        older = older[np.isin(rows["kind"][older], (PURCHASE_CODE, CANCEL_CODE))]
        place = np.concatenate([older, np.arange(start, len(rows))])
        # What `trim_logs` leaves out of any log.
        recent = (day_of(at[place]) >= first_recent_day(newest)) | (place >= first_action)
        kept = (rows["counted"][place] & recent) | (at[place] >= forgotten_before(newest, rules, is_bot))
        found: Rows = np.take(rows, place[kept])
        return found

    def with_rows(self, added: Rows, days: UserDays, since: int) -> "LongLog":
        """The log with rows that came, that have `days` then; old days before `since` go."""
        rows = merged(self.rows, added)
        days = days.since(min(int(first_recent_day(int(rows["at"][-1]))), since))
        return LongLog(rows, days, np.concatenate([self.tail, added]), self.parts, self.stored)

    def _history_start(self) -> int:
        """The place behind the action before the last HISTORY_LENGTH."""
        length, wanted = len(self.rows), columns.HISTORY_LENGTH + 1
        size = wanted
        while True:
            first = max(length - size, 0)
            rows = self.rows[first:]
            actions = np.flatnonzero(rows["counted"] & IS_ACTION[rows["kind"]])
            if len(actions) >= wanted:
                return first + int(actions[-wanted]) + 1
            if first == 0:
                return 0
            size *= 2

    @cached_property
    def _cancelled(self) -> frozenset[int]:
        return frozenset(self.rows["key"][self.rows["kind"] == CANCEL_CODE].tolist())


def merged(rows: Rows, added: Rows) -> Rows:
    """`rows` of one user with `added` ones, in any order, in their places."""
    if len(rows) and (added["at"] > rows["at"][-1]).all():
        return np.concatenate([rows, np.sort(added, order=["at", "sequence"])])
    logs = UserLogs(("",), np.zeros(len(rows), np.int64), rows, np.zeros(len(rows), bool))
    return merge_logs(logs, np.zeros(len(added), np.int64), added).rows
