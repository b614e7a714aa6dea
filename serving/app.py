"""The application: its routes, its guard, and how it tells errors."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from recsys import __version__
from recsys.errors import RecsysError
from serving.batch import BatchRecommender
from serving.deployment import Deployment
from serving.errors import Failure, RejectedError, error_response, failure_of
from serving.middleware import REQUEST_ID, guard
from serving.openapi import DESCRIPTION, TAGS, describe
from serving.routes.ads import add_ads
from serving.routes.advertising import add_advertising
from serving.routes.documentation import add_documentation
from serving.routes.events import add_events
from serving.routes.items import add_items
from serving.routes.merchandising import add_merchandising
from serving.routes.operations import add_operations
from serving.routes.recommendations import add_batches, add_recommendations
from serving.routes.search import add_search
from serving.validation import body_model, invalid_fields


def create_app(deployment: Deployment) -> FastAPI:
    """The application that answers from `deployment`."""
    app = FastAPI(
        title="recsys",
        version=__version__,
        summary="Recommendations of one shop, and the events that they learn from",
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=TAGS,
        servers=[{"url": "/", "description": "this service"}],
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.deployment = deployment
    add_recommendations(app, deployment)
    add_batches(app, BatchRecommender(deployment))
    add_events(app, deployment)
    add_search(app, deployment)
    add_ads(app, deployment)
    add_items(app, deployment)
    add_merchandising(app, deployment)
    add_advertising(app, deployment)
    add_operations(app, deployment)
    add_documentation(app)
    _add_errors(app)
    describe(app, lambda: deployment.gate.asks_for_key)
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
    async def known(request: Request, error: Exception) -> Response:
        return _answer(request, failure_of(error))

    for kind in (RecsysError, RejectedError, TimeoutError):
        app.add_exception_handler(kind, known)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        first = problems[0]
        if first["type"] == "json_invalid":
            reason = first.get("ctx", {}).get("error", "malformed")
            message = f"the body is not JSON: {reason} at character {first['loc'][-1]}"
            return error_response(400, message, request.state.request_id)
        within = [{**each, "loc": each["loc"][1:]} for each in problems]  # without body, query or path
        return _answer(request, invalid_fields(within, body_model(request)))

    @app.exception_handler(HTTPException)
    async def rejected(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return error_response(error.status_code, str(error.detail), request.state.request_id, headers=headers)


def _answer(request: Request, failure: Failure) -> Response:
    details: dict[str, Any] = {"code": failure.code, "remedy": failure.remedy, "retry": failure.retry}
    return error_response(failure.status, failure.message, request.state.request_id, **details)
