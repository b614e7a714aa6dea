"""The routes that answer with facts: of an item, and of what a user did."""

from enum import Enum
from typing import Annotated

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from serving.deployment import Deployment
from serving.openapi import ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas import examples
from serving.schemas.answers import HistoryAnswer, ItemAnswer
from serving.schemas.recommendations import Identifier
from serving.validation import takes

ItemId = Annotated[Identifier, Path(description="id of the item", openapi_examples=examples.ITEM_ID)]
UserId = Annotated[Identifier, Query(description="id of the shop's user", openapi_examples=examples.USER_ID)]
Count = Annotated[
    int, Query(ge=1, le=50, description="how many actions, at most", openapi_examples=examples.COUNT)
]
_TAGS: list[str | Enum] = ["facts"]
_HEADERS = headers_of("X-Request-ID")


def add_items(app: FastAPI, deployment: Deployment) -> None:
    """Adds GET /v1/items/{item_id} and /v1/history."""

    @app.get(
        "/v1/items/{item_id:path}",
        operation_id="item",
        summary="One item",
        response_model=ItemAnswer,
        responses=answers(examples.ITEM, *ERRORS, 404, 422, 503),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def item(item_id: ItemId) -> Response:
        """What the catalog and the online features say of an item."""
        details = await deployment.run(lambda recommender: recommender.item(item_id))
        return json_response(details)

    @app.get(
        "/v1/history",
        operation_id="history",
        summary="What a user did",
        response_model=HistoryAnswer,
        responses=answers(examples.HISTORY, *ERRORS, 422, 503),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def history(user_id: UserId, count: Count = 20) -> Response:
        """A user's last actions as the service knows them, the latest first; none for an unknown user."""
        now = deployment.now()
        entries = await deployment.run(lambda recommender: recommender.history(user_id, count, now))
        return json_response({"user_id": user_id, "entries": entries})
