"""Reads what labels from feedback are made of: events that name a response, and the log of answers."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.dataset.feedback import FEEDBACK_COLUMNS, SHOWN_COLUMNS, Feedback, build_feedback
from recsys.dataset.interactions import Vocabulary
from recsys.documents import JsonObject
from recsys.home import HomePaths
from recsys.instants import from_micros, to_micros
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.answer_files import answer_lines


def open_feedback(paths: HomePaths, items: Vocabulary, start: int, end: int) -> Feedback:
    """What was shown and done in [start, end) microseconds; empty where no response was ever logged.

    Raises:
        DataError: a file of the lake or the slate log cannot be read.
    """
    low, high = (from_micros(bound) for bound in (start, end))
    table = open_lake(paths).read_as_happened(FEEDBACK_COLUMNS, low, high)
    at = table.schema.get_field_index(columns.AT)
    events = table.set_column(at, columns.AT, table[columns.AT].cast(pa.int64())).to_pandas()
    slates = read_slates(paths.served)
    return build_feedback(events, slates[slates[columns.AT].between(start, end - 1)], items)


def read_slates(folder: Path) -> pd.DataFrame:
    """SHOWN_COLUMNS of every answer in the log; lines that are none, as one being written, are left out.

    Raises:
        DataError: a file cannot be read.
    """
    rows: list[tuple[str, str | None, str, int, int]] = []
    for line in answer_lines(folder):
        with suppress(ValueError, TypeError, KeyError):
            rows += _rows(line)
    frame = pd.DataFrame(rows, columns=list(SHOWN_COLUMNS))
    return frame.astype({columns.AT: "int64", columns.POSITION: "int64"})


def _rows(line: JsonObject) -> list[tuple[str, str | None, str, int, int]]:
    at = to_micros(datetime.fromisoformat(line[columns.AT]))
    return [
        (
            line[columns.REQUEST_ID],
            line[columns.USER_ID],
            item[columns.ITEM_ID],
            int(item[columns.POSITION]),
            at,
        )
        for item in line["items"]
    ]
