"""The routes that answer with ads and with pages."""

from enum import Enum
from typing import Annotated

from fastapi import Body, FastAPI, Request
from starlette.responses import Response

from recsys.access.roles import Permission, roles_with
from serving.access.caller import caller_of
from serving.deployment import Deployment
from serving.errors import FORBIDDEN, Failure, RejectedError
from serving.openapi import BODY_ERRORS, answers, headers_of
from serving.responses import json_response
from serving.routes.recommendations import accepted_language
from serving.schemas import ads as schemas
from serving.validation import JSON, takes

_TAGS: list[str | Enum] = ["ads"]


def add_ads(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/ads and /v1/page."""

    @app.post(
        "/v1/ads",
        operation_id="ads",
        summary="Ads for a place of the shop",
        response_model=schemas.AdsAnswerModel,
        responses=answers(schemas.ADS_EXAMPLE, *BODY_ERRORS, 409, 503),
        openapi_extra=headers_of("X-Request-ID"),
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def ads(
        body: Annotated[schemas.AdsBody, Body(openapi_examples=schemas.ADS)], request: Request
    ) -> Response:
        """Ads that won an auction, the best first, for a page that the client makes: label each as sponsored.

        The token of an ad goes into the events about it. What was shown is logged before the answer leaves;
        ads that the client does not show cost nothing, as only what is viewed or clicked is billed.
        """
        wanted = body.to_request(request.state.request_id)
        if wanted.explain:
            _check_may_explain(request)
        return json_response(await deployment.ads.ads(wanted))

    @app.post(
        "/v1/page",
        operation_id="page",
        summary="A page of organic and sponsored items",
        response_model=schemas.PageAnswerModel,
        responses=answers(schemas.PAGE_EXAMPLE, *BODY_ERRORS, 404, 409, 503),
        openapi_extra=headers_of("X-Request-ID", "Accept-Language"),
        dependencies=[takes(JSON)],
        tags=_TAGS,
    )
    async def page(
        body: Annotated[schemas.PageBody, Body(openapi_examples=schemas.PAGE)], request: Request
    ) -> Response:
        """The page that is worth most by the shop's rules; ads that are late do not hold it up.

        `page_token` makes the next page go on behind this one: nothing is shown twice.
        """
        wanted = body.to_request(request.state.request_id, accepted_language(request))
        return json_response(await deployment.ads.page(wanted))


def _check_may_explain(request: Request) -> None:
    """Refuses whoever may not know bids and prices of others."""
    caller = caller_of(request.scope)
    if caller is None or not caller.may(Permission.OPERATION):
        roles = " or ".join(roles_with(Permission.OPERATION))
        problem = "explain: the key's role may not know who bids what"
        raise RejectedError(
            Failure(403, problem, FORBIDDEN, f"Use a key of the role {roles}, or leave it out.")
        )
