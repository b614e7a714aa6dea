"""The service's client: events in, slates out, with retries that count nothing twice.

with RecsysClient("http://127.0.0.1:3000") as shop:
    slate = shop.recommend("household-1", k=10)
    sent = shop.send([*impressions(slate), click(slate, position=3)])
    slate = shop.recommend("household-1", k=10, token=sent.token)  # has seen the click
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx
import orjson
from pydantic import TypeAdapter

from recsys import columns
from recsys.documents import JsonObject
from recsys.errors import (
    BacklogError,
    ConfigError,
    InvalidEventError,
    RecsysError,
    RequestError,
    StoreUnavailableError,
    UnknownItemError,
)
from recsys.events import Click, Event, Impression, encode_event
from recsys.funnel.slate import Slate
from recsys.streaming.intake import MAX_ROWS, EventResult
from recsys.streaming.tokens import encode_token, offsets_of

MAX_BYTES = 900_000  # of one body; the service takes a million unless told otherwise
LONGEST_PAUSE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.2
_PASSING = (429, 503)  # what passes by itself


@dataclass(frozen=True)
class Sent:
    """What became of events.

    Attributes:
        token: for `recommend`; None where nothing was accepted.
        refused: results of those that were not; `index` is the place among what was sent.
    """

    accepted: int
    refused: tuple[EventResult, ...]
    token: str | None


class RecsysClient:
    """Talks to one service over kept connections; safe to share between threads.

    What passes by itself (too much at a time, a store or the network away) is tried again, as late as the
    service asks. That is harmless for events as well: each has an id, and one id counts once.

    Args:
        timeout: seconds for one answer. retries: how often a call is repeated at most.
        transport: takes the place of the network. sleep: waits that many seconds.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:3000",
        api_key: str | None = None,
        timeout: float = 5.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"X-API-Key": api_key} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)
        self._url = url
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep

    def __enter__(self) -> "RecsysClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def send(self, events: Iterable[Event | Mapping[str, Any]]) -> Sent:
        """Sends events, as many bodies as it takes; what was accepted is durable.

        A mapping without an `event_id` gets one here, so that a retry does not count twice.

        Raises:
            BacklogError: too many events wait, also after the last retry.
            StoreUnavailableError: the service or its stream is away, also after the last retry. Bodies before
                the failed one are accepted; all may be sent again with the same ids.
            ConfigError: the API key is missing or wrong.
            InvalidEventError: a mapping holds what JSON does not have.
        """
        accepted, first = 0, 0
        refused: list[EventResult] = []
        offsets: list[tuple[int, int]] = []
        for body, count in _bodies(_row(event) for event in events):
            answer = self._post("/v1/events", body)
            accepted += answer["accepted"]
            refused += [
                EventResult(first + verdict["index"], "refused", verdict["event_id"], verdict["message"])
                for verdict in answer["verdicts"]
                if verdict["verdict"] == "refused"
            ]
            offsets += _pairs(answer["token"])
            first += count
        return Sent(accepted, tuple(refused), encode_token(offsets_of(offsets)) or None)

    def recommend(
        self, user_id: str | None = None, k: int = 10, *, token: str | None = None, **options: Any
    ) -> Slate:
        """A slate for one user.

        Args:
            token: of `send`; the answer waits for those events, or says in `degraded` that it lacks them.
            options: other fields of the route's body, for example `context_item_id` or `filters`.

        Raises:
            UnknownItemError, RequestError: the request names what does not exist, or does not fit.
            StoreUnavailableError: the service is away, or without a bundle, also after the last retry.
        """
        body = {"user_id": user_id, "k": k, "token": token, **options}
        return _slates().validate_python(self._post("/v1/recommend", orjson.dumps(body)))

    def similar(self, item_id: str, k: int = 10, **options: Any) -> Slate:
        """Items that could stand in for one.

        Raises:
            UnknownItemError: the catalog has no such item.
            StoreUnavailableError: as `recommend`.
        """
        body = {"item_id": item_id, "k": k, **options}
        return _slates().validate_python(self._post("/v1/similar", orjson.dumps(body)))

    def _post(self, path: str, body: bytes) -> Any:
        started = time.monotonic()
        for attempt in range(self._retries + 1):
            pause = FIRST_PAUSE_SECONDS * 2**attempt
            try:
                response = self._http.post(path, content=body, headers={"Content-Type": "application/json"})
            except httpx.TransportError as error:
                failure: RecsysError = self._away(path, started, f"{type(error).__name__}: {error}")
                failure.__cause__ = error
            else:
                if response.is_success:
                    return orjson.loads(response.content)
                failure = self._failure(path, started, response)
                if response.status_code not in _PASSING:
                    raise failure
                pause = max(pause, _retry_after(response))
            if attempt < self._retries:
                self._sleep(min(pause, LONGEST_PAUSE_SECONDS))
        raise failure

    def _failure(self, path: str, started: float, response: httpx.Response) -> RecsysError:
        """The error that an answer stands for."""
        code, text = _complaint(response)
        status = response.status_code
        if code == "too_many_events":
            return BacklogError(text)
        if status in _PASSING:
            return self._away(path, started, text)
        kinds = {401: ConfigError, 404: UnknownItemError}
        kind = kinds.get(status, RequestError if status < 500 else RecsysError)
        return kind(text)

    def _away(self, path: str, started: float, reason: str) -> StoreUnavailableError:
        return StoreUnavailableError(self._url, f"POST {path}", time.monotonic() - started, reason)


