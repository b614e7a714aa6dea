"""The guard: request ids, access keys, limits and metrics, before any route sees a request."""

import logging
import re
import secrets
import time

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.access.roles import Permission
from recsys.errors import OverloadedError
from serving.access.caller import CALLER, caller_of
from serving.bodies import EVENTS_PATH, ClientGoneError, read_body
from serving.deployment import Deployment
from serving.errors import FAULT, error_response
from serving.hosts import check_host, check_origin
from serving.logs import log_request
from serving.overload.arrival import note_arrival
from serving.rejections import Rejection
from serving.routes.documentation import DOCUMENTATION_PATHS

log = logging.getLogger("recsys.serving")

REQUEST_ID = "X-Request-ID"
OPEN_PATHS = frozenset({"/", "/livez", "/readyz", *DOCUMENTATION_PATHS})  # no key, no concurrency limit
ANSWER_PATHS = frozenset(  # of requests that wait for a turn of the deployment's
    {"/v1/recommend", "/v1/similar", "/v1/search", "/v1/suggest", "/v1/ads", "/v1/page"}
)
DETAILS = "details"  # in a request's state: whether the caller may see paths, addresses and remedies
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
        self._names = {
            name.lower() for name in (deployment.settings.host, *deployment.settings.allowed_hosts)
        }
        self._active = 0
        self._turns = {
            **dict.fromkeys(ANSWER_PATHS, deployment.turns),
            EVENTS_PATH: deployment.collector.turns,
        }

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
        try:
            await self._admit(scope, headers, receive, noting)
        except Exception:
            log.exception("request %s failed", request_id)
            if status is not None:
                raise  # the answer has begun: only the connection can tell
            await error_response(500, FAULT, request_id)(scope, receive, noting)
        finally:
            metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", None) or "other"
            method, seconds = _method(scope["method"]), time.perf_counter() - started
            metrics.requests.labels(method, route, str(status)).observe(seconds)
            caller = caller_of(scope)
            log_request(method, route, status, seconds, sent, request_id, caller.key_id if caller else None)

    async def _admit(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Rejects the request, or hands it on with the body read and bounded."""
        gate = self._deployment.gate
        open_to_all = scope["path"] in OPEN_PATHS or scope["method"] == "OPTIONS"
        found = gate.identify(scope, headers) if open_to_all else await gate.admit(scope, headers)
        caller = found.caller
        scope["state"][CALLER] = caller
        scope["state"][DETAILS] = caller is not None and caller.may(Permission.OPERATION)
        rejection = (None if open_to_all else found.rejection) or self._foreign(scope, headers)
        if rejection is None and open_to_all:
            await self._app(scope, receive, send)
            return
        try:
            body = rejection or await read_body(scope["path"], headers, receive, self._deployment.settings)
        except ClientGoneError:
            return
        if isinstance(body, Rejection):
            await body.response(scope["state"]["request_id"])(scope, receive, send)
        else:
            await self._answer(body, scope, receive, send)

    async def _answer(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request on, unless more is asked than can be answered; its whole body is here."""
        if (busy := self._busy(scope)) is not None:
            await busy.response(scope["state"]["request_id"])(scope, receive, send)
            return
        self._active += 1
        try:
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._active -= 1

    def _busy(self, scope: Scope) -> Rejection | None:
        """Why the request should come again later, told before anything of it is parsed."""
        arrived, limit = note_arrival(scope), self._deployment.settings.max_concurrency
        if self._active >= limit:
            return Rejection(429, f"{limit} requests are being answered already", retry=True)
        turns = self._turns.get(scope["path"])
        try:
            if turns is not None:
                turns.check(arrived)
        except OverloadedError as error:
            return Rejection(429, str(error), retry=True)
        return None

    def _foreign(self, scope: Scope, headers: Headers) -> Rejection | None:
        """What tells that the request comes from a page of elsewhere; None if nothing does.

        The host is checked where no key tells who calls, or where the settings name hosts.
        """
        settings = self._deployment.settings
        rejection = None
        if (not self._deployment.gate.asks_for_key and scope["state"][DETAILS]) or settings.allowed_hosts:
            rejection = check_host(headers, scope.get("http_version", "1.1"), self._names)
        return rejection or check_origin(headers, settings.cors_origins)


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
