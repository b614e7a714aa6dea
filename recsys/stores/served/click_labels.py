"""Reads what organic labels are made of: events of the lake, and the log of answers."""

import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.dataset.organic_clicks import CLICK_EVENT_COLUMNS, SHOWN_COLUMNS
from recsys.home import HomePaths
from recsys.instants import from_micros, to_micros
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.answer_files import read_answers


def read_click_events(paths: HomePaths, start: int, end: int | None = None) -> pd.DataFrame:
    """CLICK_EVENT_COLUMNS of [start, end) microseconds, up to the newest by default.

    Raises:
        DataError: a file of the lake cannot be read.
    """
    until = None if end is None else from_micros(end)
    events = open_lake(paths).read_as_happened(CLICK_EVENT_COLUMNS, from_micros(start), until)
    at = events.schema.get_field_index(columns.AT)
    frame: pd.DataFrame = events.set_column(at, columns.AT, events[columns.AT].cast(pa.int64())).to_pandas()
    return frame


def read_shown_items(paths: HomePaths, start: int, end: int) -> pd.DataFrame:
    """SHOWN_COLUMNS of every answer of [start, end) in the log, a row an item.

    The surface is that of its request, else what kind of request it was.

    Raises:
        DataError: a file cannot be read.
    """
    rows = [
        (
            answer.request_id,
            answer.user_id,
            answer.session_id,
            item.item_id,
            item.position,
            to_micros(answer.at),
            answer.surface or answer.kind,
            answer.query,
        )
        for answer in read_answers(paths.served)
        if start <= to_micros(answer.at) < end
        for item in answer.items
    ]
    return pd.DataFrame(rows, columns=list(SHOWN_COLUMNS)).astype({columns.AT: "int64"})
