"""The one shape of an error, and which error becomes which status."""

from dataclasses import dataclass

import orjson
from starlette.responses import Response

from recsys.documents import JsonObject
from recsys.errors import (
    ArtifactError,
    ArtifactMismatchError,
    ArtifactNotFoundError,
    BacklogError,
    ConfigError,
    CursorExpiredError,
    DataError,
    FutureLeakError,
    InvalidCursorError,
    InvalidEventError,
    InvalidTokenError,
    LeaseLostError,
    MalformedBodyError,
    OverloadedError,
    RecsysError,
    RequestError,
    SchemaMismatchError,
    StaleVersionError,
    StoreUnavailableError,
    TokenExpiredError,
    TrainingStoppedError,
    UnknownCampaignError,
    UnknownEntryError,
    UnknownItemError,
)

RETRY_SECONDS = 1
FAULT = "a fault of the service; its log has the details under the request id"


@dataclass(frozen=True)
class Failure:
    """What went wrong with a request, and what helps; `retry` says that it passes by itself."""

    status: int
    message: str
    code: str
    remedy: str = ""
    retry: bool = False

    def as_document(self, request_id: str) -> JsonObject:
        """The answer's JSON."""
        return error_document(self.code, self.message, request_id, self.remedy)


class RejectedError(Exception):
    """A request that does not reach its route's function; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


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
    UnknownEntryError: ErrorResponse(404, "unknown_entry"),
    UnknownCampaignError: ErrorResponse(404, "unknown_campaign"),
    StaleVersionError: ErrorResponse(409, "stale_version"),
    MalformedBodyError: ErrorResponse(400, "bad_request"),
    InvalidCursorError: ErrorResponse(422, "invalid_cursor"),
    CursorExpiredError: ErrorResponse(409, "cursor_expired"),
    InvalidTokenError: ErrorResponse(422, "invalid_token"),
    TokenExpiredError: ErrorResponse(409, "token_expired"),
    TrainingStoppedError: ErrorResponse(500, "training_stopped"),
    LeaseLostError: ErrorResponse(503, "lease_lost", retry=True),
    BacklogError: ErrorResponse(429, "too_many_events", retry=True),
    OverloadedError: ErrorResponse(429, "too_many_requests", retry=True),
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
    415: "unsupported_media_type",
    421: "host_not_allowed",
    422: "invalid_request",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal",
    503: "unavailable",
}


# Codes of access, beside those of its statuses.
FORBIDDEN = "forbidden"  # 403: the key's role may not
RATE_LIMITED = "rate_limited"  # 429: the key calls too often
KEYS_UNAVAILABLE = "keys_unavailable"  # 503: whether the key is valid cannot be known
ACCESS_CODES = {FORBIDDEN: 403, RATE_LIMITED: 429, KEYS_UNAVAILABLE: 503}

TIMEOUT = "timeout"
OTHER = "error"  # of a status without a code of its own


def error_codes() -> tuple[str, ...]:
    """Every code that an error may have."""
    of_errors = (each.code for each in RESPONSES.values())
    return tuple(sorted({*of_errors, *CODES.values(), *ACCESS_CODES, TIMEOUT, OTHER}))


def response_for(error: RecsysError) -> ErrorResponse:
    """How `error` is told: by its own class, else by the nearest one above."""
    return next(RESPONSES[kind] for kind in type(error).__mro__ if kind in RESPONSES)


def failure_of(error: Exception) -> Failure:
    """What a client is told of `error`; of one that is not ours, only that it is a fault."""
    if isinstance(error, RecsysError):
        answer = response_for(error)
        return Failure(answer.status, str(error), answer.code, retry=answer.retry)
    if isinstance(error, RejectedError):
        return error.failure
    if isinstance(error, TimeoutError):
        return Failure(503, "the answer took too long", TIMEOUT, retry=True)
    return Failure(500, FAULT, CODES[500])


def error_document(code: str, message: str, request_id: str, remedy: str | None = None) -> JsonObject:
    """`{"error": {"code", "message", "remedy"?, "request_id"}}`, safe to send whatever the texts hold."""
    error = {"code": code, "message": message, "remedy": remedy, "request_id": request_id}
    # A lone surrogate has no UTF-8.
    return {"error": {name: text.encode("utf-8", "replace").decode() for name, text in error.items() if text}}


def error_response(
    status: int,
    message: str,
    request_id: str,
    *,
    code: str | None = None,
    remedy: str | None = None,
    headers: dict[str, str] | None = None,
    retry: bool = False,
    retry_seconds: int = RETRY_SECONDS,
) -> Response:
    """The error as an answer; with `retry_seconds` as Retry-After where `retry` helps."""
    return Response(
        orjson.dumps(error_document(code or CODES.get(status, OTHER), message, request_id, remedy)),
        status,
        {**(headers or {}), **({"Retry-After": str(retry_seconds)} if retry else {})},
        media_type="application/json",
    )
