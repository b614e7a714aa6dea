"""Rows for entities whose newest row is gone, so that online, where an older row loses, they follow too.

An import that takes events back leaves a user or an item with a newest row that is older than before. Its
features as of the instant of the row that is gone are written at that instant again, created later.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys import columns
from recsys.arrays import IntArray, combined
from recsys.features.user_actions import USER_ACTIONS_SCHEMA, UserInstants, marks
from recsys.features.view_schemas import INSTANT, micros_of
from recsys.instants import NEVER

AT = columns.EVENT_TIMESTAMP


class NewestInstants:
    """The instant of the newest row of each entity up to a moment, of tables that come one by one."""

    def __init__(self, schema: pa.Schema, now: int) -> None:
        """Begins with no row; `now` is in microseconds."""
        self._key, self._now = schema.names[0], pa.scalar(now, INSTANT)
        self._parts = [schema.empty_table().select([self._key, AT])]

    def add(self, rows: pa.Table) -> None:
        """Counts rows in."""
        rows = rows.select([self._key, AT])
        self._parts.append(self._newest(rows.filter(pc.less_equal(rows[AT], self._now))))

    def table(self) -> pa.Table:
        """Entity and instant."""
        return self._newest(pa.concat_tables(self._parts))

    def _newest(self, rows: pa.Table) -> pa.Table:
        newest = rows.group_by(self._key).aggregate([(AT, "max")]).rename_columns([self._key, AT])
        return newest.cast(self._parts[0].schema)


def newest_instants(files: Path | Iterable[Path], schema: pa.Schema, now: int) -> pa.Table:
    """The instant of the newest row of each entity up to `now` (microseconds); empty without a file."""
    key, newest = schema.names[0], NewestInstants(schema, now)
    try:
        for file in (files,) if isinstance(files, Path) else files:
            with pq.ParquetFile(file, read_dictionary=[key]) as opened:
                for group in range(opened.num_row_groups):
                    newest.add(opened.read_row_group(group, [key, AT]).unify_dictionaries())
    except (OSError, pa.ArrowException):
        return schema.empty_table().select([key, AT])
    return newest.table()


def withdrawn_rows(
    file: Path, schema: pa.Schema, before: pa.Table, after: pa.Table, created_at: int
) -> pa.Table:
    """Rows to add to `file`: for each entity whose newest row was newer before.

    An entity without any row gets one that says "none" in every feature.

    Args:
        before, after: of `newest_instants`, of the earlier file and of this one.
    """
    key = schema.names[0]
    place = pc.index_in(combined(before[key]), value_set=combined(after[key])).fill_null(-1).to_numpy()
    old, new = (table[AT].cast(pa.int64()).to_numpy() for table in (before, after))
    current = np.where(place >= 0, np.append(new, np.iinfo(np.int64).min)[place], np.iinfo(np.int64).min)
    lost = before.filter(pa.array(current < old))
    if not len(lost):
        return schema.empty_table()
    rows = _rows_of(file, schema, lost[key])
    if not len(rows):
        return _empty_rows(schema, lost[key], lost[AT], created_at)
    limit = lost[AT].cast(pa.int64()).to_numpy()
    owner = pc.index_in(combined(rows[key]), value_set=combined(lost[key])).to_numpy()
    at = rows[AT].cast(pa.int64()).to_numpy()
    order = np.lexsort((at, owner))
    order = order[at[order] <= limit[owner[order]]]
    last = order[np.append(owner[order][1:] != owner[order][:-1], True)] if len(order) else order
    kept = owner[last]
    again = _dated(rows.take(pa.array(last)), lost[AT].take(pa.array(kept)), created_at)
    without = np.setdiff1d(np.arange(len(lost)), kept)
    none = lost.take(pa.array(without))
    return pa.concat_tables([again, _empty_rows(schema, none[key], none[AT], created_at)])


def marked_actions(
    blocks: Iterable[pa.Table], before: pa.Table, now: int, created_at: int
) -> Iterator[pa.Table]:
    """The stored actions of user_history, `blocks` of whole users, with the rows that `withdrawn_rows` adds.

    A mark is enough: what holds at its instant is cut from the actions that are left.

    Args:
        before: of `newest_instants`.
    """
    place_of = {user: place for place, user in enumerate(before[columns.USER_ID].to_pylist())}
    newest, gone = micros_of(before[AT]), np.ones(len(before), bool)
    for block in blocks:
        users, last = _newest_of(block, now)
        place = np.fromiter((place_of.get(user, -1) for user in users.to_pylist()), np.int64, len(users))
        known = np.flatnonzero(place >= 0)
        place = place[known]
        gone[place] = False
        yield _with_marks(block, before.take(pa.array(place[last[known] < newest[place]])), created_at)
    yield _with_marks(USER_ACTIONS_SCHEMA.empty_table(), before.filter(pa.array(gone)), created_at)


def _newest_of(block: pa.Table, now: int) -> tuple[Any, IntArray]:
    """The users of stored actions, and the instant of the last row of each up to `now`; far past if none."""
    users = combined(block[columns.USER_ID]).dictionary_encode()  # in the order of their rows
    codes = users.indices.to_numpy()
    first = np.searchsorted(codes, np.arange(len(users.dictionary) + 1))
    rows = UserInstants(first, micros_of(block[AT]))
    ends = rows.ends_within(-NEVER, now)
    last = np.full(len(users.dictionary), -NEVER)
    last[rows.user[ends - 1]] = rows.at[ends - 1]
    return users.dictionary, last


def _with_marks(block: pa.Table, lost: pa.Table, created_at: int) -> pa.Table:
    if not len(lost):
        return block
    added = marks(combined(lost[columns.USER_ID]), combined(lost[AT]), created_at)
    return pa.concat_tables([block, added]).sort_by([(columns.USER_ID, "ascending"), (AT, "ascending")])


def _rows_of(file: Path, schema: pa.Schema, entities: Any) -> pa.Table:
    wanted = combined(entities)
    parts = [schema.empty_table()]
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches():
            table = pa.Table.from_batches([batch])
            parts.append(table.filter(pc.is_in(table[schema.names[0]], value_set=wanted)).cast(schema))
    return pa.concat_tables(parts)


def _empty_rows(schema: pa.Schema, entities: Any, at: Any, created_at: int) -> pa.Table:
    values: dict[str, Any] = {schema.names[0]: combined(entities)}
    for field in schema:
        values.setdefault(field.name, pa.array([_none_of(field.type)] * len(entities), field.type))
    return _dated(pa.table(values, schema=schema), at, created_at)


def _none_of(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return []
    if pa.types.is_string(kind):
        return ""
    return False if pa.types.is_boolean(kind) else 0


def _dated(rows: pa.Table, at: Any, created_at: int) -> pa.Table:
    created = pa.repeat(pa.scalar(created_at, INSTANT), len(rows))
    for name, column in ((AT, combined(at)), (columns.CREATED_TIMESTAMP, created)):
        rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), column)
    return rows
