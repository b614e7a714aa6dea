"""The logs that batches of a worker begin and end with: short ones as they are stored, long ones in parts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from recsys.features.user_activity import user_days
from recsys.features.user_days import UserDays
from recsys.features.windows import day_of
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import NEVER
from recsys.streaming.aggregate import Aggregated, Categories
from recsys.streaming.state import LogParts, UserState
from recsys.streaming.stream import partition_of
from recsys.streaming.user_logs.log import LOG_DTYPE, Rows, UserLogs, decode_logs, encode_logs, trim_logs
from recsys.streaming.user_logs.long_log import NOTHING_ASKED, LongLog, asked_by, merged

LONG_ROWS = 4096  # more of them are kept in parts
PART_ROWS = 1024  # behind the last part, before they become one
MOST_ROWS = 1_000_000  # of long logs in memory: 46 bytes each
KEPT_SHARE = 0.75  # of the stored rows: where fewer are left, the parts are written anew


@dataclass(frozen=True)
class KnownLogs:
    """What is known of some users.

    Attributes:
        logs: user id -> log; of a long one the part that was asked for.
        searches: user id -> queries.
        beside: user id -> the days of the rest of a long log.
    """

    logs: dict[str, bytes]
    searches: dict[str, bytes]
    beside: dict[str, UserDays]


class WorkerLogs:
    """The logs of a worker's users. Long ones stay in memory until `forget`."""

    def __init__(
        self,
        read_parts: Callable[[str], Sequence[bytes]],
        rules: CleaningRules,
        categories: Categories,
        version: Callable[[], int],
    ) -> None:
        """Reads nothing.

        Args:
            read_parts: the stored parts of a user's log.
            version: another one as soon as `categories` answers otherwise than before.
        """
        self._read_parts, self._rules = read_parts, rules
        self._categories, self._version = categories, version
        self._known_version = version()
        self._long: dict[str, LongLog] = {}  # the one asked for last behind
        self._asked: dict[str, LongLog] = {}  # those of the last `read`, and as `changed` has them
        self._changed: dict[str, LongLog] = {}

    def read(
        self,
        users: Mapping[str, UserState],
        events: pa.Table | None = None,
        bots: Collection[str] = frozenset(),
    ) -> KnownLogs:
        """What is known of `users` for a batch of canonical `events`, or for their rows alone."""
        if self._known_version != self._version():
            self.forget()
        logs = {user: state.log for user, state in users.items()}
        searches = {user: state.searches for user, state in users.items()}
        long = [user for user, state in users.items() if state.parts]
        asked = asked_by(events, long) if long and events is not None else {}
        beside, self._asked = dict[str, UserDays](), {}
        for user in long:
            log = self._asked[user] = self._open(user, users[user])
            part = log.excerpt(asked.get(user, NOTHING_ASKED), self._rules, user in bots)
            whole = part if log.days.fits else log.rows
            beside[user] = log.days.plus(self._days(whole), -1)
            logs[user] = _encoded(whole)
        return KnownLogs(logs, searches, beside)

    def changed(
        self,
        users: Mapping[str, UserState],
        known: KnownLogs,
        result: Aggregated,
        partitions: int,
        bots: Collection[str],
    ) -> tuple[dict[str, UserState], dict[str, LogParts]]:
        """The new states of the users whose logs a batch changed, and what becomes of stored parts."""
        states, parts = dict[str, UserState](), dict[str, LogParts]()
        expires = result.rows.expires
        self._changed = {}
        for user, log in result.logs.items():
            old = users.get(user) or UserState(partition_of(user, partitions), b"")
            count = 0
            if user in known.beside:
                log, count = self._grown(user, known, result, user in bots, parts)
            elif len(log) > LONG_ROWS * LOG_DTYPE.itemsize:
                parts[user], log, count = LogParts(False, (log,)), _encoded(_rows(log)[:0]), 1
            states[user] = replace(
                old,
                log=log,
                # No new row of activity (a search, say): what was to change at midnight still does.
                expires=_micros(expires[user]) if user in expires else old.expires,
                searches=result.searches.get(user, old.searches),
                parts=count,
            )
        return states, parts

    def committed(self) -> None:
        """What `changed` said last is in the state."""
        for user, log in self._changed.items():
            self._long.pop(user, None)
            if log.parts:
                self._long[user] = log
        self._asked, self._changed = {}, {}

    def forget(self) -> None:
        """Reads long logs anew."""
        self._known_version = self._version()
        self._long, self._asked, self._changed = {}, {}, {}

    def _open(self, user: str, state: UserState) -> LongLog:
        log = self._long.pop(user, None)
        if log is None:
            stored = np.concatenate([_rows(part) for part in self._read_parts(user)])
            tail = _rows(state.log)
            rows = merged(stored[:0], np.concatenate([stored, tail]))
            log = LongLog(rows, self._days(rows), tail, state.parts, len(stored))
        self._long[user] = log
        while len(self._long) > 1 and sum(len(each.rows) for each in self._long.values()) > MOST_ROWS:
            del self._long[next(iter(self._long))]
        return log

    def _grown(
        self, user: str, known: KnownLogs, result: Aggregated, is_bot: bool, parts: dict[str, LogParts]
    ) -> tuple[bytes, int]:
        """The tail and the number of parts of a long log after a batch; says in `parts` what is stored."""
        added = _rows(result.added[user])
        part = merged(_rows(known.logs[user]), added)
        days = known.beside[user].plus(self._days(part))
        log = self._asked[user].with_rows(added, days, day_of(int(part["at"][0])))
        if len(log.tail) >= PART_ROWS:
            log, parts[user] = self._sealed(user, log, is_bot)
        self._changed[user] = log
        return _encoded(log.tail), log.parts

    def _sealed(self, user: str, log: LongLog, is_bot: bool) -> tuple[LongLog, LogParts]:
        """The log with its tail as a part; trimmed where much of it is not asked for any more."""
        rows = trim_logs(_one(log.rows), self._rules, {""} if is_bot else ()).rows
        if len(rows) <= LONG_ROWS // 2:
            return LongLog(rows, log.days, rows, 0, 0), LogParts(False, ())
        if len(rows) < KEPT_SHARE * (log.stored + len(log.tail)):
            return LongLog(rows, log.days, rows[:0], 1, len(rows)), LogParts(False, (_encoded(rows),))
        stored = log.stored + len(log.tail)
        return LongLog(rows, log.days, rows[:0], log.parts + 1, stored), LogParts(True, (_encoded(log.tail),))

    def _days(self, rows: Rows) -> UserDays:
        log = _one(rows).event_log()
        return user_days(log, self._categories(log.item_keys))


def _one(rows: Rows) -> UserLogs:
    return UserLogs(("",), np.zeros(len(rows), np.int64), rows, np.zeros(len(rows), bool))


def _rows(log: bytes) -> Rows:
    return decode_logs([""], {"": log}).rows


def _encoded(rows: Rows) -> bytes:
    return encode_logs(_one(rows))[""]


def _micros(expires: int | None) -> int:
    return NEVER if expires is None else expires
