"""The route that collects events."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from recsys import columns
from recsys.access.roles import Permission
from serving.access.caller import caller_of
from serving.deployment import Deployment
from serving.events.origins import sender_of
from serving.openapi import BODY_ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas.answers import CollectedAnswer
from serving.schemas.events import request_body
from serving.schemas.examples import COLLECTED
from serving.validation import JSON, NDJSON, media_type_of, takes

CATALOG_KINDS = frozenset({columns.ITEM_UPSERT, columns.USER_UPSERT})  # need the permission CATALOG


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

        An event that is sent again under its `event_id` counts once. `item_upsert` and `user_upsert` need a
        key of the role operator; with another they are refused, with the code `forbidden`. The token makes
        /v1/recommend wait until these events are visible.
        """
        lines = media_type_of(request.headers["Content-Type"]) == NDJSON
        caller = caller_of(request.scope)
        forbidden = () if caller is not None and caller.may(Permission.CATALOG) else CATALOG_KINDS
        collected = await deployment.collector.collect(
            await request.body(), lines, request.state.request_id, forbidden, sender_of(request)
        )
        return json_response(collected)
