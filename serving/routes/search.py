"""The routes of search."""

from enum import Enum
from typing import Annotated

from fastapi import Body, FastAPI, Request
from starlette.responses import Response

from serving.deployment import Deployment
from serving.openapi import BODY_ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas import examples
from serving.schemas.answers import SearchAnswerBody
from serving.schemas.search import SearchBody
from serving.validation import JSON, takes

_TAGS: list[str | Enum] = ["search"]
_HEADERS = headers_of("X-Request-ID")


def add_search(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/search."""

    @app.post(
        "/v1/search",
        operation_id="search",
        summary="Items for a query",
        response_model=SearchAnswerBody,
        responses=answers(examples.SEARCH_ANSWER, *BODY_ERRORS, 409, 503),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def search(
        body: Annotated[SearchBody, Body(openapi_examples=examples.SEARCH)], request: Request
    ) -> Response:
        """Items for what somebody typed, with facets and exact totals; without words, what passes the filters.

        `request_id` names this page and `query_id` the search: both go into the `search` event that the client
        sends, and into the impressions and clicks of the page.
        """
        return json_response(await deployment.search(body.to_request(request.state.request_id), body.token))
