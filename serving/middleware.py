"""The guard: request ids, the API key, limits and metrics, before any route sees a request."""

import asyncio
import logging
import re
import secrets
import time

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import rejection
from serving.deployment import Deployment
from serving.errors import error_response

log = logging.getLogger("recsys.serving")

REQUEST_ID = "X-Request-ID"
OPEN_PATHS = frozenset({"/", "/livez", "/readyz"})  # no key, no concurrency limit
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def guard(app: ASGIApp, deployment: Deployment) -> ASGIApp:
    """`app` behind the guard, every answer with a request id.

    A request id from the client is kept if it is 1 to 64 letters, digits, dots, dashes or underscores.
    """
    return CorrelationIdMiddleware(
        GuardMiddleware(app, deployment),
        header_name=REQUEST_ID,
        generator=new_request_id,
        validator=None,  # it would log a line for each id that is replaced
        transformer=lambda given: given if _GIVEN_ID.fullmatch(given) else new_request_id(),
    )


def new_request_id() -> str:
    """A random id, 16 hexadecimal digits."""
    return secrets.token_hex(8)


class GuardMiddleware:
    """Checks key and limits before the application sees a request; rejections have the one error shape."""

    def __init__(self, app: ASGIApp, deployment: Deployment) -> None:
        self._app = app
        self._deployment = deployment
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = correlation_id.get() or new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status: int | None = None

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        metrics = self._deployment.metrics
        metrics.in_flight.inc()
        self._active += 1
        try:
            await self._admit(scope, headers, receive, noting, request_id)
        except Exception:
            log.exception("request %s failed", request_id)
            if status is not None:
                raise  # the answer has begun: only the connection can tell
            text = "a fault of the service; its log has the details under the request id"
            await error_response(500, text, request_id)(scope, receive, noting)
        finally:
            self._active -= 1
            metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", None) or "other"
            labels = metrics.requests.labels(_method(scope["method"]), route, str(status))
            labels.observe(time.perf_counter() - started)

    async def _admit(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str
    ) -> None:
        """Rejects the request, or hands it on with the body read and bounded."""
        if scope["path"] in OPEN_PATHS or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        refused = rejection(self._deployment, scope)
        if refused is not None:
            asks = {"WWW-Authenticate": "Bearer"}
            response = error_response(401, refused[0], request_id, remedy=refused[1], headers=asks)
            await response(scope, receive, send)
            return
        limit = self._deployment.settings.max_concurrency
        if self._active > limit:
            message = f"{limit} requests are being answered already"
            await error_response(429, message, request_id, retry=True)(scope, receive, send)
            return
        body = await self._body(scope, headers, receive, send, request_id)
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _body(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str
    ) -> bytes | None:
        """The whole body; None where it was rejected (too large, too slow) or the client is gone."""
        settings = self._deployment.settings
        limit = settings.max_body_bytes
        length = headers.get("Content-Length", "")
        parts: list[bytes] = []
        size = int(length) if length.isdecimal() else 0  # what is announced; a chunked body announces nothing
        read = 0
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                more = size <= limit
                while more and read <= limit:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    read += len(parts[-1])
                    more = message.get("more_body", False)
        except TimeoutError:
            text = f"the body did not arrive within {settings.timeout_seconds:g} s"
            await error_response(408, text, request_id)(scope, receive, send)
            return None
        if max(size, read) > limit:
            text = f"the body is larger than {limit} bytes"
            response = error_response(413, text, request_id, headers={"Connection": "close"})
            await response(scope, receive, send)
            return None
        return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once and then what the client does next."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _method(method: str) -> str:
    return method if method in ("GET", "POST", "OPTIONS", "HEAD") else "other"
