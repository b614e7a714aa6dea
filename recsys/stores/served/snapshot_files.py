"""Feature snapshots that the service logged: which rows a sampled request was answered from.

One JSON line a request in `features-*.jsonl`:

    {"request_id", "at", "bundle_id", "user_id", "user": VIEWS, "items": [{"item_id", "views": VIEWS}, ...]}

VIEWS is {view: {"event_at": microseconds or null, "values": {feature: value}}}; null = there was no row.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from recsys.errors import DataError
from recsys.features.skew import ServedRow
from recsys.instants import to_micros
from recsys.stores.served.answer_log import SNAPSHOTS
from recsys.stores.served.rotating_log import log_files


@dataclass(frozen=True)
class Snapshots:
    """The newest snapshots; `damaged` counts lines that cannot be read, such as one being written."""

    rows: tuple[ServedRow, ...]
    requests: int
    damaged: int


def read_snapshots(folder: Path, count: int) -> Snapshots:
    """The newest `count` snapshots in `folder`: what was served long ago may be mended since.

    Raises:
        DataError: a file cannot be read.
    """
    rows: list[ServedRow] = []
    requests = damaged = 0
    for line in _newest_lines(folder):
        if requests == count:
            break
        try:
            rows += _rows(orjson.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError):
            damaged += 1
            continue
        requests += 1
    return Snapshots(tuple(rows), requests, damaged)


def _newest_lines(folder: Path) -> Iterator[bytes]:
    for file in reversed(log_files(folder, SNAPSHOTS)):
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # the oldest file went while we read the newer ones
            continue
        except OSError as error:
            raise DataError(
                f"{file} cannot be read: {error.strerror}. Give this account the right to."
            ) from error
        yield from reversed(content.splitlines())


def _rows(line: Mapping[str, Any]) -> list[ServedRow]:
    request, at = str(line["request_id"]), to_micros(datetime.fromisoformat(line["at"]))
    owners: Iterable[tuple[str | None, Mapping[str, Any]]] = [
        (line["user_id"], line["user"] or {}),
        *((item["item_id"], item["views"]) for item in line["items"]),
    ]
    return [
        ServedRow(request, at, view, owner, _instant(row["event_at"]), row["values"] or {})
        for owner, views in owners
        if owner is not None
        for view, row in views.items()
    ]


def _instant(event_at: int | None) -> int | None:
    return None if event_at is None else int(event_at)
