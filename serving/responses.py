"""The JSON that routes answer with."""

from typing import Any

import orjson
from starlette.responses import Response


def json_response(answer: Any) -> Response:
    """`answer`, a document or a dataclass of the funnel, as it is."""
    return Response(orjson.dumps(answer), media_type="application/json")
