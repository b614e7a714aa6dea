"""Who may call, and who may see more than codes: one place for both questions."""

from starlette.datastructures import Headers
from starlette.types import Scope

from recsys.addresses import is_loopback
from serving.deployment import Deployment


def rejection(deployment: Deployment, scope: Scope) -> tuple[str, str] | None:
    """What is wrong with the caller's key and the remedy; None if nothing is."""
    if deployment.api_key is None:
        server = scope.get("server")  # (host, port); a Unix socket has no port
        if server is None or server[1] is None or is_loopback(server[0]) or server[0] == "testserver":
            return None
        return "the service has no API key and answers this machine only", "Set RECSYS_API_KEY."
    headers = Headers(scope=scope)
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    given = headers.get("X-API-Key") or (token.strip() if scheme.lower() == "bearer" else None)
    if deployment.accepts_key(given):
        return None
    problem = "the API key is wrong" if given else "an API key is needed"
    return problem, "Send it as X-API-Key, or as Authorization: Bearer."


def may_see_details(deployment: Deployment, scope: Scope) -> bool:
    """Whether the caller of an open path may see values, paths and remedies, and not codes alone."""
    return rejection(deployment, scope) is None
