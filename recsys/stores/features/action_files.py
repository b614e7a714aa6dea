"""The files of user_history: stored actions, and beside them those that new events brought, read as one."""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import atomic, columns
from recsys.arrays import BoolArray, Column, IntArray, combined
from recsys.errors import DataError, StoreUnavailableError
from recsys.features.history_windows import HistoryWindows
from recsys.features.user_actions import (
    KIND_CODE,
    MARK,
    UNDONE_AT,
    USER_ACTIONS_SCHEMA,
    UserInstants,
    windows_until,
)
from recsys.features.view_schemas import micros_of
from recsys.home import CHANGED_ROWS, HomePaths
from recsys.instants import NEVER

log = logging.getLogger(__name__)

_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": [columns.USER_ID, columns.ITEM_KEY, KIND_CODE, UNDONE_AT, columns.CREATED_TIMESTAMP],
    "column_encoding": {columns.EVENT_TIMESTAMP: "DELTA_BINARY_PACKED"},  # instants ascend, user by user
}
_KEYS = [columns.USER_ID, columns.EVENT_TIMESTAMP]
_ACTIONS = [columns.ITEM_KEY, KIND_CODE, UNDONE_AT, columns.CREATED_TIMESTAMP]


def holds_actions(path: str | Path) -> bool:
    """Whether the file at `path` stores actions, as a build writes user_history, and not a view's rows."""
    try:
        return UNDONE_AT in pq.read_schema(path).names
    except (OSError, pa.ArrowException):
        return False  # what is wrong with it, who reads it says


class WrittenRows(NamedTuple):
    """How many rows a view has, and how many of them are there for events that are gone."""

    rows: int
    withdrawn: int


def replace_actions(paths: HomePaths, blocks: Iterable[pa.Table]) -> WrittenRows:
    """Replaces the stored actions of user_history at once, those too that `add_actions` added.

    Args:
        blocks: of USER_ACTIONS_SCHEMA, each of whole users. A block becomes a row group: a reader finds all
            that a user did in one.

    Raises:
        StoreUnavailableError: the disk refused; the old rows are still there.
    """
    file = paths.feature_rows(columns.USER_HISTORY)
    if file.exists() and not holds_actions(file):
        log.info("user_history is stored an action a row from this version on: %s is written anew", file)
    stored = _write(file, blocks)
    paths.changed_rows(columns.USER_HISTORY).unlink(missing_ok=True)
    return stored


def add_actions(paths: HomePaths, blocks: Iterable[pa.Table]) -> int:
    """Puts actions beside those of user_history, in place of any that were added before; returns how many.

    Args:
        blocks: as `replace_actions` takes them. They take the place of all that is stored of their users from
            the first of their instants on.

    Raises:
        StoreUnavailableError: the disk refused; the rows are as before.
    """
    return _write(paths.changed_rows(columns.USER_HISTORY), blocks).rows


def _write(file: Path, blocks: Iterable[pa.Table]) -> WrittenRows:
    rows = marks = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic.replacing(file) as partial,
            pq.ParquetWriter(partial, USER_ACTIONS_SCHEMA, **_PARQUET) as writer,
        ):
            for block in blocks:
                if len(block):
                    writer.write_table(block, len(block))
                    rows += len(block)
                    marks += int(np.count_nonzero(block[KIND_CODE].to_numpy() == MARK))
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
    return WrittenRows(rows, marks)


