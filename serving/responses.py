"""The JSON that routes answer with."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def json_response(answer: Any, headers: Mapping[str, str] | None = None) -> Response:
    """`answer`, a document or a dataclass of the funnel, as it is."""
    return Response(orjson.dumps(answer), headers=headers, media_type="application/json")
