"""The routes for who runs the service: health, metrics, and the page that shows it at work."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from recsys.health.problems import NO_BUNDLE
from serving.deployment import Deployment
from serving.errors import error_response
from serving.metrics import CONTENT_TYPE
from serving.openapi import ERRORS, NO_KEY, answers
from serving.responses import json_response
from serving.schemas import examples
from serving.schemas.answers import HealthAnswer, LivenessAnswer

PAGE = Path(__file__).parents[1] / "web" / "index.html"
# The page is one file: nothing is loaded from anywhere, and it talks to this service only.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_operations(app: FastAPI, deployment: Deployment) -> None:
    """Adds GET /livez, /readyz, /metrics and /."""

    @app.get(
        "/livez",
        operation_id="livez",
        summary="Whether the process runs",
        response_model=LivenessAnswer,
        responses=answers(examples.ALIVE),
        openapi_extra=NO_KEY,
        tags=["operations"],
    )
    async def livez() -> Response:
        """Whether the process runs."""
        return json_response({"status": "ok", "bundle_id": None})

    @app.get(
        "/readyz",
        operation_id="readyz",
        summary="Whether it can recommend",
        response_model=HealthAnswer,
        responses=answers(examples.READY, 503),
        openapi_extra=NO_KEY,
        tags=["operations"],
    )
    async def readyz(request: Request) -> Response:
        """Whether useful answers can be given, and what is wrong. 503 where none can."""
        shown = request.state.details
        serving, problems = deployment.bundles.current, deployment.health.current_problems()
        if serving is None:
            # Messages name paths, addresses and hashes. Health is open to all, what it found is not.
            message = deployment.bundles.problem if shown else NO_BUNDLE.meaning
            remedy = None if shown else "Ask with the API key to see why."
            request_id = request.state.request_id
            return error_response(503, message, request_id, code=NO_BUNDLE.code, remedy=remedy, retry=True)
        codes = [problem.code for problem in problems if not problem.kind.stops]
        answer: dict[str, Any] = {"status": "ok", "bundle_id": None, "problems": codes}
        if shown:
            manifest, details = serving.bundle.manifest, [problem.to_json() for problem in problems]
            answer |= {"bundle_id": manifest.bundle_id, "details": details}
            answer |= {"no_ranker": manifest.no_ranker} if manifest.no_ranker else {}
        return json_response(answer)

    @app.get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics for Prometheus",
        response_class=PlainTextResponse,
        responses=answers(examples.METRICS, *ERRORS, media_type="text/plain"),
        tags=["operations"],
    )
    async def metrics() -> Response:
        """Prometheus metrics."""
        await deployment.collector.observe()
        return Response(deployment.metrics.text(), media_type=CONTENT_TYPE)

    page = PAGE.read_text("utf-8")

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})
