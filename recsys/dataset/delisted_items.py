"""Items that left the catalog while events still name them: known as before, and not for sale."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.dataset.row_versions import equal_rows, last_of, places_of, sorted_versions


def with_delisted_items(
    imported: pa.Table, unlisted: Collection[str], known: pa.Table, priced_by_events: bool
) -> tuple[pa.Table, int]:
    """`imported` with what was known of items that the catalog had and lacks now, and how many are new so.

    They keep their title, price and the rest, and are unavailable. An item that no catalog ever had stays as
    events know it.

    Args:
        imported: rows of `ITEM_SCHEMA`, each item once.
        unlisted: those of them that only events name.
        known: versions of the imports before.
        priced_by_events: whether such an item may have a price.
    """
    known = last_of(sorted_versions(known, columns.ITEM_ID), [columns.ITEM_ID])
    by_events = pc.is_in(imported[columns.ITEM_ID], value_set=pa.array(sorted(unlisted), pa.string()))
    place = places_of(imported[columns.ITEM_ID], known[columns.ITEM_ID])
    rows = np.flatnonzero(by_events.to_numpy() & (place >= 0))
    bare, kept = imported.take(pa.array(rows)), known.take(pa.array(place[rows]))
    if priced_by_events:
        same = equal_rows(*(table.drop_columns([columns.PRICE_MICROS]) for table in (bare, kept)))
    else:
        same = equal_rows(bare, kept)
    listed = pa.array(~same)
    rows, bare, kept = rows[~same], bare.filter(listed), kept.filter(listed)
    delisted = int(pc.sum(kept[columns.AVAILABLE]).as_py() or 0)
    for name, values in (
        (columns.AVAILABLE, pa.array(np.zeros(len(kept), bool))),
        (columns.AT, bare[columns.AT]),
    ):
        place_of_column = kept.column_names.index(name)
        kept = kept.set_column(place_of_column, kept.schema.field(name), values)
    others = np.ones(len(imported), bool)
    others[rows] = False
    joined = pa.concat_tables([imported.filter(pa.array(others)), kept.select(imported.column_names)])
    return joined.sort_by(columns.ITEM_ID), delisted
