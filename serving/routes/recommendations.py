"""The routes that answer with a slate."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from recsys.funnel.requests import LANGUAGES, Filters, RecommendRequest, SimilarRequest
from serving.deployment import Deployment
from serving.responses import json_response
from serving.schemas.answers import SlateAnswer
from serving.schemas.recommendations import FiltersBody, RecommendBody, SimilarBody


def add_recommendations(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/recommend and /v1/similar."""

    @app.post("/v1/recommend", response_model=SlateAnswer, tags=["recommendations"])
    async def recommend(body: RecommendBody, request: Request) -> Response:
        """Items for a user at a place of the shop. An unknown user is answered by context and popularity."""
        wanted = recommend_request(body, request.state.request_id, accepted_language(request))
        return json_response(await deployment.recommend(wanted, body.token))

    @app.post("/v1/similar", response_model=SlateAnswer, tags=["recommendations"])
    async def similar(body: SimilarBody, request: Request) -> Response:
        """Items that could stand in for one item."""
        wanted = similar_request(body, request.state.request_id, accepted_language(request))
        return json_response(await deployment.similar(wanted))


def accepted_language(request: Request) -> str:
    """The first language of Accept-Language that reasons are written in, else English."""
    for part in request.headers.get("Accept-Language", "").split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"


def recommend_request(body: RecommendBody, request_id: str, language: str) -> RecommendRequest:
    """The funnel's request; `language` is that of the headers, for a body that names none."""
    return RecommendRequest(
        request_id=request_id,
        user_id=body.user_id,
        k=body.k,
        context_item_id=body.context_item_id,
        context_category=body.context_category,
        filters=_filters(body.filters),
        exclude=tuple(body.exclude),
        allow_repeats=body.allow_repeats,
        diversity=body.diversity,
        language=body.language or language,
    )


def similar_request(body: SimilarBody, request_id: str, language: str) -> SimilarRequest:
    """The funnel's request; `language` is that of the headers, for a body that names none."""
    return SimilarRequest(
        request_id=request_id,
        item_id=body.item_id,
        k=body.k,
        filters=_filters(body.filters),
        exclude=tuple(body.exclude),
        language=body.language or language,
    )


def _filters(body: FiltersBody) -> Filters:
    return Filters(
        tuple(body.categories),
        tuple(body.brands),
        body.price_min_micros,
        body.price_max_micros,
        body.attributes,
        body.include_unavailable,
    )
