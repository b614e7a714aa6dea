"""Rows of user_history, cut from its stored actions: what Feast reads of the view, and what training does."""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import atomic, columns
from recsys.arrays import Column, IntArray, combined
from recsys.errors import DataError, SchemaMismatchError, StoreUnavailableError
from recsys.features.history_windows import HistoryWindows, WindowsPart
from recsys.features.user_actions import (
    KIND_CODE,
    UNDONE_AT,
    USER_ACTIONS_SCHEMA,
    UserInstants,
    windows_until,
)
from recsys.features.view_schemas import VIEW_SCHEMAS, instant_column, list_column, micros_of
from recsys.home import HomePaths
from recsys.instants import NEVER
from recsys.stores.features.withdrawn_rows import marked_actions, newest_instants

log = logging.getLogger(__name__)

HISTORY_FEATURES = (columns.HISTORY_ITEMS, columns.HISTORY_KINDS, columns.HISTORY_AT)
PART_ROWS = 8_192  # windows cut at once: each may hold HISTORY_LENGTH actions
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": [columns.USER_ID, columns.ITEM_KEY, KIND_CODE, UNDONE_AT, columns.CREATED_TIMESTAMP],
    "column_encoding": {columns.EVENT_TIMESTAMP: "DELTA_BINARY_PACKED"},  # instants ascend, user by user
}
_KEYS = [columns.USER_ID, columns.EVENT_TIMESTAMP]
_SCHEMA = VIEW_SCHEMAS[columns.USER_HISTORY]
_FEATURES = pa.schema([_SCHEMA.field(name) for name in HISTORY_FEATURES])
_ACTIONS = [columns.ITEM_KEY, KIND_CODE, UNDONE_AT, columns.CREATED_TIMESTAMP]


def holds_actions(path: str | Path) -> bool:
    """Whether the file at `path` stores actions, as a build writes user_history, and not a view's rows."""
    try:
        return UNDONE_AT in pq.read_schema(path).names
    except (OSError, pa.ArrowException):
        return False  # what is wrong with it, who reads it says


def write_user_actions(paths: HomePaths, blocks: Iterable[pa.Table], kept: tuple[int, int]) -> int:
    """Replaces the stored actions of user_history at once; returns how many rows are stored now.

    Args:
        blocks: of USER_ACTIONS_SCHEMA, each of whole users. A block becomes a row group: a reader finds all
            that a user did in one.
        kept: the clock and the created timestamp (microseconds) for rows of users whose newest row is gone,
            see `marked_actions`.

    Raises:
        StoreUnavailableError: the disk refused; the old rows are still there.
    """
    file, rows = paths.feature_rows(columns.USER_HISTORY), 0
    if file.exists() and not holds_actions(file):
        log.info("user_history is stored an action a row from this version on: %s is written anew", file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        before = _newest_rows(file, kept[0])
        with (
            atomic.replacing(file) as partial,
            pq.ParquetWriter(partial, USER_ACTIONS_SCHEMA, **_PARQUET) as writer,
        ):
            for block in marked_actions(blocks, before, *kept):
                if len(block):
                    writer.write_table(block, len(block))
                    rows += len(block)
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
    return rows


def _newest_rows(file: Path, now: int) -> pa.Table:
    """See `newest_instants`."""
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
    for group in _groups(path, asked.names):
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
    for group in _groups(path):
        ends = ends_of(group.rows)
        parts += [group.table(ends[first : first + PART_ROWS]) for first in range(0, len(ends), PART_ROWS)]
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


class _Group:
    """The actions of whole users: one row group of the file."""

    def __init__(self, file: pq.ParquetFile, number: int) -> None:
        self._file, self._number = file, number
        keys = self._read(_KEYS).unify_dictionaries()
        users = combined(keys[columns.USER_ID])
        codes = users.indices.to_numpy()
        begins = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
        self.names: Column = users.dictionary.take(pa.array(codes[begins]))
        self.rows = UserInstants(np.append(begins, len(codes)), micros_of(keys[columns.EVENT_TIMESTAMP]))

    def _read(self, names: list[str]) -> pa.Table:
        try:
            return self._file.read_row_group(self._number, names)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"cannot read feature rows: {error}. Run `recsys features build`.") from error

    @cached_property
    def actions(self) -> pa.Table:
        return self._read(_ACTIONS)

    @cached_property
    def _values(self) -> tuple[IntArray, IntArray, IntArray]:
        items, kinds = self.actions[columns.ITEM_KEY].to_numpy(), self.actions[KIND_CODE].to_numpy()
        undone = self.actions[UNDONE_AT].cast(pa.int64()).fill_null(NEVER).to_numpy()
        return items, kinds.astype(np.int64), undone

    def windows(self, ends: IntArray) -> HistoryWindows:
        """See `windows_until`."""
        return windows_until(self.rows, *self._values, ends)

    def table(self, ends: IntArray) -> pa.Table:
        """Rows of user_history."""
        values = {
            columns.USER_ID: self.names.take(pa.array(self.rows.user[ends - 1])),
            columns.EVENT_TIMESTAMP: instant_column(self.rows.at[ends - 1]),
            columns.CREATED_TIMESTAMP: combined(
                self.actions[columns.CREATED_TIMESTAMP].take(pa.array(ends - 1))
            ),
        }
        found = _features_table(self.windows(ends))
        values |= {name: combined(found[name]) for name in found.column_names}
        return pa.table(values, schema=_SCHEMA)


def _groups(path: str | Path, names: Column | None = None) -> Iterator[_Group]:
    """The row groups that hold anything, of those that may hold a user among `names`."""
    wanted = None if names is None else sorted(names.to_pylist())
    with pq.ParquetFile(path, read_dictionary=[columns.USER_ID]) as file:
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            users = group.column(USER_ACTIONS_SCHEMA.get_field_index(columns.USER_ID)).statistics
            if group.num_rows and _overlaps(wanted, users):
                yield _Group(file, number)


def _overlaps(wanted: Sequence[str] | None, users: Any) -> bool:
    """Whether one of `wanted` (sorted) lies within the statistics of a column."""
    if wanted is None or users is None or not users.has_min_max:
        return True
    place = bisect_left(wanted, users.min)
    return place < len(wanted) and wanted[place] <= users.max


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
