"""The routes that answer with a slate."""

from fastapi import FastAPI, Request
from starlette.responses import Response

from recsys.funnel.requests import LANGUAGES
from serving.deployment import Deployment
from serving.responses import json_response
from serving.schemas.answers import SlateAnswer
from serving.schemas.recommendations import RecommendBody, SimilarBody


def add_recommendations(app: FastAPI, deployment: Deployment) -> None:
    """Adds POST /v1/recommend and /v1/similar."""

    @app.post("/v1/recommend", response_model=SlateAnswer, tags=["recommendations"])
    async def recommend(body: RecommendBody, request: Request) -> Response:
        """Items for a user at a place of the shop. An unknown user is answered by context and popularity."""
        wanted = body.request(request.state.request_id, accepted_language(request))
        return json_response(await deployment.recommend(wanted, body.token))

    @app.post("/v1/similar", response_model=SlateAnswer, tags=["recommendations"])
    async def similar(body: SimilarBody, request: Request) -> Response:
        """Items that could stand in for one item."""
        wanted = body.request(request.state.request_id, accepted_language(request))
        return json_response(await deployment.similar(wanted))


def accepted_language(request: Request) -> str:
    """The first language of Accept-Language that reasons are written in, else English."""
    for part in request.headers.get("Accept-Language", "").split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return "en"
