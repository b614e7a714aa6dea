"""A request that is not answered, and why: what the guard's checks have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from serving.errors import RETRY_SECONDS, error_response

CLOSE = {"Connection": "close"}  # for answers that leave a part of the request unread


@dataclass(frozen=True)
class Rejection:
    """The answer to a request that goes no further: what `serving.errors.error_response` takes."""

    status: int
    message: str
    remedy: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry: bool = False
    code: str | None = None
    retry_seconds: int = RETRY_SECONDS

    def response(self, request_id: str) -> Response:
        """The answer, in the one shape of an error."""
        return error_response(
            self.status,
            self.message,
            request_id,
            remedy=self.remedy,
            headers=dict(self.headers),
            code=self.code,
            retry=self.retry,
            retry_seconds=self.retry_seconds,
        )
