"""What a worker logs of single events: their ids and the id of the request that brought them, no contents."""

import logging
from collections.abc import Sequence

import orjson
import pyarrow as pa

from recsys import columns
from recsys.identifiers import MOST_CHARACTERS
from recsys.ingest.cleaning.filters import DUPLICATE
from recsys.streaming.dead_letters import letter_id
from recsys.streaming.stream import Entry

MOST_LINES = 10  # of one batch: a flood of bad events is counted, not logged
MOST_IDS = 5  # of one line

log = logging.getLogger("recsys.streaming")


def log_rejected(rejected: pa.Table, entries: Sequence[Entry], first: int) -> None:
    """Logs events that cleaning rejected, a line for each reason and request; duplicates are none.

    Args:
        rejected: canonical events and a column `reason`. entries: of the events of the batch, in order.
        first: the sequence of the first of them.
    """
    if not len(rejected):
        return
    found: dict[tuple[str, str], list[str]] = {}
    names = (columns.EVENT_ID, columns.SEQUENCE, "reason")
    for event_id, sequence, reason in zip(*(rejected[name].to_pylist() for name in names), strict=True):
        if reason != DUPLICATE:
            found.setdefault((reason, entries[sequence - first].request_id), []).append(event_id)
    for (reason, request_id), event_ids in list(found.items())[:MOST_LINES]:
        _log(f"{len(event_ids)} rejected ({reason})", request_id, event_ids)
    _log_rest(len(found), "reasons and requests")


def log_dead_letters(poison: Sequence[tuple[Entry, str]]) -> None:
    """Logs entries that were put aside; why is in the letter, which may repeat what the client sent."""
    for entry, _ in poison[:MOST_LINES]:
        name = letter_id(entry)
        _log(f"dead letter {name}, see `recsys stream dlq list`", entry.request_id, _event_ids(entry), name)
    _log_rest(len(poison), "dead letters")


def _log(what: str, request_id: str, event_ids: Sequence[str], letter: str | None = None) -> None:
    fields = {"request_id": request_id or None, "event_ids": event_ids[:MOST_IDS], "letter_id": letter}
    log.warning(
        "events: %s; request %s, event %s",
        *(what, request_id or "-", ", ".join(event_ids[:MOST_IDS]) or "-"),
        extra={"fields": {name: value for name, value in fields.items() if value}},
    )


def _log_rest(count: int, what: str) -> None:
    if count > MOST_LINES:
        log.warning("events: %d more %s in this batch", count - MOST_LINES, what)


def _event_ids(entry: Entry) -> list[str]:
    try:
        row = orjson.loads(entry.body)
    except orjson.JSONDecodeError:
        return []
    found = row.get(columns.EVENT_ID) if isinstance(row, dict) else None
    return [found[:MOST_CHARACTERS]] if isinstance(found, str) else []
