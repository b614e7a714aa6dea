"""The running service as simulated clients reach it: slates and events over HTTP."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from recsys.documents import JsonObject
from recsys.errors import RequestError, StoreUnavailableError
from recsys.http import BUSY, json_headers, retry_after
from recsys.simulation.searches import Question, SearchPage

_TRIES = 20
_SHORTEST_WAIT, _WAIT, _LONGEST_WAIT = 0.05, 1.0, 5.0  # seconds before the next try


@dataclass(frozen=True)
class Answer:
    """A slate.

    Attributes:
        p_click: beside each item, the service's own probability; None where it gives none.
        degraded: what the service says is not as it should be.
    """

    request_id: str
    item_ids: tuple[str, ...]
    p_click: tuple[float | None, ...]
    degraded: tuple[str, ...]


@dataclass(frozen=True)
class Receipt:
    """What became of a batch of events; `token` for the next request, `problem` of the first rejection."""

    accepted: int
    refused: int
    token: str | None
    problem: str | None


class HttpService:
    """A service at an address; an async context manager.

    Attributes:
        retries: answers so far that said to come again later.
    """

    def __init__(
        self, url: str, api_key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(
            base_url=url, headers=json_headers(api_key), limits=limits, timeout=10, transport=transport
        )
        self.retries = 0

    async def __aenter__(self) -> "HttpService":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def recommend(
        self, user_id: str, size: int, category: str | None = None, token: str | None = None
    ) -> Answer:
        """A slate for a user, of a category that was searched for or of the whole shop.

        Args:
            token: of the user's latest events, which the slate is to know.

        Raises:
            RequestError: the service rejected the request.
            StoreUnavailableError: it cannot be reached, or stays busy.
        """
        body: dict[str, Any] = {"user_id": user_id, "k": size}
        body |= {"context_category": category} if category else {}
        body |= {"token": token} if token else {}
        slate = await self._post("/v1/recommend", body)
        return Answer(
            request_id=slate["request_id"],
            item_ids=tuple(item["item_id"] for item in slate["items"]),
            p_click=tuple(item["p_click"] for item in slate["items"]),
            degraded=tuple(slate["degraded"]),
        )

    async def search(self, question: Question) -> SearchPage:
        """A page of results.

        Raises:
            RequestError: the service rejected the request.
            StoreUnavailableError: it cannot be reached, or stays busy.
        """
        body: dict[str, Any] = {
            "query": question.query,
            "user_id": question.user_id,
            "session_id": question.session_id,
            "k": question.size,
        }
        body |= {"filters": question.filters} if question.filters else {}
        body |= {"cursor": question.cursor} if question.cursor else {}
        body |= {"token": question.token} if question.token else {}
        page = await self._post("/v1/search", body)
        return SearchPage(
            request_id=page["request_id"],
            query_id=page["query_id"],
            item_ids=tuple(item["item_id"] for item in (*page["items"], *page["relaxed"])),
            total=page["total"],
            cursor=page["cursor"],
            degraded=tuple(page["degraded"]),
        )

    async def suggest(self, typed: str, user_id: str) -> tuple[str, ...]:
        """Queries to type on; see `search`."""
        path = f"/v1/suggest?{urlencode({'q': typed, 'user_id': user_id})}"
        found = await self._ask("GET", path)
        return tuple(each["query"] for each in found["queries"])

    async def send(self, rows: Sequence[JsonObject]) -> Receipt:
        """Reports events, again and again while the service is busy: their ids make that harmless.

        Raises:
            RequestError: the service rejected the batch.
            StoreUnavailableError: it cannot be reached, or stays busy.
        """
        answer = await self._post("/v1/events", list(rows))
        problems = [row["message"] for row in answer["verdicts"] if row["verdict"] == "refused"]
        return Receipt(
            answer["accepted"], answer["refused"], answer["token"], problems[0] if problems else None
        )

    async def _post(self, path: str, body: Any) -> Any:
        return await self._ask("POST", path, orjson.dumps(body))

    async def _ask(self, method: str, path: str, content: bytes | None = None) -> Any:
        began = time.monotonic()
        for _ in range(_TRIES):
            try:
                response = await self._client.request(method, path, content=content)
            except httpx.HTTPError as error:
                raise StoreUnavailableError(
                    "service",
                    f"{path} ({type(error).__name__})",
                    time.monotonic() - began,
                    "Is `bentoml serve` running at this --url?",
                ) from error
            if response.status_code not in BUSY:
                return _document(path, response)
            self.retries += 1
            asked = retry_after(response)
            await asyncio.sleep(min(_WAIT if asked is None else max(asked, _SHORTEST_WAIT), _LONGEST_WAIT))
        raise StoreUnavailableError("service", path, time.monotonic() - began, "It stayed busy.")


def _document(path: str, response: httpx.Response) -> Any:
    if response.status_code != 200:
        raise RequestError(f"{path} answered {response.status_code}: {response.text[:300]}")
    return response.json()
