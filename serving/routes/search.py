"""The routes of search."""

from enum import Enum
from typing import Annotated

from fastapi import Body, FastAPI, Query, Request
from starlette.responses import Response

from recsys.search.suggestions.answer import SuggestRequest
from serving.deployment import Deployment
from serving.openapi import BODY_ERRORS, ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas import examples
from serving.schemas.answers import SearchPageAnswer, SuggestionsAnswer
from serving.schemas.recommendations import Identifier
from serving.schemas.search import SearchBody
from serving.validation import JSON, takes

_TAGS: list[str | Enum] = ["search"]
_HEADERS = headers_of("X-Request-ID")
Typed = Annotated[
    str,
    Query(alias="q", max_length=200, description="what is typed so far", openapi_examples=examples.TYPED),
]
UserId = Annotated[
    Identifier | None,
    Query(description="id of the shop's user, for own queries", openapi_examples=examples.USER_ID),
]
Count = Annotated[
    int, Query(ge=1, le=50, description="of each kind, at most", openapi_examples=examples.COUNT)
]


def add_search(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/search and GET /v1/suggest."""

    @app.post(
        "/v1/search",
        operation_id="search",
        summary="Items for a query",
        response_model=SearchPageAnswer,
        responses=answers(examples.SEARCH_ANSWER, *BODY_ERRORS, 409, 503),
        openapi_extra=_HEADERS,
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def search(
        body: Annotated[SearchBody, Body(openapi_examples=examples.SEARCH)], request: Request
    ) -> Response:
        """Items for what somebody typed, with facets and exact totals; without words, what passes filters.

        `request_id` names this page and `query_id` the search: both go into the `search` event that the
        client sends, and into the impressions and clicks of the page.
        """
        return json_response(await deployment.search(body.to_request(request.state.request_id), body.token))

    @app.get(
        "/v1/suggest",
        operation_id="suggest",
        summary="What to type on",
        response_model=SuggestionsAnswer,
        responses=answers(examples.SUGGESTIONS, *ERRORS, 422, 503),
        openapi_extra=_HEADERS,
        dependencies=[takes()],
        tags=_TAGS,
    )
    async def suggest(
        request: Request, typed: Typed = "", user_id: UserId = None, count: Count = 8
    ) -> Response:
        """Queries that find something, categories and items for what is typed so far; nothing is logged."""
        wanted = SuggestRequest(request.state.request_id, typed, user_id, count=count)
        return json_response(await deployment.suggest(wanted))
