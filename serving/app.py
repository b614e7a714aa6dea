"""The application: its routes, its guard, and how it tells errors."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from recsys import __version__
from recsys.errors import RecsysError
from serving.deployment import Deployment
from serving.errors import error_response, response_for
from serving.middleware import REQUEST_ID, guard
from serving.routes.events import add_events
from serving.routes.items import add_items
from serving.routes.operations import add_operations
from serving.routes.recommendations import add_recommendations
from serving.schemas.answers import ErrorAnswer

_SOMETIMES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in (
        (400, "The body is not JSON"),
        (401, "The API key is missing or wrong"),
        (403, "The page that calls is of an origin that is not in serving.cors_origins"),
        (404, "No such item"),
        (408, "The body did not arrive in time"),
        (413, "The body is too large"),
        (421, "The service does not answer under this name; see serving.allowed_hosts"),
        (422, "A field does not fit; the message names it and its value"),
        (429, "Too many requests at a time, or too many events wait; see Retry-After"),
        (500, "A fault of the service"),
        (503, "No bundle in production, the event stream is away, or too slow; see Retry-After"),
    )
}


def create_app(deployment: Deployment) -> FastAPI:
    """The application that answers from `deployment`."""
    app = FastAPI(
        title="recsys",
        version=__version__,
        summary="Recommendations of one shop",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        responses=_SOMETIMES,
    )
    app.state.deployment = deployment
    add_recommendations(app, deployment)
    add_events(app, deployment)
    add_items(app, deployment)
    add_operations(app, deployment)
    _add_errors(app)
    _describe_key(app, deployment)
    app.add_middleware(guard, deployment=deployment)
    if deployment.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=deployment.settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID],
            expose_headers=[REQUEST_ID, "Retry-After"],
        )
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RecsysError)
    async def known(request: Request, error: RecsysError) -> Response:
        answer = response_for(error)
        # Messages name paths, addresses and hashes. Health is open to all, what it found is not.
        details = request.state.details
        message = str(error) if details else "the service cannot answer this"
        remedy = None if details else "Ask with the API key to see why."
        return _error(request)(answer.status, message, code=answer.code, remedy=remedy, retry=answer.retry)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            reason = first.get("ctx", {}).get("error", "malformed")
            return _error(request)(400, f"the body is not JSON: {reason} at character {first['loc'][-1]}")
        return _error(request)(422, _complaint(first))

    @app.exception_handler(HTTPException)
    async def rejected(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return _error(request)(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(TimeoutError)
    async def late(request: Request, error: TimeoutError) -> Response:
        return _error(request)(503, "the answer took too long", code="timeout", retry=True)


def _error(request: Request) -> Callable[..., Response]:
    def respond(status: int, message: str, **details: Any) -> Response:
        return error_response(status, message, request.state.request_id, **details)

    return partial(respond)


def _complaint(error: dict[str, Any]) -> str:
    """`filters.price_min_micros: Input should be ... (got -1)`."""
    place = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    given = "" if error["type"] == "missing" else f" (got {ascii(error.get('input'))[:100]})"
    return f"{'.'.join(place) or 'body'}: {error['msg']}{given}"


def _describe_key(app: FastAPI, deployment: Deployment) -> None:
    """Tells OpenAPI how to send the key, where one is asked for."""
    if deployment.api_key is None:
        return
    describe = app.openapi

    def with_key() -> dict[str, Any]:
        document = describe()
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["key"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        document["security"] = [{"key": []}]
        return document

    app.openapi = with_key  # type: ignore[method-assign]
