"""Reads what labels from feedback are made of: events that name a response, and the service's slate log."""

from collections.abc import Iterator
from contextlib import suppress
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
from recsys.stores.served.rotating_log import log_files
from recsys.stores.served.slate_log import SLATES


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
    """SHOWN_COLUMNS of every slate in the log; lines that are no slate, as one being written, are left out.

    Raises:
        DataError: a file cannot be read.
    """
    rows = [row for shown in _slates(folder) for row in shown]
    frame = pd.DataFrame(rows, columns=list(SHOWN_COLUMNS))
    return frame.astype({columns.AT: "int64", columns.POSITION: "int64"})


def _slates(folder: Path) -> Iterator[list[tuple[str, str | None, str, int, int]]]:
    for file in log_files(folder, SLATES):
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # the log rotates while we read
            continue
        except OSError as error:
            raise DataError(
                f"{file} cannot be read: {error.strerror}. Give this account the right to."
            ) from error
        for line in content.splitlines():
            with suppress(ValueError, TypeError, KeyError):
                yield _rows(orjson.loads(line))


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