def impressions(slate: Slate, user_id: str | None = None, at: datetime | None = None) -> list[Impression]:
    """What a client reports once a slate was shown: each item, at its position.

    Their ids follow from the slate: reported twice they count once.

    Args:
        user_id: who saw it; needed for the slate of a visitor.
        at: when; default: now.

    Raises:
        RequestError: no user is known to have seen it.
    """
    when = at or datetime.now(UTC)
    shown = f"{slate.request_id}-{slate.at.timestamp():.6f}"
    return [
        Impression(
            event_id=f"impression-{shown}-{item.position}",
            at=when,
            user_id=_user_of(slate, user_id),
            request_id=slate.request_id,
            item_id=item.item_id,
            position=item.position,
        )
        for item in slate.items
    ]


def click(slate: Slate, position: int, user_id: str | None = None, at: datetime | None = None) -> Click:
    """The click on the item at `position` (from 1) of `slate`.

    Args:
        user_id, at: as of `impressions`.

    Raises:
        RequestError: the slate has no such position, or no user is known to have seen it.
    """
    item = next((item for item in slate.items if item.position == position), None)
    if item is None:
        raise RequestError(
            f"position {position} is not on the slate. It has {len(slate.items)} items, from 1."
        )
    return Click(
        event_id=uuid4().hex,
        at=at or datetime.now(UTC),
        user_id=_user_of(slate, user_id),
        request_id=slate.request_id,
        item_id=item.item_id,
        position=position,
    )


def _user_of(slate: Slate, user_id: str | None) -> str:
    found = user_id or slate.user_id
    if found is None:
        raise RequestError("the slate was made for a visitor. Say by `user_id` who saw it.")
    return found


def _row(event: Event | Mapping[str, Any]) -> JsonObject:
    if isinstance(event, Event):
        return encode_event(event)
    return {**event, columns.EVENT_ID: event.get(columns.EVENT_ID) or uuid4().hex}


def _bodies(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[bytes, int]]:
    """JSON arrays of at most MAX_ROWS rows and MAX_BYTES bytes, with the number of rows in each.

    Raises:
        InvalidEventError: a value is of a type that JSON does not have.
    """
    parts: list[bytes] = []
    size = 0
    for row in rows:
        try:
            part = orjson.dumps(row)
        except TypeError as error:  # orjson's errors are
            problem = f"event {row.get(columns.EVENT_ID)!r} cannot be sent: {error}"
            raise InvalidEventError(f"{problem}. Use texts, numbers, lists and aware datetimes.") from error
        if parts and (len(parts) == MAX_ROWS or size + len(part) >= MAX_BYTES):
            yield b"[%b]" % b",".join(parts), len(parts)
            parts, size = [], 0
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield b"[%b]" % b",".join(parts), len(parts)


def _pairs(token: str | None) -> Sequence[tuple[int, int]]:
    parts = [part.split(":") for part in token.split(",")] if token else []
    return [(int(partition), int(offset)) for partition, offset in parts]


@cache
def _slates() -> TypeAdapter[Slate]:
    """Makes slates of answers; fields that a newer service has are left out."""
    return TypeAdapter(Slate)


def _retry_after(response: httpx.Response) -> float:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isdecimal() else 0.0


def _complaint(response: httpx.Response) -> tuple[str, str]:
    """Code and text of an answer, also of one that a proxy gave in the service's place."""
    try:
        error = orjson.loads(response.content)["error"]
        text = ". ".join(part.rstrip(".") for part in (error["message"], error.get("remedy")) if part)
        return error["code"], f"{text} (request {error['request_id']})."
    except (ValueError, KeyError, TypeError):
        return "", f"status {response.status_code}: {response.text[:200]!r}"
