"""The route that collects events."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from serving.deployment import Deployment
from serving.responses import json_response
from serving.schemas.answers import CollectedAnswer
from serving.schemas.events import NDJSON, request_body


def add_events(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/events."""

    @app.post(
        "/v1/events",
        response_model=CollectedAnswer,
        tags=["events"],
        openapi_extra={"requestBody": request_body()},
    )
    async def events(request: Request) -> Response:
        """Takes one event or up to 1,000; each is accepted or refused by itself, and accepted means durable.

        An event that is sent again under its `event_id` counts once. The token makes /v1/recommend wait
        until these events are visible.
        """
        lines = request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == NDJSON
        collected = await deployment.collector.collect(await request.body(), lines, request.state.request_id)
        return json_response(collected)
