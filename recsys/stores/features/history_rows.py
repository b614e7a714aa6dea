"""Rows of user_history, cut from its stored actions: what Feast reads of the view, and what training does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column, IntArray, combined
from recsys.errors import DataError, SchemaMismatchError
from recsys.features.history_windows import HistoryWindows, WindowsPart
from recsys.features.user_actions import USER_ACTIONS_SCHEMA, UserInstants
from recsys.features.view_schemas import VIEW_SCHEMAS, instant_column, list_column
from recsys.home import HomePaths
from recsys.instants import NEVER
from recsys.stores.features.action_files import (
    ActionGroup,
    WrittenRows,
    action_groups,
    holds_actions,
    replace_actions,
)
from recsys.stores.features.withdrawn_rows import marked_actions, newest_instants

HISTORY_FEATURES = (columns.HISTORY_ITEMS, columns.HISTORY_KINDS, columns.HISTORY_AT)
PART_ROWS = 8_192  # windows cut at once: each may hold HISTORY_LENGTH actions
_KEYS = [columns.USER_ID, columns.EVENT_TIMESTAMP]
_SCHEMA = VIEW_SCHEMAS[columns.USER_HISTORY]
_FEATURES = pa.schema([_SCHEMA.field(name) for name in HISTORY_FEATURES])


def write_user_actions(paths: HomePaths, blocks: Iterable[pa.Table], kept: tuple[int, int]) -> WrittenRows:
    """Replaces the stored actions of user_history at once, see `replace_actions`.

    Args:
        kept: the clock and the created timestamp (microseconds) for rows of users whose newest row is gone,
            see `marked_actions`.

    Raises:
        StoreUnavailableError: the disk refused; the old rows are still there.
    """
    before = _newest_rows(paths, kept[0])
    return replace_actions(paths, marked_actions(blocks, before, *kept))


def _newest_rows(paths: HomePaths, now: int) -> pa.Table:
    """See `newest_instants`."""
    file = paths.feature_rows(columns.USER_HISTORY)
    if not holds_actions(file):
        return newest_instants(file, USER_ACTIONS_SCHEMA, now)
    try:
        return latest_history(file, _KEYS, -NEVER, now)
    except DataError:
        return _SCHEMA.empty_table().select(_KEYS)  # a damaged file is written anew


def windows_as_of(
    path: str | Path, users: Sequence[str] | Column, at: IntArray, ttl: int = 0
) -> Iterator[WindowsPart]:
    """The windows of `users` (R,) as known at `at` (R,) microseconds, that instant included, in parts.

    Args:
        ttl: microseconds that a row of user_history counts for, its end included; 0 = for ever.
    """
    asked = _Asked.of(users)
    for group in action_groups(path, asked.names):
        place = pc.index_in(group.names, value_set=asked.names).fill_null(-1).to_numpy()
        known = np.flatnonzero(place >= 0)
        rows, counts = asked.rows_of(place[known])
        ends = group.rows.ends_as_of(np.repeat(known, counts), at[rows])
        there = ends > group.rows.first[np.repeat(known, counts)]
        if ttl:
            there[there] = group.rows.at[ends[there] - 1] + ttl >= at[rows[there]]
        rows, ends = rows[there], ends[there]
        for first in range(0, len(rows), PART_ROWS):
            part = slice(first, first + PART_ROWS)
            yield WindowsPart(rows[part], group.windows(ends[part]))


def history_as_of(
    path: str | Path, names: Sequence[str], users: Column, at: IntArray, ttl: int = 0
) -> pa.Table:
    """The features `names` of user_history for `users` (R,) as of `at` (R,), in order; null without a row.

    Raises:
        SchemaMismatchError: user_history has no such feature.
    """
    _check_names(path, names)
    place, known, parts = np.full(len(at), -1, np.int64), 0, [_FEATURES.empty_table()]
    for part in windows_as_of(path, users, at, ttl):
        place[part.rows] = known + np.arange(len(part.rows))
        known += len(part.rows)
        parts.append(_features_table(part.windows))
    return pa.concat_tables(parts).select(names).take(pa.array(place, mask=place < 0))


def latest_history(path: str | Path, names: Sequence[str], start: int, end: int) -> pa.Table:
    """The columns `names` of the last row of user_history of each user within [`start`, `end`] microseconds.

    Raises:
        SchemaMismatchError: user_history has no such column.
    """
    return _rows(path, names, lambda rows: rows.ends_within(start, end))


def all_history(path: str | Path, names: Sequence[str], start: int, end: int) -> pa.Table:
    """The columns `names` of all rows of user_history within [`start`, `end`]: many times the file's bytes.

    Raises:
        SchemaMismatchError: user_history has no such column.
    """

    def ends(rows: UserInstants) -> IntArray:
        found = rows.ends_of_instants()
        return found[(rows.at[found - 1] >= start) & (rows.at[found - 1] <= end)]

    return _rows(path, names, ends)


def _rows(path: str | Path, names: Sequence[str], ends_of: Callable[[UserInstants], IntArray]) -> pa.Table:
    _check_names(path, names)
    parts = [_SCHEMA.empty_table()]
    for group in action_groups(path):
        ends = ends_of(group.rows)
        parts += [
            _rows_at(group, ends[first : first + PART_ROWS]) for first in range(0, len(ends), PART_ROWS)
        ]
    return pa.concat_tables(parts).select(list(names))


def _check_names(path: str | Path, names: Sequence[str]) -> None:
    lacking = [name for name in names if name not in _SCHEMA.names]
    if lacking:
        raise SchemaMismatchError(
            f"{path} holds actions, of which no {lacking[0]!r} is made, as feature_repo declares. "
            f"Leave it out; there are {', '.join(_SCHEMA.names)}."
        )


@dataclass(frozen=True)
class _Asked:
    """R users that were asked for, by distinct user."""

    names: Column
    order: IntArray
    first: IntArray

    @classmethod
    def of(cls, users: Sequence[str] | Column) -> "_Asked":
        encoded = combined(pa.array(users, pa.string()) if not hasattr(users, "type") else users)
        encoded = encoded.cast(pa.string()).dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
        order = np.argsort(codes, kind="stable")
        first = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
        return cls(encoded.dictionary, order, first)

    def rows_of(self, codes: IntArray) -> tuple[IntArray, IntArray]:
        """The rows that asked for the users `codes` (K,), user after user, and how many each."""
        first, counts = self.first[codes], self.first[codes + 1] - self.first[codes]
        inner = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.order[np.repeat(first, counts) + inner], counts


def _rows_at(group: ActionGroup, ends: IntArray) -> pa.Table:
    """The rows of user_history that end before each of `ends`."""
    created = group.actions[columns.CREATED_TIMESTAMP].take(pa.array(ends - 1))
    values = {
        columns.USER_ID: group.names.take(pa.array(group.rows.user[ends - 1])),
        columns.EVENT_TIMESTAMP: instant_column(group.rows.at[ends - 1]),
        columns.CREATED_TIMESTAMP: combined(created),
    }
    found = _features_table(group.windows(ends))
    values |= {name: combined(found[name]) for name in found.column_names}
    return pa.table(values, schema=_SCHEMA)


def _features_table(windows: HistoryWindows) -> pa.Table:
    """The features of windows, one row each."""
    place, offsets = windows.place, windows.offsets
    return pa.table(
        {
            columns.HISTORY_ITEMS: list_column(windows.item_keys[place], offsets, pa.int64()),
            columns.HISTORY_KINDS: list_column(windows.kinds[place].astype(np.int32), offsets, pa.int32()),
            columns.HISTORY_AT: list_column(windows.at_seconds[place], offsets, pa.int64()),
        },
        schema=_FEATURES,
    )
