"""What a stream remembers of users: the log of each, out of which all features of the user follow.

A log holds what a window can still hold, at least the last HISTORY_LENGTH actions, and what the rules of
cleaning look back on. It only ever loses its beginning, so that a cancellation means the same purchase in it
as in the whole past (see `recsys.dataset.cancellations`). Beside it are the last queries of the user.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.amounts import MOST_MICROS, PIECE, earlier_quantities
from recsys.arrays import BoolArray, IntArray
from recsys.dataset.cancellations import NOTHING_TAKEN, TakenBack
from recsys.errors import DataError
from recsys.features.event_log import CANCEL_CODE, IS_ACTION, EventLog, find_taken_back
from recsys.features.windows import LONGEST_WINDOW, Days, day_of
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.instants import DAY, SECOND
from recsys.streaming.batch import EventBatch

LOG_VERSION = 1
LOG_DTYPE = np.dtype(
    [
        ("at", "<i8"),  # microseconds
        ("sequence", "<i8"),  # order of arrival
        ("key", "<i8"),  # stable key of the item; of a search what tells it from others
        ("quantity", "<i8"),  # see `_stored_quantities`
        ("value", "<i8"),  # micros of the whole line, -1 = unknown
        ("weight", "<f4"),
        ("kind", "<i1"),
        ("counted", "?"),  # features count it; what they do not is here for the rules of cleaning
    ]
)
_VERSION = bytes([LOG_VERSION])

Rows = npt.NDArray[np.void]


@dataclass(frozen=True)
class UserLogs:
    """The logs of several users, M rows, sorted by user, instant and arrival.

    Attributes:
        users: external ids; `user` (M,) indexes it.
        rows: (M,) LOG_DTYPE.
        new: (M,) which rows the last merge added.
    """

    users: tuple[str, ...]
    user: IntArray
    rows: Rows
    new: BoolArray

    def __len__(self) -> int:
        return len(self.user)

    def chosen(self, which: BoolArray) -> "UserLogs":
        """The rows of `which` (M,)."""
        if which.all():
            return self
        rows = _opaque(self.rows)[which].view(LOG_DTYPE)
        return UserLogs(self.users, self.user[which], rows, self.new[which])

    def of_users(self, user: IntArray) -> "UserLogs":
        """The logs of the users that occur in `user`, which are numbered anew."""
        wanted = np.zeros(len(self.users), bool)
        wanted[user] = True
        if wanted.all():
            return self
        chosen, rank = self.chosen(wanted[self.user]), np.cumsum(wanted) - 1
        names = tuple(self.users[place] for place in np.flatnonzero(wanted).tolist())
        return UserLogs(names, rank[chosen.user], chosen.rows, chosen.new)

    def counted(self) -> "UserLogs":
        """The rows that features count."""
        return self.chosen(self.rows["counted"])

    def event_log(self) -> EventLog:
        """What features are made of; `items` is empty, `item_keys` has one a row."""
        counted = self.counted()
        user, rows = counted.user, counted.rows
        return EventLog(
            users=self.users,
            items=(),
            item_keys=rows["key"].copy(),
            user=user,
            item=np.arange(len(user)),
            kind=rows["kind"].astype(np.int64),
            at=rows["at"].copy(),
            quantity=counted.quantity(),
            value=counted.value(),
            taken_back=counted.taken_back(),
        )

    def quantity(self) -> IntArray:
        """(M,) as an `EventLog` has it."""
        stored = self.rows["quantity"].copy()
        pieces = earlier_quantities(stored, self.rows["kind"] == CANCEL_CODE)
        return np.where(stored < 0, -stored, pieces)

    def value(self) -> IntArray:
        """(M,) as an `EventLog` has it."""
        value: IntArray = np.minimum(self.rows["value"], MOST_MICROS)  # earlier versions had another bound
        return value

    def taken_back(self) -> TakenBack:
        """What cancellations took of purchases; places are rows."""
        rows = self.rows
        kind = rows["kind"].astype(np.int64)
        if not (kind == CANCEL_CODE).any():
            return NOTHING_TAKEN
        return find_taken_back(self.user, rows["key"], kind, rows["at"], self.quantity(), self.value())


def decode_logs(users: Sequence[str], stored: Mapping[str, bytes]) -> UserLogs:
    """The logs of `users`, in this order; who has none in `stored` has an empty one.

    Raises:
        DataError: a log is of another version.
    """
    blobs = [stored.get(user, _VERSION) for user in users]
    for user, blob in zip(users, blobs, strict=True):
        if blob[:1] != _VERSION:
            raise DataError(
                f"the log of user {user!r} has version {blob[:1]!r}, not {_VERSION!r}. "
                "Remove the stream's state: the next worker builds it anew from the event lake."
            )
    lengths = np.fromiter((len(blob) - 1 for blob in blobs), np.int64, len(blobs)) // LOG_DTYPE.itemsize
    rows = np.frombuffer(b"".join([memoryview(blob)[1:] for blob in blobs]), LOG_DTYPE)
    owner = np.repeat(np.arange(len(users)), lengths)
    return UserLogs(tuple(users), owner, rows, np.zeros(len(rows), bool))


def _stored_quantities(thousandths: IntArray, kind: IntArray) -> IntArray:
    """Quantities as logs keep them: pieces where they are whole, as logs always had them, else -thousandths.

    Cancellations have -thousandths only: whole ones are of earlier versions, see `earlier_quantities`.
    """
    pieces = thousandths // PIECE
    whole = (pieces * PIECE == thousandths) & (kind != CANCEL_CODE)
    return np.where(whole, pieces, -thousandths)


def log_rows(batch: EventBatch, keys: IntArray, which: IntArray, counted: BoolArray) -> Rows:
    """(K,) the events of `batch` at `which` (K,) as rows of logs.

    Args:
        keys: (N,) what each event of the batch is about, see `recsys.streaming.batch.event_keys`.
        counted: (K,) whether features of users count it.
    """
    rows = np.empty(len(which), LOG_DTYPE)
    rows["key"], rows["counted"] = keys[which], counted
    rows["quantity"] = _stored_quantities(batch.quantity[which], batch.kind[which])
    for name in ("at", "sequence", "value", "weight", "kind"):
        rows[name] = getattr(batch, name)[which]
    return rows


def encode_logs(logs: UserLogs) -> dict[str, bytes]:
    """User id -> the log as bytes, of every user of `logs`."""
    ends = np.searchsorted(logs.user, np.arange(len(logs.users) + 1)) * LOG_DTYPE.itemsize
    data, places = np.ascontiguousarray(logs.rows).tobytes(), ends.tolist()
    return {
        user: _VERSION + data[start:end]
        for user, start, end in zip(logs.users, places[:-1], places[1:], strict=True)
    }


def merge_logs(logs: UserLogs, user: IntArray, rows: Rows) -> UserLogs:
    """`logs` with new `rows` (K,) of `logs.users[user]` (K,) in their places."""
    order = np.lexsort((rows["sequence"], rows["at"], user))
    user, rows = user[order], np.take(rows, order)
    places = _places(logs, user, rows)
    together = np.insert(_opaque(logs.rows), places, _opaque(rows)).view(LOG_DTYPE)
    new = np.insert(np.zeros(len(logs), bool), places, True)
    return UserLogs(logs.users, np.insert(logs.user, places, user), together, new)


def _places(logs: UserLogs, user: IntArray, rows: Rows) -> IntArray:
    """(K,) the place before which each new row goes: a binary search in each log, all at once."""
    starts = np.searchsorted(logs.user, np.arange(len(logs.users) + 1))
    low, high = starts[user], starts[user + 1]
    while (open_ := low < high).any():
        middle = np.minimum((low + high) // 2, len(logs) - 1)
        at, sequence = logs.rows["at"][middle], logs.rows["sequence"][middle]
        before = (at < rows["at"]) | ((at == rows["at"]) & (sequence < rows["sequence"]))
        low, high = np.where(open_ & before, middle + 1, low), np.where(open_ & ~before, middle, high)
    return low


def _opaque(rows: Rows) -> Rows:
    """`rows` without fields: numpy moves such rows by the block and structured ones field by field."""
    return rows.view(f"V{LOG_DTYPE.itemsize}")


def trim_logs(logs: UserLogs, rules: CleaningRules, bots: Collection[str] = frozenset()) -> UserLogs:
    """`logs` without what nothing will ask for again.

    Judged by each user's own newest event: whatever is left out leaves every window before that. A day more
    than the longest window stays for events that come late beside a clock that runs ahead.

    Args:
        bots: their events are not counted any more, so that only near duplicates are still looked for, and
            the log of a bot does not hold the whole day.
    """
    if not len(logs):
        return logs
    at, counted = logs.rows["at"], logs.rows["counted"]
    last = np.searchsorted(logs.user, np.arange(len(logs.users)), side="right")[logs.user] - 1
    newest = at[last]
    is_action = counted & IS_ACTION[logs.rows["kind"]]
    done = np.cumsum(is_action)
    to_come = done[last] - done + is_action  # actions from this row on
    recent = day_of(at) >= first_recent_day(newest)
    kept = counted & (recent | (to_come <= columns.HISTORY_LENGTH))
    is_bot = np.fromiter((user in bots for user in logs.users), bool, len(logs.users))[logs.user]
    since = np.where(is_bot, forgotten_before(newest, rules, True), forgotten_before(newest, rules, False))
    return logs.chosen(kept | (at >= since))


def first_recent_day(newest: Days) -> Days:
    """The first day that a window may ask for when the last event is of `newest`, and one before it."""
    return day_of(newest) - LONGEST_WINDOW - 1


def forgotten_before(newest: Days, rules: CleaningRules, is_bot: bool) -> Days:
    """The instants up to which events are forgotten that features do not count, with the last of `newest`."""
    return newest - _longest_repeat(rules) if is_bot else looked_back_on(newest, rules)


def looked_back_on(newest: Days, rules: CleaningRules) -> Days:
    """The instants from which on rules of cleaning ask for events, when an event of `newest` is the last.

    Its day counts for bots; and whether the first events of the day are near duplicates is told by what
    was shortly before midnight.
    """
    return newest // DAY * DAY - _longest_repeat(rules)


def _longest_repeat(rules: CleaningRules) -> int:
    """Microseconds after which nothing is a near duplicate of an event."""
    return round(max((0.0, *rules.near_duplicate_seconds.values())) * SECOND)
