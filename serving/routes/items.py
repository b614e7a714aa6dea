"""The routes that answer with facts: of an item, and of what a user did."""

from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from serving.deployment import Deployment
from serving.responses import json_response
from serving.schemas.answers import HistoryAnswer, ItemAnswer
from serving.schemas.recommendations import Identifier


def add_items(app: FastAPI, deployment: Deployment) -> None:
    """Adds GET /v1/items/{item_id} and /v1/history."""

    @app.get("/v1/items/{item_id:path}", response_model=ItemAnswer, tags=["facts"])
    async def item(item_id: Identifier) -> Response:
        """What the catalog and the online features say of an item."""
        details = await deployment.run(lambda recommender: recommender.item(item_id))
        return json_response(details)

    @app.get("/v1/history", response_model=HistoryAnswer, tags=["facts"])
    async def history(user_id: Identifier, count: Annotated[int, Query(ge=1, le=50)] = 20) -> Response:
        """A user's last actions as the service knows them, the latest first; none for an unknown user."""
        now = deployment.now()
        entries = await deployment.run(lambda recommender: recommender.history(user_id, count, now))
        return json_response({"user_id": user_id, "entries": entries})