class ActionGroup:
    """The actions of whole users.

    Attributes:
        names: (U,) the users. rows: their stored rows.
    """

    def __init__(self, users: pa.Array, at: IntArray, read: Callable[[], pa.Table]) -> None:
        """Reads nothing.

        Args:
            users: (M,) dictionary-encoded, each user's rows together.
            at: (M,) microseconds, ascending for each user.
            read: the other columns of the rows.
        """
        self._codes, self._read = users.indices.to_numpy(), read
        begins = np.flatnonzero(np.append(True, self._codes[1:] != self._codes[:-1])[: len(at)])
        self.names: Column = users.dictionary.take(pa.array(self._codes[begins]))
        self.rows = UserInstants(np.append(begins, len(at)), at)

    @cached_property
    def actions(self) -> pa.Table:
        """The columns of the actions, those of user and instant left out."""
        return self._read()

    @cached_property
    def _values(self) -> tuple[IntArray, IntArray, IntArray]:
        items, kinds = self.actions[columns.ITEM_KEY].to_numpy(), self.actions[KIND_CODE].to_numpy()
        undone = self.actions[UNDONE_AT].cast(pa.int64()).fill_null(NEVER).to_numpy()
        return items, kinds.astype(np.int64), undone

    def windows(self, ends: IntArray) -> HistoryWindows:
        """See `windows_until`."""
        return windows_until(self.rows, *self._values, ends)

    def of_rows(self, rows: IntArray) -> "ActionGroup":
        """The group of some rows, in their order: whole users, or the first rows of them."""
        users = self.names.take(pa.array(self.rows.user[rows])).dictionary_encode()
        return ActionGroup(users, self.rows.at[rows], lambda: self.actions.take(pa.array(rows)))

    def followed_by(self, later: "ActionGroup") -> "ActionGroup":
        """The rows of both, those of `later` in the place of all from the first instant of their users on."""
        place = pc.index_in(self.names, value_set=later.names).fill_null(-1).to_numpy()
        until = np.append(later.rows.at[later.rows.first[:-1]], NEVER)[place]
        kept = np.flatnonzero(self.rows.at < until[self.rows.user])
        added = np.flatnonzero(np.isin(later.rows.user, place))
        user = np.empty(len(later.names), np.int64)
        user[place[place >= 0]] = np.flatnonzero(place >= 0)
        users = np.concatenate([self.rows.user[kept], user[later.rows.user[added]]])
        order = np.argsort(users, kind="stable")
        encoded = pa.DictionaryArray.from_arrays(pa.array(users[order]), self.names)
        at = np.concatenate([self.rows.at[kept], later.rows.at[added]])[order]

        def read() -> pa.Table:
            parts = self.actions.take(pa.array(kept)), later.actions.take(pa.array(added))
            return pa.concat_tables(parts).take(pa.array(order))

        return ActionGroup(encoded, at, read)


def action_groups(path: str | Path, names: Column | None = None) -> Iterator[ActionGroup]:
    """The stored actions group by group, of those groups that may hold a user among `names`.

    Raises:
        DataError: a file cannot be read.
    """
    wanted = None if names is None else sorted(names.to_pylist())
    with pq.ParquetFile(path, read_dictionary=[columns.USER_ID]) as file:
        added = _added(file, Path(path).with_name(CHANGED_ROWS))
        seen = np.zeros(len(added.names) if added else 0, bool)
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            users = group.column(USER_ACTIONS_SCHEMA.get_field_index(columns.USER_ID)).statistics
            if group.num_rows and _overlaps(wanted, users):
                yield _read_with(_group_of(file, [number]), added, seen)
    if added is not None:
        rest = ~seen if names is None else ~seen & pc.is_in(added.names, value_set=names).to_numpy(False)
        if rest.any():
            yield added.of_rows(np.flatnonzero(rest[added.rows.user]))


def _read_with(group: ActionGroup, added: ActionGroup | None, seen: BoolArray) -> ActionGroup:
    if added is None:
        return group
    place = pc.index_in(added.names, value_set=group.names)
    seen |= place.is_valid().to_numpy(False)
    return group.followed_by(added) if place.null_count < len(place) else group


def _added(file: pq.ParquetFile, beside: Path) -> ActionGroup | None:
    """What was added after `file` was written; what an earlier build left beside it does not count."""
    try:
        with pq.ParquetFile(beside, read_dictionary=[columns.USER_ID]) as added:
            if not added.metadata.num_rows or _created(added) < _created(file):
                return None
            group = _group_of(added, list(range(added.num_row_groups)))
            _ = group.actions  # the file is closed then
            return group
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(error) from error


def _created(file: pq.ParquetFile) -> int:
    """The latest created timestamp of stored actions."""
    place, found = USER_ACTIONS_SCHEMA.get_field_index(columns.CREATED_TIMESTAMP), -NEVER
    for number in range(file.num_row_groups):
        known = file.metadata.row_group(number).column(place).statistics
        found = max(found, known.max_raw if known is not None and known.has_min_max else -NEVER)
    return found


def _group_of(file: pq.ParquetFile, numbers: Sequence[int]) -> ActionGroup:
    def read(names: list[str]) -> pa.Table:
        try:
            return file.read_row_groups(numbers, names)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(error) from error

    keys = read(_KEYS).unify_dictionaries()
    return ActionGroup(
        combined(keys[columns.USER_ID]), micros_of(keys[columns.EVENT_TIMESTAMP]), lambda: read(_ACTIONS)
    )


def _unreadable(error: Exception) -> DataError:
    return DataError(f"cannot read feature rows: {error}. Run `recsys features build`.")


def _overlaps(wanted: Sequence[str] | None, users: Any) -> bool:
    """Whether one of `wanted` (sorted) lies within the statistics of a column."""
    if wanted is None or users is None or not users.has_min_max:
        return True
    place = bisect_left(wanted, users.min)
    return place < len(wanted) and wanted[place] <= users.max
