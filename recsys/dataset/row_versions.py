"""Versions of items or users from one import to the next: what changed gets a later date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, Column, combined
from recsys.dataset.catalog_rows import attributes_json, attributes_of
from recsys.dataset.item_vectors import layout_of, vector_rows
from recsys.dataset.schemas import INSTANT

_ORDER = "order"


@dataclass(frozen=True)
class ImportedVersions:
    """The rows of an import with their dates, and what they take the place of.

    Attributes:
        newest: the imported rows, sorted as they came.
        earlier: every version that is not the newest any more, by key and date.
        changed: rows whose content is another than that of the import before.
        new: rows of keys that were not known.
        gone: keys of the import before that this one lacks.
    """

    newest: pa.Table
    earlier: pa.Table
    changed: int
    new: int
    gone: int


def dated_versions(
    imported: pa.Table,
    before: pa.Table,
    earlier: pa.Table,
    now: datetime,
    told: pa.Table | None = None,
) -> ImportedVersions:
    """Dates the rows of an import by what was known before it.

    A row whose content changed keeps a date of its own that is later than that of the one before, else it is
    dated `now`. One that did not change keeps its date, and a first version takes an
    earlier one if the import has it, as it does when the events begin earlier. A new key keeps the date that
    it came with. An item that is gone gets an unavailable version dated `now`.

    Args:
        imported: rows of `ITEM_SCHEMA` or `USER_SCHEMA`, each key once.
        before: the newest rows of the import before, each key once.
        earlier: its `earlier`.
        now: aware.
        told: earlier versions that the import itself dates.
    """
    key = imported.column_names[0]
    known = last_of(sorted_versions(pa.concat_tables([earlier, before]), key), [key])
    dates = known[columns.AT].cast(pa.int64()).to_numpy()
    own = imported[columns.AT].cast(pa.int64()).to_numpy()
    place = places_of(imported[key], known[key])
    found = place >= 0
    same = np.zeros(len(imported), bool)
    rows = np.flatnonzero(found)
    same[rows] = equal_rows(imported.take(pa.array(rows)), known.take(pa.array(place[rows])))
    changed = found & ~same
    moment = int(pa.scalar(now, INSTANT).cast(pa.int64()).as_py())
    at = own.copy()
    since = dates[place[changed]]
    at[changed] = np.where(own[changed] > since, own[changed], np.maximum(moment, since + 1))
    first = same & (places_of(imported[key], earlier[key]) < 0)
    at[same] = dates[place[same]]
    at[first] = np.minimum(at[first], own[first])
    gone = before.filter(pa.array(places_of(before[key], imported[key]) < 0))
    outdated = before.filter(
        pc.is_in(before[key], value_set=combined(imported[key].filter(pa.array(changed))))
    )
    own_past = imported.slice(0, 0) if told is None else told
    past = pa.concat_tables([earlier, outdated, gone, _withdrawn(gone, moment), own_past])
    return ImportedVersions(
        newest=with_dates(imported, at),
        earlier=last_of(sorted_versions(past, key), [key, columns.AT]),
        changed=int(changed.sum()),
        new=int((~found).sum()),
        gone=len(gone),
    )


def sorted_versions(table: pa.Table, key: str) -> pa.Table:
    """`table` by `key`, date and order of its rows."""
    numbered = table.append_column(_ORDER, pa.array(np.arange(len(table))))
    by = [(name, "ascending") for name in (key, columns.AT, _ORDER)]
    return numbered.sort_by(by).drop_columns([_ORDER])


def last_of(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The last of each run of rows with equal `keys`; rows must be sorted by them."""
    if not len(table):
        return table
    differs = np.zeros(len(table) - 1, bool)
    for key in keys:
        column = table[key]
        differs |= np.asarray(pc.not_equal(column.slice(1), column.slice(0, len(table) - 1)))
    return table.filter(pa.array(np.append(differs, True)))


def changes_of(versions: pa.Table, name: str) -> pa.Table:
    """Those of sorted `versions` that differ in `name` from the one of their key before, and first ones."""
    key = versions.column_names[0]
    return versions.filter(pa.array(differs(versions.select([key, name]))))


def differs(table: pa.Table) -> BoolArray:
    """(N,) whether a row says something else than the one before; the first does."""
    if not len(table):
        return np.zeros(0, bool)
    return np.append(True, ~equal_rows(table.slice(1), table.slice(0, len(table) - 1)))


def newest_apart(versions: pa.Table, present: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Sorted `versions` without the newest ones of the keys of `present`, and those."""
    key = versions.column_names[0]
    last, keys = np.ones(len(versions), bool), versions[key]
    if len(versions):
        last[:-1] = np.asarray(pc.not_equal(keys.slice(1), keys.slice(0, len(versions) - 1)))
    newest = pa.array(last & (places_of(keys, present[key]) >= 0))
    return versions.filter(pc.invert(newest)), versions.filter(newest)


def places_of(keys: Column, among: Column) -> Any:
    """Returns (N,) where each of `keys` lies in `among`, -1 = nowhere."""
    places = pc.index_in(combined(keys), value_set=combined(among))
    return places.fill_null(-1).to_numpy(zero_copy_only=False)


def equal_rows(left: pa.Table, right: pa.Table) -> BoolArray:
    """(N,) whether two rows say the same, whatever their dates."""
    equal = np.ones(len(left), bool)
    for name in left.column_names:
        if name == columns.AT or not len(left):
            continue
        one, other = left[name], right[name]
        if name == columns.VECTORS:
            equal &= _equal_vectors(one, other)
            continue
        same = _equal_cells(one, other)
        if name == columns.ATTRIBUTES:  # earlier versions of this package wrote lists with blanks in them
            rows = pa.array(np.flatnonzero(~same))
            same[~same] = _equal_cells(_canonical_json(one.take(rows)), _canonical_json(other.take(rows)))
        equal &= same
    return equal


def _equal_cells(one: Column, other: Column) -> BoolArray:
    """(N,) whether two cells are equal, or both are null."""
    both = pc.fill_null(pc.equal(one, other), False)
    neither = pc.and_(pc.is_null(one), pc.is_null(other))
    return np.array(pc.or_(both, neither))


def _canonical_json(documents: Column) -> Column:
    encoded = combined(documents).dictionary_encode()
    written = [attributes_json(attributes_of(document)) for document in encoded.dictionary.to_pylist()]
    return combined(pa.array(written, pa.string()).take(encoded.indices))


def _equal_vectors(left: Column, right: Column) -> BoolArray:
    layout = layout_of(pa.chunked_array([combined(left), combined(right)]))
    rows = [vector_rows(each, layout) for each in (left, right)]
    same = (rows[0] == rows[1]).all(axis=1)
    return np.asarray(same & (left.is_null().to_numpy() == right.is_null().to_numpy()))


def _withdrawn(gone: pa.Table, moment: int) -> pa.Table:
    """A version of each item that is gone, from `moment` on: it cannot be bought."""
    if columns.AVAILABLE not in gone.column_names:
        return gone.slice(0, 0)
    at = np.maximum(gone[columns.AT].cast(pa.int64()).to_numpy() + 1, moment)
    column = gone.column_names.index(columns.AVAILABLE)
    field = gone.schema.field(columns.AVAILABLE)
    return with_dates(gone.set_column(column, field, pa.array(np.zeros(len(gone), bool))), at)


def with_dates(table: pa.Table, at: Any) -> pa.Table:
    """`table` with other dates, (N,) microseconds."""
    column = table.column_names.index(columns.AT)
    return table.set_column(column, table.schema.field(columns.AT), pa.array(at, pa.int64()).cast(INSTANT))
