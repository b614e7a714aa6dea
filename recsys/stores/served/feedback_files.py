"""Reads what labels from feedback are made of: events that name a response, and the log of answers."""

import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.dataset.feedback import FEEDBACK_COLUMNS, SHOWN_COLUMNS, Feedback, build_feedback
from recsys.dataset.interactions import Vocabulary
from recsys.funnel.served_answer import ServedAnswer
from recsys.home import HomePaths
from recsys.instants import from_micros, to_micros
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.served.answer_files import read_answers, read_lost_answers

log = logging.getLogger(__name__)


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
    lost = read_lost_answers(paths.served, low, high)
    if lost.dropped:
        log.warning(
            "the log of answers lacks %d answers of this time that it had no room for: where a surface "
            "sends no impressions, labels are of the others. See `records_dropped` in docs/operations.md.",
            lost.dropped,
        )
    return build_feedback(events, slates[slates[columns.AT].between(start, end - 1)], items)


def read_slates(folder: Path) -> pd.DataFrame:
    """SHOWN_COLUMNS of every answer in the log; lines that are none, as one being written, are left out.

    Raises:
        DataError: a file cannot be read.
    """
    rows = [row for answer in read_answers(folder) for row in _rows(answer)]
    frame = pd.DataFrame(rows, columns=list(SHOWN_COLUMNS))
    return frame.astype({columns.AT: "int64", columns.POSITION: "int64"})


def _rows(answer: ServedAnswer) -> list[tuple[str, str | None, str, int, int, str | None]]:
    at, surface = to_micros(answer.at), answer.surface or answer.kind
    return [
        (answer.request_id, answer.user_id, item.item_id, item.position, at, surface) for item in answer.items
    ]
