"""The routes: checked bodies in, the funnel's slates out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, Response

from recsys import __version__
from recsys.errors import RecsysError
from recsys.funnel.requests import LANGUAGES
from serving.deployment import Deployment
from serving.errors import error_response, response_for
from serving.metrics import CONTENT_TYPE
from serving.middleware import REQUEST_ID, GuardMiddleware
from serving.routes.events import add_events
from serving.schemas.recommendations import (
    ErrorAnswer,
    HealthAnswer,
    HistoryAnswer,
    Identifier,
    ItemAnswer,
    RecommendBody,
    SimilarBody,
    SlateAnswer,
)

PAGE = Path(__file__).parent / "web" / "index.html"
# The page is one file: nothing is loaded from anywhere, and it talks to this service only.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_SOMETIMES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in (
        (400, "The body is not JSON"),
        (401, "The API key is missing or wrong"),
        (404, "No such item"),
        (408, "The body did not arrive in time"),
        (413, "The body is too large"),
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
    _add_recommendations(app, deployment)
    add_events(app, deployment)
    _add_facts(app, deployment)
    _add_operations(app, deployment)
    _add_errors(app)
    _describe_key(app, deployment)
    app.add_middleware(GuardMiddleware, deployment=deployment)
    if deployment.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=deployment.settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", REQUEST_ID],
            expose_headers=[REQUEST_ID, "Retry-After"],
        )
    return app


def _add_recommendations(app: FastAPI, deployment: Deployment) -> None:
    @app.post("/v1/recommend", response_model=SlateAnswer, tags=["recommendations"])
    async def recommend(body: RecommendBody, request: Request) -> Response:
        """Items for a user at a place of the shop. An unknown user is answered by context and popularity."""
        question = body.request(request.state.request_id, _language(request))
        return _json(await deployment.recommend(question, body.token))

    @app.post("/v1/similar", response_model=SlateAnswer, tags=["recommendations"])
    async def similar(body: SimilarBody, request: Request) -> Response:
        """Items that could stand in for one item."""
        question = body.request(request.state.request_id, _language(request))
        return _json(await deployment.similar(question))


def _add_facts(app: FastAPI, deployment: Deployment) -> None:
    @app.get("/v1/items/{item_id:path}", response_model=ItemAnswer, tags=["facts"])
    async def item(item_id: Identifier) -> Response:
        """What the catalog and the online features say of an item."""
        return _json(await deployment.ask(lambda shop: shop.item(item_id)))

    @app.get("/v1/history", response_model=HistoryAnswer, tags=["facts"])
    async def history(user_id: Identifier, count: Annotated[int, Query(ge=1, le=50)] = 20) -> Response:
        """A user's last actions as the service knows them, the latest first; none for an unknown user."""
        entries = await deployment.ask(lambda shop: shop.history(user_id, count, deployment.now()))
        return _json({"user_id": user_id, "entries": entries})


def _add_operations(app: FastAPI, deployment: Deployment) -> None:
    @app.get("/livez", response_model=HealthAnswer, tags=["operations"])
    async def livez() -> Response:
        """Whether the process runs."""
        return _json({"status": "ok", "bundle_id": None})

    @app.get("/readyz", response_model=HealthAnswer, tags=["operations"])
    async def readyz() -> Response:
        """Whether a bundle is in service; 503 says what is missing."""
        return _json(
            {"status": "ok", "bundle_id": deployment.bundles.recommender().bundle.manifest.bundle_id}
        )

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def metrics() -> Response:
        """Prometheus metrics."""
        await deployment.collection.observe()
        return Response(deployment.metrics.text(), media_type=CONTENT_TYPE)

    page = PAGE.read_text("utf-8")

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RecsysError)
    async def known(request: Request, error: RecsysError) -> Response:
        answer = response_for(error)
        return _error(request)(answer.status, str(error), code=answer.code, retry=answer.retry)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            reason = first.get("ctx", {}).get("error", "malformed")
            return _error(request)(400, f"the body is not JSON: {reason} at character {first['loc'][-1]}")
        return _error(request)(422, _complaint(first))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
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


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


def _language(request: Request) -> str:
    """The first language of Accept-Language that reasons are written in, else English."""
    for part in request.headers.get("Accept-Language", "").split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"


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
