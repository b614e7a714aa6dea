"""Days that only grew since the import before: they keep their files, and what is new lies beside them.

Who remembers which files were read, as feature rows do, then knows that nothing else changed.
"""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import combined
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import DataError
from recsys.stores.lake.day import BY_CONTENT, file_names, open_day, write_day_file
from recsys.stores.lake.event_lake import EventLake

MOST_DAYS = 7  # that are compared: where more changed, all events may be others


def keep_grown_days(before: EventLake, staged: EventLake) -> None:
    """Gives each day of `staged` that has all rows of `before` the files of `before`, and one of the rest.

    Args:
        before: the import that is in place.
        staged: the next one, which nobody reads yet, on the same disk.
    """
    folders = [(before.root / each.name, each) for each in sorted(staged.root.glob("day=*"))]
    changed = [(old, new) for old, new in folders if file_names(old) - file_names(new)]
    for old, new in changed if len(changed) <= MOST_DAYS else ():
        rows, known = _rows(new), _known_rows(old)
        is_known = pc.is_in(rows[columns.EVENT_ID], value_set=combined(known[columns.EVENT_ID]))
        if not len(known) or not rows.filter(is_known).equals(known):
            continue
        for name in file_names(new):
            (new / name).unlink()
        for name in file_names(old):
            os.link(old / name, new / name)
        rest = rows.filter(pc.invert(is_known))
        if len(rest):
            write_day_file(rest, new, durable=False, name=BY_CONTENT)


def _rows(folder: Path) -> pa.Table:
    with open_day(folder) as day:
        return day.read(EVENT_SCHEMA.names, folder)


def _known_rows(folder: Path) -> pa.Table:
    try:
        return _rows(folder)
    except DataError:
        return EVENT_SCHEMA.empty_table()  # what is damaged, this import writes anew
