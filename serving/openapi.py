"""What /openapi.json says beyond the types of the routes: errors, headers, examples, tags, the key."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fastapi import FastAPI

from recsys.access.roles import roles_with
from recsys.documents import JsonObject
from serving.access.permissions import ROUTE_PERMISSIONS
from serving.schemas.answers import ErrorAnswer
from serving.schemas.events import event_schemas

Responses: TypeAlias = dict[int | str, dict[str, Any]]  # as FastAPI takes them

DESCRIPTION = """\
* Every answer of 400 and above is `{"error": {"code", "message", "remedy"?, "request_id"}}`. The message
  names what was wrong and its value, the remedy what helps. What makes a 429 or a 503 passes by itself: ask
  again after the seconds of `Retry-After`.
* Whatever the route, 414 and 431 tell that path or headers are too large, before anything is read of them.
* `x-roles` of a route are the roles of keys that may call it: storefront, merchandiser,
  advertiser, operator.
* Bodies are JSON with `Content-Type: application/json`. Unknown fields and query parameters are errors.
* Money is an integer in millionths of the currency unit, an instant is ISO 8601 with a time zone.
* The examples are of the demo shop.
"""
TAGS = [
    {
        "name": "recommendations",
        "description": "Slates: ordered items, why each is there, what they were made from.",
    },
    {"name": "search", "description": "Items for what somebody typed, facets, and what to type."},
    {
        "name": "ads",
        "description": "Sponsored items, won in an auction: alone, or among organic ones on one page.",
    },
    {
        "name": "events",
        "description": "What happens in the shop: accepted, durable, and soon part of the features.",
    },
    {"name": "facts", "description": "What the service knows of an item, and of what a user did."},
    {"name": "merchandising", "description": "Rules and synonyms: listed and changed by merchandisers."},
    {
        "name": "advertising",
        "description": "Accounts and campaigns of ads: an advertiser's key sees its own account alone.",
    },
    {"name": "operations", "description": "Whether the service works, and how well."},
]

_MEANINGS = {
    400: "The body is not JSON, or is nested too deeply.",
    401: "The API key is missing, wrong or expired; or there is none, and the caller is on another machine.",
    403: "The key's role may not, or the page that calls is of an origin not in serving.cors_origins.",
    404: "The catalog has no such item, or the shop no such rule, set of synonyms, account or campaign.",
    409: "What a cursor or a page token remembers is no longer kept: begin with the first page. Or what is "
    "to be changed was changed since it was read: read it again.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body has no Content-Type, or one that the route does not take.",
    421: "The service does not answer under this name; see serving.allowed_hosts.",
    422: "A field or a parameter is unknown or does not fit; the message names it and its value.",
    429: "Too many requests are being answered, the key calls too often, or too many events wait.",
    500: "A fault of the service; its log has the details under the request id.",
    503: "No bundle is in production, a store or the database of keys is away, or the answer took too long.",
}
ALWAYS = (403, 421)  # of every route
ERRORS = (401, 429, 500, 503)  # of every route that asks for the key
NO_KEY: dict[str, Any] = {"security": []}  # `openapi_extra` of a route that asks for none
BODY_ERRORS = (*ERRORS, 400, 408, 413, 415, 422)  # of those that take a body

_TEXT = {"type": "string"}
_ANSWER_HEADERS: Mapping[str, JsonObject] = {
    "X-Request-ID": {"description": "The request's id: the client's, or a new one.", "schema": _TEXT},
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "How to send the key.", "schema": _TEXT},
    "Deprecation": {"description": "Since when the route is deprecated (RFC 9745).", "schema": _TEXT},
    "Link": {"description": "The route that takes its place.", "schema": _TEXT},
}
_EXTRA_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
_REQUEST_HEADERS: Mapping[str, JsonObject] = {
    "X-Request-ID": {
        # Without an example: Swagger UI would send it, and two slates would have one id.
        "description": "1 to 64 letters, digits, dots, dashes or underscores, else the service makes an id.",
    },
    "Accept-Language": {
        "description": "Languages in which reasons may be written, the best first; en and zh are known.",
        "example": "en",
    },
}
_SECURITY_SCHEMES = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "RECSYS_API_KEY of the service, or a key of `recsys keys create`.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same key, as a bearer token."},
}


def answers(
    example: Any, *errors: int, headers: Mapping[str, str] | None = None, media_type: str = "application/json"
) -> Responses:
    """The `responses` of a route: `example` with status 200, and the errors that it can give.

    Args:
        errors: their statuses, besides ALWAYS. headers: those of a 200 beside the request id.
    """
    found: Responses = {
        200: {
            "description": "The answer",
            "headers": _headers("X-Request-ID", *(headers or ())),
            "content": {media_type: {"example": example}},
        }
    }
    for status in sorted((*ALWAYS, *errors)):
        extra = [_EXTRA_HEADERS[status]] if status in _EXTRA_HEADERS else []
        found[status] = {
            "description": _MEANINGS[status],
            "headers": _headers("X-Request-ID", *extra),
            "content": {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}}
            },
        }
    return found


def headers_of(*names: str) -> Any:
    """The `openapi_extra` that names the request headers which a route looks at."""
    return {
        "parameters": [
            {"name": name, "in": "header", "required": False, "schema": _TEXT, **_REQUEST_HEADERS[name]}
            for name in names
        ]
    }


def describe(app: FastAPI, asks_for_key: Callable[[], bool]) -> None:
    """Adds to the document of `app`: schemas of events, which roles may what, and how to send the key."""
    describe_routes = app.openapi

    def openapi() -> Any:
        document = describe_routes()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(event_schemas())
        _name_roles(document)
        if asks_for_key():  # the first key may be made while the service runs
            components["securitySchemes"] = _SECURITY_SCHEMES
            document["security"] = [{name: []} for name in _SECURITY_SCHEMES]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _name_roles(document: Any) -> None:
    """Says of each operation that asks for a key which roles may."""
    for (method, template), permission in ROUTE_PERMISSIONS.items():
        path = re.sub(r":\w+}", "}", template)
        operation = document["paths"].get(path, {}).get(method.lower())
        if operation is not None:
            operation["x-roles"] = [str(role) for role in roles_with(permission)]


def _headers(*names: str) -> JsonObject:
    return {name: _ANSWER_HEADERS[name] for name in names}
