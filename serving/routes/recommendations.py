"""The routes that answer with a slate."""

from enum import Enum
from typing import Annotated

from fastapi import Body, FastAPI, Request
from starlette.responses import Response

from recsys.funnel.requests import LANGUAGES
from serving.batch import BatchRecommender
from serving.deployment import Deployment
from serving.openapi import BODY_ERRORS, answers, headers_of
from serving.responses import json_response
from serving.schemas import examples
from serving.schemas.answers import BatchAnswer, RowAnswer, SlateAnswer
from serving.schemas.recommendations import BatchBody, RecommendBody, SimilarBody
from serving.validation import JSON, takes

BATCH_PATH = "/v1/recommend:batch"
# The path of BentoML's client, from before BATCH_PATH was there: 2026-11-27 in Unix seconds (RFC 9745).
DEPRECATED = {"Deprecation": "@1795737600", "Link": f'<{BATCH_PATH}>; rel="successor-version"'}
_TAGS: list[str | Enum] = ["recommendations"]
_CHECKS = [takes(JSON)]
_HEADERS = headers_of("X-Request-ID", "Accept-Language")


def add_recommendations(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/recommend and /v1/similar."""

    @app.post(
        "/v1/recommend",
        operation_id="recommend",
        summary="Items for a user",
        response_model=SlateAnswer,
        responses=answers(examples.SLATE, *BODY_ERRORS, 404, 503),
        openapi_extra=_HEADERS,
        dependencies=_CHECKS,
        tags=_TAGS,
    )
    async def recommend(
        body: Annotated[RecommendBody, Body(openapi_examples=examples.RECOMMEND)], request: Request
    ) -> Response:
        """Items for a user at a place of the shop. An unknown user is answered by context and popularity."""
        wanted = body.to_request(request.state.request_id, accepted_language(request))
        return json_response(await deployment.recommend(wanted, body.token))

    @app.post(
        "/v1/similar",
        operation_id="similar",
        summary="Items like one item",
        response_model=SlateAnswer,
        responses=answers(examples.SIMILAR_SLATE, *BODY_ERRORS, 404, 503),
        openapi_extra=_HEADERS,
        dependencies=_CHECKS,
        tags=_TAGS,
    )
    async def similar(
        body: Annotated[SimilarBody, Body(openapi_examples=examples.SIMILAR)], request: Request
    ) -> Response:
        """Items that could stand in for one item."""
        wanted = body.to_request(request.state.request_id, accepted_language(request))
        return json_response(await deployment.similar(wanted))


def add_batches(app: FastAPI, batches: BatchRecommender) -> None:
    """Adds POST /v1/recommend:batch and, for one version, the path that BentoML's client knows."""

    @app.post(
        BATCH_PATH,
        operation_id="recommend_batch",
        summary="Items for many users",
        response_model=BatchAnswer,
        responses=answers({"responses": examples.ROWS}, *BODY_ERRORS),
        openapi_extra=_HEADERS,
        dependencies=_CHECKS,
        tags=_TAGS,
    )
    async def recommend_batch(
        body: Annotated[BatchBody, Body(openapi_examples=examples.BATCH)], request: Request
    ) -> Response:
        """Answers up to 100 bodies of /v1/recommend, in their order, with a slate or an error for each.

        A row that fails does not fail the others; it has the error that /v1/recommend would answer. The
        request id of a row is that of the batch, a dash and its place from 0. Rows that are not answered when
        the time of the whole batch is over have an error with the code `timeout`.
        """
        rows = await batches.answer(body.requests, request.state.request_id, accepted_language(request))
        return json_response({"responses": rows})

    @app.post(
        "/recommend_batch",
        operation_id="bentoml_recommend_batch",
        summary="Items for many users, for BentoML's client",
        deprecated=True,
        response_model=list[RowAnswer],
        responses=answers(examples.ROWS, *BODY_ERRORS, headers=DEPRECATED),
        openapi_extra=_HEADERS,
        dependencies=_CHECKS,
        tags=_TAGS,
    )
    async def bentoml_recommend_batch(
        body: Annotated[BatchBody, Body(openapi_examples=examples.BATCH)], request: Request
    ) -> Response:
        """As /v1/recommend:batch for BentoML's client, which gets a list of rows; not in the next version."""
        rows = await batches.answer(body.requests, request.state.request_id, accepted_language(request))
        return json_response(rows, DEPRECATED)


def accepted_language(request: Request) -> str:
    """The first language of Accept-Language that reasons are written in, else English."""
    for part in request.headers.get("Accept-Language", "").split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"
