"""What clients send as events: rows out of a body, a result for each, and what goes into which partition."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from recsys import columns
from recsys.errors import InvalidEventError, MalformedBodyError, RequestError
from recsys.events import Event, UserEvent, encode_event, parse_event
from recsys.identifiers import MOST_CHARACTERS
from recsys.ingest.cleaning.rules import CleaningRules
from recsys.json_bounds import json_problem
from recsys.streaming.stream import partition_of

MAX_ROWS = 1000
GENERATED = "the row had no event_id and was given one: sent again it counts twice. Send your own."
FORBIDDEN = "may not be sent with this key: it writes the catalog. Use a key of the role operator."

Row = tuple[int, bytes]  # partition and body


@dataclass(frozen=True)
class EventResult:
    """What became of a row that was refused, or accepted under an id that we made."""

    index: int = field(metadata={"description": "place in the body, from 0; blank lines do not count"})
    verdict: Literal["refused", "generated"] = field(
        metadata={"description": "refused, or accepted under an id that the service made"}
    )
    event_id: str | None = field(metadata={"description": "of the row; null where a refused row had none"})
    message: str = field(metadata={"description": "of a refused row the field, its value and the remedy"})
    code: Literal["invalid_event", "forbidden"] | None = field(
        default=None,
        metadata={"description": "of a refused row: cannot be understood, or the key may not send its kind"},
    )


@dataclass(frozen=True)
class Intake:
    """What became of a whole body.

    Attributes:
        rows: of the accepted events, in their order. refused: how many rows were.
        verdicts: at most one a row, in their order; a row without one was accepted as it was.
    """

    rows: tuple[Row, ...]
    refused: int
    verdicts: tuple[EventResult, ...]


@dataclass(frozen=True)
class _NotJson:
    """A line that cannot be read."""

    problem: str


def read_rows(body: bytes, lines: bool) -> list[Any]:
    """The rows of `body`, at most MAX_ROWS: one object, an array, or with `lines` one JSON value a line.

    Raises:
        MalformedBodyError: it is not JSON.
        RequestError: it is JSON of another shape, or has too many rows.
    """
    if lines:
        rows = [_line(line) for line in body.split(b"\n") if line.strip()]
    else:
        try:
            found = _loads(body)
        except ValueError as error:
            raise MalformedBodyError(
                f"the body is not JSON: {error}. Events as one JSON value a line need "
                "`Content-Type: application/x-ndjson`."
            ) from error
        rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise RequestError(f"the body is {_shown(rows)}. Send an event, an array of events, or a line each.")
    if len(rows) > MAX_ROWS:
        raise RequestError(f"the body has {len(rows)} events; {MAX_ROWS} are taken at a time. Split it.")
    return rows


def accept_rows(
    rows: Sequence[Any],
    partitions: int,
    rules: CleaningRules,
    now: datetime,
    new_id: Callable[[], str],
    forbidden_kinds: Collection[str] = (),
) -> Intake:
    """Accepts or rejects each of `rows`.

    A row without `at` happened `now`; one without `event_id` gets a new one and a result that says so.

    Args:
        partitions: of users; upserts go to the one behind them.
        rules: say how far ahead of `now` a clock may be, and what is too old to be true.
        forbidden_kinds: that the sender may not send; such rows are refused with the code `forbidden`.
    """
    accepted: list[Row] = []
    verdicts: list[EventResult] = []
    refused = 0
    for index, row in enumerate(rows):
        try:
            event, generated = _event(row, now, new_id)
            _check_clock(event.at, rules, now)
        except InvalidEventError as error:
            refused += 1
            verdicts.append(EventResult(index, "refused", _id_of(row), str(error), "invalid_event"))
            continue
        if event.kind in forbidden_kinds:
            refused += 1
            message = f"kind {event.kind!r} {FORBIDDEN}"
            verdicts.append(EventResult(index, "refused", _id_of(row), message, "forbidden"))
            continue
        accepted.append((_partition(event, partitions), orjson.dumps(encode_event(event))))
        if generated:
            verdicts.append(EventResult(index, "generated", event.event_id, GENERATED))
    return Intake(tuple(accepted), refused, tuple(verdicts))


def _event(row: Any, now: datetime, new_id: Callable[[], str]) -> tuple[Event, bool]:
    """The event, and whether its id is new."""
    if isinstance(row, _NotJson):
        raise InvalidEventError(f"the line is not JSON: {row.problem}. Write one object a line.")
    if not isinstance(row, dict):
        raise InvalidEventError(f"an event is an object (got {_shown(row)}).")
    given = row.get(columns.EVENT_ID)
    generated = given is None or (isinstance(given, str) and not given.strip())
    if generated:
        row = {**row, columns.EVENT_ID: new_id()}
    if row.get(columns.AT) is None:
        row = {**row, columns.AT: now}
    return parse_event(row), generated


def _check_clock(at: datetime, rules: CleaningRules, now: datetime) -> None:
    """Rejects what cleaning would reject later, when the client can no longer be told."""
    if at - now > timedelta(seconds=rules.future_tolerance_seconds):
        ahead = (at - now).total_seconds()
        raise InvalidEventError(
            f"at {at.isoformat()} is {ahead:.0f} s ahead of the service's clock. Set the clock of the "
            "client, or leave `at` out: then it is the instant at which the event arrives."
        )
    if at < rules.earliest:
        raise InvalidEventError(
            f"at {at.isoformat()} is before {rules.earliest.isoformat()}, which cannot be true. "
            "Write for example 2026-01-31T12:00:00Z."
        )


def _partition(event: Event, partitions: int) -> int:
    return partition_of(event.user_id, partitions) if isinstance(event, UserEvent) else partitions


def _line(line: bytes) -> Any:
    try:
        return _loads(line)
    except ValueError as error:
        return _NotJson(str(error))


def _loads(text: bytes) -> Any:
    """The value of a JSON text; ValueError where it is none, or not one to be parsed."""
    problem = json_problem(text)
    if problem is not None:
        raise ValueError(f"it {problem}")
    return orjson.loads(text)


def _id_of(row: Any) -> str | None:
    found = row.get(columns.EVENT_ID) if isinstance(row, dict) else None
    return found[:MOST_CHARACTERS] if isinstance(found, str) else None


def _shown(value: Any) -> str:
    return ascii(value)[:100]
