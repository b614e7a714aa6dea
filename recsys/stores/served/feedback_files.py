"""Reads what labels from feedback are made of: events that name a response, and the service's slate log."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson
import pandas as pd
import pyarrow as pa

from recsys import columns
from recsys.dataset.feedback import FEEDBACK_COLUMNS, SHOWN_COLUMNS, Feedback, build_feedback
from recsys.dataset.interactions import Vocabulary
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.instants import from_micros, to_micros
from recsys.stores.lake.event_lake import open_lake

PATTERN = "slates-*.jsonl"


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
    """SHOWN_COLUMNS of every slate in the log; a line that is being written is left for the next time.

    Raises:
        DataError: a file cannot be read.
    """
    rows = [row for line in _lines(folder) for row in _rows(line)]
    frame = pd.DataFrame(rows, columns=list(SHOWN_COLUMNS))
    return frame.astype({columns.AT: "int64", columns.POSITION: "int64"})


def _lines(folder: Path) -> Iterator[JsonObject]:
    for file in sorted(folder.glob(PATTERN)):
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # the log rotates while we read
            continue
        except OSError as error:
            raise DataError(
                f"{file} cannot be read: {error.strerror}. Give this account the right to."
            ) from error
        for line in content.splitlines():
            try:
                yield orjson.loads(line)
            except ValueError:
                continue


def _rows(line: JsonObject) -> list[tuple[str, str | None, str, int, int]]:
    at = to_micros(datetime.fromisoformat(line[columns.AT]))
    return [
        (line[columns.REQUEST_ID], line[columns.USER_ID], item[columns.ITEM_ID], item[columns.POSITION], at)
        for item in line["items"]
    ]
