"""The guard: request ids, the API key, limits and metrics, before any route sees a request."""

import asyncio
import logging
import re
import secrets
import time

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.addresses import is_loopback
from serving.deployment import Deployment
from serving.errors import error_response
from serving.logs import log_request

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
        sent = 0

        async def noting(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
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
            method, seconds = _method(scope["method"]), time.perf_counter() - started
            metrics.requests.labels(method, route, str(status)).observe(seconds)
            log_request(method, route, status, seconds, sent, request_id)

    async def _admit(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str
    ) -> None:
        """Rejects the request, or hands it on with the body read and bounded."""
        if scope["path"] in OPEN_PATHS or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        rejection = self._unauthorised(scope, headers)
        if rejection is not None:
            asks = {"WWW-Authenticate": "Bearer"}
            response = error_response(401, rejection[0], request_id, remedy=rejection[1], headers=asks)
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

    def _unauthorised(self, scope: Scope, headers: Headers) -> tuple[str, str] | None:
        """What is wrong with the caller's key and the remedy; None if nothing is."""
        deployment = self._deployment
        if deployment.api_key is None:
            server = scope.get("server")  # (host, port); a Unix socket has no port
            if server is None or server[1] is None or is_loopback(server[0]) or server[0] == "testserver":
                return None
            return "the service has no API key and answers this machine only", "Set RECSYS_API_KEY."
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        given = headers.get("X-API-Key") or (token.strip() if scheme.lower() == "bearer" else None)
        if deployment.accepts_key(given):
            return None
        problem = "the API key is wrong" if given else "an API key is needed"
        return problem, "Send it as X-API-Key, or as Authorization: Bearer."

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
