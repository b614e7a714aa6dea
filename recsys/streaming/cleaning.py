"""Cleaning of one batch of a stream: the import's rules over the batch and what the logs remember."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.ingest.cleaning.filters import (
    BOT,
    DUPLICATE,
    NEAR_DUPLICATE,
    REASON_CODES,
    REASONS,
    CodeArray,
    reject_bots,
    reject_clocks,
    reject_near_duplicates,
    reject_rows,
)
from recsys.ingest.cleaning.hashing import HashArray, hash_texts
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.ingest.tables.live_rejects import LiveRejects
from recsys.streaming.batch import EventBatch
from recsys.streaming.user_logs.log import UserLogs, looked_back_on

NO_REJECTS = LiveRejects()


@dataclass(frozen=True)
class CleaningResult:
    """What becomes of the N events of a batch.

    Attributes:
        codes: (N,) places in `recsys.ingest.cleaning.filters.REASONS`, 0 = kept; behind those in the reasons
            of the mapping's own rules.
        remembered: (N,) events that a rule will look back on.
        bots: users that the batch revealed as bots (new ones only).
    """

    codes: CodeArray
    remembered: BoolArray
    bots: frozenset[str]


def clean_batch(
    events: pa.Table,
    batch: EventBatch,
    keys: IntArray,
    logs: UserLogs,
    rules: CleaningRules,
    clock: IntArray,
    bots: frozenset[str],
    rejects: LiveRejects = NO_REJECTS,
) -> CleaningResult:
    """What becomes of each event of `batch`; nothing is undone, cancellations stay events.

    Events are judged in the order of arrival, finally: an event that was kept stays kept when an
    earlier one comes late.

    Args:
        keys: (N,) what each event is about.
        logs: of `batch.users`.
        clock: (N,) microseconds at which each event was accepted.
        bots: users known to be machines.
        rejects: the mapping's own rules.
    """
    recent = logs.chosen(_recent(batch, logs, rules))
    old = len(recent)
    rows = _Columns(
        at=np.concatenate([recent.rows["at"], batch.at]),
        kind=np.concatenate([recent.rows["kind"], batch.kind]),
        user=np.concatenate([recent.user, batch.user]),
        key=np.concatenate([recent.rows["key"], keys]),
    )
    codes = np.zeros(old + len(batch), np.int16)
    reject_clocks(batch.at, codes[old:], rules, clock)
    own = rejects.places(events)
    codes[old:] = np.where(own > 0, own + len(REASONS) - 1, codes[old:])
    _reject_duplicates(events, codes[old:])
    reject_near_duplicates(rows, codes, rules, old)
    bot_rows = reject_bots(rows, codes, rules, _known(batch, old, bots), old)
    return CleaningResult(
        codes[old:],
        _remembered(batch.kind, codes[old:], rules),
        frozenset(batch.users[user] for user in rows.user[bot_rows]) - bots,
    )


def looked_at(kind: IntArray, rules: CleaningRules) -> BoolArray:
    """(N,) whether a rule looks back on events of this kind, by its code."""
    return _of_kinds(kind, _spaced(rules) | set(rules.bot_kinds))


def _remembered(kind: IntArray, codes: CodeArray, rules: CleaningRules) -> BoolArray:
    """(N,) events that a rule will look back on; of a bot, which stays one, only near duplicates' does."""
    passed = (codes == 0) | (codes == REASON_CODES[NEAR_DUPLICATE])
    of_bots = (codes == REASON_CODES[BOT]) & _of_kinds(kind, _spaced(rules))
    remembered: BoolArray = (passed & looked_at(kind, rules)) | of_bots
    return remembered


def _spaced(rules: CleaningRules) -> set[str]:
    """Kinds that have near duplicates."""
    return {name for name, seconds in rules.near_duplicate_seconds.items() if seconds > 0}


@dataclass(frozen=True)
class _Columns:
    """Events of the logs and of the batch as the rules ask for them."""

    at: IntArray
    kind: IntArray
    user: IntArray
    key: IntArray

    def of_kinds(self, kinds: Collection[str]) -> BoolArray:
        return _of_kinds(self.kind, kinds)

    def hashed(self, name: str, rows: IntArray) -> HashArray:
        values = self.user if name == columns.USER_ID else self.key  # of a search the key holds the query
        return values[rows].view(np.uint64)


def _recent(batch: EventBatch, logs: UserLogs, rules: CleaningRules) -> BoolArray:
    earliest = np.full(len(batch.users), np.iinfo(np.int64).max)
    np.minimum.at(earliest, batch.user, batch.at)
    return np.asarray(logs.rows["at"] >= looked_back_on(earliest, rules)[logs.user])


def _reject_duplicates(events: pa.Table, codes: CodeArray) -> None:
    hashes = hash_texts(events[columns.EVENT_ID])
    _, first = np.unique(hashes, return_index=True)
    if len(first) < len(hashes):
        again = np.ones(len(hashes), bool)
        again[first] = False
        reject_rows(codes, again & (codes == 0), DUPLICATE)


def _known(batch: EventBatch, old: int, bots: frozenset[str]) -> BoolArray | None:
    listed = np.fromiter((user in bots for user in batch.users), bool, len(batch.users))
    return np.concatenate([np.zeros(old, bool), listed[batch.user]]) if listed.any() else None


def _of_kinds(kind: IntArray, kinds: Collection[str]) -> BoolArray:
    return np.isin(kind, [columns.KIND_CODES[name] for name in kinds])
