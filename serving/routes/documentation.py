"""The pages of /docs: Swagger UI from files of an installed package, so that nothing comes from elsewhere."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, Response

_WEB = Path(__file__).parents[1] / "web"
_SWAGGER_UI = Path(str(files("fastapi_offline"))) / "static"
# Path -> its file. None of them holds a secret, so none asks for the key: the page asks for it, as a browser
# cannot send a header with an address that is typed, and sends it with the request for /openapi.json.
_FILES = {
    "/docs": _WEB / "docs.html",
    "/docs/page.js": _WEB / "docs.js",
    "/docs/swagger-ui-bundle.js": _SWAGGER_UI / "swagger-ui-bundle.js",
    "/docs/swagger-ui.css": _SWAGGER_UI / "swagger-ui.css",
}
DOCUMENTATION_PATHS = frozenset(_FILES)
# Scripts and styles come from files only; Swagger UI has its icons in `data:` addresses.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_documentation(app: FastAPI) -> None:
    """Adds GET /docs and the files that it needs."""
    headers = {"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
    for path, file in _FILES.items():
        app.add_api_route(path, _sender(file, headers), include_in_schema=False)


def _sender(file: Path, headers: dict[str, str]) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return FileResponse(file, headers=headers)

    return send
