"""Reads labelled impressions: what was shown without money, from the lake and the log of answers."""

import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.dataset.click_log import LabelledImpressions, join_impressions
from recsys.dataset.organic_clicks import (
    CLICK_EVENT_COLUMNS,
    SHOWN_COLUMNS,
    organic_labels,
)
from recsys.home import HomePaths
from recsys.instants import from_micros, to_micros
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.answer_files import read_answers


def open_click_labels(paths: HomePaths, start: int, end: int) -> LabelledImpressions:
    """What was shown in [start, end) microseconds and clicked by then; empty where nothing was logged.

    Nothing after `end` counts, so that a training learns nothing of its test.

    Raises:
        DataError: a file of the lake or of the log of answers cannot be read.
    """
    low, high = from_micros(start), from_micros(end)
    events = _frame(open_lake(paths).read_as_happened(CLICK_EVENT_COLUMNS, low, high))
    answers = read_shown_items(paths)
    answers = answers[answers[columns.AT].between(start, end - 1)]
    return join_impressions([organic_labels(events, answers, end)])


def open_later_labels(paths: HomePaths, start: int) -> LabelledImpressions:
    """The same from `start` on, as far as the lake reaches: the labels' instant is that of its last event."""
    events = _frame(open_lake(paths).read_as_happened(CLICK_EVENT_COLUMNS, from_micros(start)))
    answers = read_shown_items(paths)
    answers = answers[answers[columns.AT] >= start]
    until = int(events[columns.AT].max()) + 1 if len(events) else start
    return join_impressions([organic_labels(events, answers, until)])


def read_shown_items(paths: HomePaths) -> pd.DataFrame:
    """SHOWN_COLUMNS of every answer in the log, a row an item.

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
            answer.surface,
            answer.query,
        )
        for answer in read_answers(paths.served)
        for item in answer.items
    ]
    frame = pd.DataFrame(rows, columns=list(SHOWN_COLUMNS))
    return frame.astype({columns.AT: "int64"})


def _frame(events: pa.Table) -> pd.DataFrame:
    at = events.schema.get_field_index(columns.AT)
    frame: pd.DataFrame = events.set_column(at, columns.AT, events[columns.AT].cast(pa.int64())).to_pandas()
    return frame
