"""The one shape of an error, and which error becomes which status."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from recsys.errors import (
    ArtifactError,
    ArtifactMismatchError,
    ArtifactNotFoundError,
    BacklogError,
    ConfigError,
    DataError,
    FutureLeakError,
    InvalidEventError,
    MalformedBodyError,
    RecsysError,
    RequestError,
    SchemaMismatchError,
    StoreUnavailableError,
    TrainingStoppedError,
    UnknownItemError,
)

RETRY_SECONDS = 1


@dataclass(frozen=True)
class ErrorResponse:
    """How an error is told to a client; `retry` sends Retry-After."""

    status: int
    code: str
    retry: bool = False


# Every error that may leave the funnel, once. The caller's fault is 4xx; what passes by itself says so.
RESPONSES: dict[type[RecsysError], ErrorResponse] = {
    RecsysError: ErrorResponse(500, "internal"),
    ConfigError: ErrorResponse(500, "misconfigured"),
    DataError: ErrorResponse(500, "bad_data"),
    InvalidEventError: ErrorResponse(422, "invalid_event"),
    SchemaMismatchError: ErrorResponse(500, "schema_mismatch"),
    FutureLeakError: ErrorResponse(500, "future_leak"),
    ArtifactError: ErrorResponse(503, "bundle_unusable", retry=True),
    ArtifactNotFoundError: ErrorResponse(503, "no_bundle", retry=True),
    ArtifactMismatchError: ErrorResponse(503, "bundle_mismatch", retry=True),
    RequestError: ErrorResponse(422, "invalid_request"),
    UnknownItemError: ErrorResponse(404, "unknown_item"),
    MalformedBodyError: ErrorResponse(400, "bad_request"),
    TrainingStoppedError: ErrorResponse(500, "training_stopped"),
    BacklogError: ErrorResponse(429, "too_many_events", retry=True),
    StoreUnavailableError: ErrorResponse(503, "store_unavailable", retry=True),
}

# Codes of errors that are ours by status alone.
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "origin_not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    414: "request_line_too_long",
    421: "host_not_allowed",
    422: "invalid_request",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal",
    503: "unavailable",
}


def response_for(error: RecsysError) -> ErrorResponse:
    """How `error` is told: by its own class, else by the nearest one above."""
    return next(RESPONSES[kind] for kind in type(error).__mro__ if kind in RESPONSES)


def error_response(
    status: int,
    message: str,
    request_id: str,
    *,
    code: str | None = None,
    remedy: str | None = None,
    headers: dict[str, str] | None = None,
    retry: bool = False,
) -> Response:
    """`{"error": {"code", "message", "remedy"?, "request_id"}}`; Retry-After where `retry` helps."""
    error: dict[str, Any] = {"code": code or CODES.get(status, "error"), "message": message}
    if remedy:
        error["remedy"] = remedy
    error["request_id"] = request_id
    # Any text is told back safely: a lone surrogate has no UTF-8.
    error = {name: value.encode("utf-8", "replace").decode() for name, value in error.items()}
    return Response(
        orjson.dumps({"error": error}),
        status,
        {**(headers or {}), **({"Retry-After": str(RETRY_SECONDS)} if retry else {})},
        media_type="application/json",
    )
