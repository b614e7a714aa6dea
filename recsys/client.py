"""The service's client: events in, slates out, with retries that count nothing twice.

with RecsysClient("http://127.0.0.1:3000") as shop:
    slate = shop.recommend("900", k=10)
    sent = shop.send([*impressions(slate), click(slate, position=3)])
    slate = shop.recommend("900", k=10, token=sent.token)  # has seen the click
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import orjson
from pydantic import TypeAdapter

from recsys import columns
from recsys.client_events import ad_click as ad_click
from recsys.client_events import ad_impression as ad_impression
from recsys.client_events import click as click
from recsys.client_events import impressions as impressions
from recsys.client_events import search_event as search_event
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
from recsys.events import Event, encode_event
from recsys.funnel.requests import MAX_BATCH
from recsys.funnel.slate import Slate
from recsys.http import BUSY, json_headers, retry_after
from recsys.pages.answer import AdsAnswer, PageAnswer
from recsys.streaming.intake import MAX_ROWS, EventResult
from recsys.streaming.tokens import encode_token, offsets_of

T = TypeVar("T")
MAX_BYTES = 900_000  # of one body; the service takes a million unless told otherwise
LONGEST_PAUSE_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.2
BATCH_PATH = "/v1/recommend:batch"
# Codes of a row's error that pass by themselves.
PASSING = frozenset({"timeout", "store_unavailable", "no_bundle", "bundle_unusable", "bundle_mismatch"})
BATCH_SECONDS = 15.0  # for one answer to a batch; the service takes ten at most unless told otherwise


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
        self._http = httpx.Client(
            base_url=url, headers=json_headers(api_key), timeout=timeout, transport=transport
        )
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
            ConfigError: the API key is missing or wrong, or its role may not send events.
            InvalidEventError: a mapping holds what JSON does not have.
        """
        accepted, first = 0, 0
        refused: list[EventResult] = []
        offsets: list[tuple[int, int]] = []
        for body, count in _bodies(map(_event_json, events), MAX_ROWS):
            answer = self._post("/v1/events", body)
            accepted += answer["accepted"]
            refused += [
                EventResult(first + row["index"], "refused", row["event_id"], row["message"], row.get("code"))
                for row in answer["verdicts"]
                if row["verdict"] == "refused"
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
        return _typed(Slate, self.post("/v1/recommend", body))

    def recommend_batch(self, requests: Iterable[Mapping[str, Any]]) -> list[Slate | RecsysError]:
        """A slate for each of `requests`, in their order; for one that failed its error, which is not raised.

        An error that passes by itself is a StoreUnavailableError, as `recommend` raises it; those rows may be
        asked for again. Many requests are split into as many bodies as it takes.

        Args:
            requests: bodies of the route that `recommend` asks.

        Raises:
            RequestError: a request holds what JSON does not have.
            StoreUnavailableError: the service is away, also after the last retry.
        """
        rows: list[Slate | RecsysError] = []
        each = (_json(row, f"request {place}", RequestError) for place, row in enumerate(requests))
        for body, _ in _bodies(each, MAX_BATCH):
            started = time.monotonic()
            seconds = max(self._timeout, BATCH_SECONDS)
            answer = self._post(BATCH_PATH, b'{"requests":%b}' % body, seconds)
            rows += [self._answered(row, started) for row in answer["responses"]]
        return rows

    def similar(self, item_id: str, k: int = 10, **options: Any) -> Slate:
        """Items that could stand in for one.

        Raises:
            UnknownItemError: the catalog has no such item.
            StoreUnavailableError: as `recommend`.
        """
        body = {"item_id": item_id, "k": k, **options}
        return _typed(Slate, self.post("/v1/similar", body))

    def ads(
        self,
        user_id: str | None = None,
        slots: int = 1,
        *,
        context: Mapping[str, str] | None = None,
        page_token: str | None = None,
        **options: Any,
    ) -> AdsAnswer:
        """Ads for a page that is made elsewhere, to be labelled as sponsored.

        A repeated call may hold money twice, for some minutes; nobody is billed for what was not shown.

        Args:
            context: what the page is about: `query`, `category` or `item_id`.
            page_token: of the answer before, of one visit.
            options: other fields of the route's body, for example `session_id`.

        Raises:
            RequestError: the request does not fit, or the page token is not valid any more.
            StoreUnavailableError: as `recommend`.
        """
        body = {"user_id": user_id, "slots": slots, "context": context or {}, "page_token": page_token}
        return _typed(AdsAnswer, self.post("/v1/ads", {**body, **options}))

    def page(self, user_id: str | None = None, k: int = 20, **options: Any) -> PageAnswer:
        """A page of organic and sponsored items.

        Args:
            options: other fields of the route's body: `query`, `category`, `item_id`, `page_token`, ...

        Raises:
            UnknownItemError, RequestError: the request names what does not exist, or does not fit.
            StoreUnavailableError: as `recommend`.
        """
        body = {"user_id": user_id, "k": k, **options}
        return _typed(PageAnswer, self.post("/v1/page", body))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer of a route as its JSON says it; raises as `recommend`."""
        return self._post(path, orjson.dumps(body))

    def get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        """The answer of a route that is read, as its JSON says it; raises as `recommend`."""
        return self._answer(path, lambda: self._http.get(path, params=parameters), "GET")

    def is_ready(self) -> bool:
        """Whether the service answers and has all that it needs to recommend."""
        try:
            return self._http.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _answered(self, row: JsonObject, started: float) -> Slate | RecsysError:
        """What a row of a batch stands for."""
        if "error" not in row:
            return _typed(Slate, row)
        code, text = _complaint(row)
        if code in PASSING:
            return self._away(BATCH_PATH, started, text)
        kinds = {"unknown_item": UnknownItemError, "invalid_request": RequestError}
        return kinds.get(code, RecsysError)(text)

    def _post(self, path: str, body: bytes, timeout: float | None = None) -> Any:
        seconds = timeout or self._timeout
        return self._answer(path, lambda: self._http.post(path, content=body, timeout=seconds))

    def _answer(self, path: str, call: Callable[[], httpx.Response], method: str = "POST") -> Any:
        """The answer to a call, tried again while what ails the service passes by itself."""
        started = time.monotonic()
        for attempt in range(self._retries + 1):
            pause = FIRST_PAUSE_SECONDS * 2**attempt
            try:
                response = call()
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                failure: RecsysError = self._away(path, started, reason, method)
                failure.__cause__ = error
            else:
                if response.is_success:
                    return orjson.loads(response.content)
                failure = self._failure(path, started, response, method)
                if response.status_code not in BUSY:
                    raise failure
                pause = max(pause, retry_after(response) or 0.0)
            if attempt < self._retries:
                self._sleep(min(pause, LONGEST_PAUSE_SECONDS))
        raise failure

    def _failure(self, path: str, started: float, response: httpx.Response, method: str) -> RecsysError:
        """The error that an answer stands for."""
        code, text = _complaint_of(response)
        status = response.status_code
        if code == "too_many_events":
            return BacklogError(text)
        if status in BUSY:
            return self._away(path, started, text, method)
        kinds = {401: ConfigError, 403: ConfigError, 404: UnknownItemError}
        kind = kinds.get(status, RequestError if status < 500 else RecsysError)
        return kind(text)

    def _away(self, path: str, started: float, reason: str, method: str = "POST") -> StoreUnavailableError:
        return StoreUnavailableError(self._url, f"{method} {path}", time.monotonic() - started, reason)


def _event_json(event: Event | Mapping[str, Any]) -> bytes:
    """The JSON of one event, with an id."""
    if isinstance(event, Event):
        row = encode_event(event)
    else:
        row = {**event, columns.EVENT_ID: event.get(columns.EVENT_ID) or uuid4().hex}
    return _json(row, f"event {row[columns.EVENT_ID]!r}", InvalidEventError)


def _json(row: JsonObject, name: str, kind: type[RecsysError]) -> bytes:
    """The JSON of `row`; raises `kind` where a value is of a type that JSON does not have."""
    try:
        return orjson.dumps(row)
    except TypeError as error:  # orjson's errors are
        remedy = "Use texts, numbers, lists and aware datetimes."
        raise kind(f"{name} cannot be sent: {error}. {remedy}") from error


def _bodies(rows: Iterable[bytes], most: int) -> Iterator[tuple[bytes, int]]:
    """JSON arrays of at most `most` rows and MAX_BYTES bytes, with the number of rows in each."""
    parts: list[bytes] = []
    size = 0
    for row in rows:
        if parts and (len(parts) == most or size + len(row) >= MAX_BYTES):
            yield b"[%b]" % b",".join(parts), len(parts)
            parts, size = [], 0
        parts.append(row)
        size += len(row) + 1
    if parts:
        yield b"[%b]" % b",".join(parts), len(parts)


def _pairs(token: str | None) -> Sequence[tuple[int, int]]:
    parts = [part.split(":") for part in token.split(",")] if token else []
    return [(int(partition), int(offset)) for partition, offset in parts]


def _typed(kind: type[T], answer: Any) -> T:
    """The answer as that dataclass; fields that a newer service has are left out."""
    found: T = _adapter(kind).validate_python(answer)  # type: ignore[arg-type]  # types can be hashed
    return found


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _complaint(answer: JsonObject) -> tuple[str, str]:
    """Code and text of an error in the service's shape."""
    error = answer["error"]
    text = ". ".join(part.rstrip(".") for part in (error["message"], error.get("remedy")) if part)
    return error["code"], f"{text} (request {error['request_id']})."


def _complaint_of(response: httpx.Response) -> tuple[str, str]:
    """Code and text of an answer, also of one that a proxy gave in the service's place."""
    try:
        return _complaint(orjson.loads(response.content))
    except (ValueError, KeyError, TypeError):
        return "", f"status {response.status_code}: {response.text[:200]!r}"
