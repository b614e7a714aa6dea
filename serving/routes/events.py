"""The route that collects events."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from serving.deployment import Deployment
from serving.openapi import BODY_ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas.answers import CollectedAnswer
from serving.schemas.events import request_body
from serving.schemas.examples import COLLECTED
from serving.validation import JSON, NDJSON, media_type_of, takes


def add_events(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/events."""

    @app.post(
        "/v1/events",
        operation_id="send_events",
        summary="What happened in the shop",
        response_model=CollectedAnswer,
        responses=answers(COLLECTED, *BODY_ERRORS, 503),
        openapi_extra={"requestBody": request_body(), **headers_of("X-Request-ID")},
        dependencies=[takes(JSON, NDJSON)],
        tags=["events"],
    )
    async def events(request: Request) -> Response:
        """Takes one event or up to 1,000; each is accepted or refused by itself, and accepted means durable.

        An event that is sent again under its `event_id` counts once. The token makes /v1/recommend wait
        until these events are visible.
        """
        lines = media_type_of(request.headers["Content-Type"]) == NDJSON
        collected = await deployment.collector.collect(await request.body(), lines, request.state.request_id)
        return json_response(collected)
