"""How OpenAPI shows the body of POST /v1/events: the fields of every kind, out of the events' own classes."""

from dataclasses import MISSING, fields
from inspect import getdoc
from typing import Any

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE
from recsys.documents import JsonObject
from recsys.event_fields import (
    MOST_FILTER_BYTES,
    MOST_FILTER_DEPTH,
    MOST_TOKEN_CHARACTERS,
    MOST_VECTOR_NUMBERS,
)
from recsys.events import EVENT_CLASSES, Event
from recsys.identifiers import MOST_CHARACTERS
from recsys.streaming.intake import MAX_ROWS
from serving.schemas.examples import EVENT_LINES, EVENTS
from serving.validation import JSON, NDJSON

_IDENTIFIER = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
_TEXT = {"type": "string", "minLength": 1}
_MICROS = {"type": "integer", "minimum": 0, "maximum": MOST_MICROS}
_PLACE = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_FIELDS: dict[str, dict[str, Any]] = {
    columns.EVENT_ID: {**_IDENTIFIER, "description": "of the client; the same id twice counts once"},
    columns.AT: {
        "type": "string",
        "format": "date-time",
        "description": "with a time zone; without `at` the instant at which the service got the event",
    },
    columns.USER_ID: {**_IDENTIFIER, "description": "who did it"},
    columns.ITEM_ID: {**_IDENTIFIER, "description": "id of the item"},
    columns.SESSION_ID: {**_IDENTIFIER, "description": "of the visit or the basket"},
    columns.REQUEST_ID: {**_IDENTIFIER, "description": "of the answer that this event is about"},
    columns.QUERY_ID: {
        **_IDENTIFIER,
        "description": "of the search with all of its pages: the request_id of the first of them",
    },
    columns.POSITION: {**_PLACE, "description": "place on that answer, from 1"},
    columns.QUERY: {**_TEXT, "description": "what was searched for; never send keystrokes"},
    columns.RESULTS: {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**53,
        "description": "how many items were found in all; leave it out where it is not known: that is not 0",
    },
    columns.FILTERS: {
        "type": "object",
        "description": "the filters of the search, as its request had them; at most "
        f"{MOST_FILTER_BYTES} bytes of JSON and {MOST_FILTER_DEPTH} objects and lists inside each other",
        "additionalProperties": {"type": ["string", "number", "boolean", "null", "array", "object"]},
    },
    columns.SURFACE: {**_IDENTIFIER, "description": "the place of the shop, a name that you choose"},
    columns.PAGE: {**_PLACE, "description": "of the results, from 1"},
    columns.VISIBLE_MS: {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**31 - 1,
        "description": "how long the item was in sight, in milliseconds",
    },
    columns.VIEWABLE: {
        "type": "boolean",
        "description": "at least half of its area was in sight for at least a second; false = not shown, "
        "absent = nobody measured it",
    },
    columns.TOKEN: {
        "type": "string",
        "maxLength": MOST_TOKEN_CHARACTERS,
        "description": "of the sponsored item that the event is about, as its answer had it; absent = not "
        "sponsored. It is neither billed nor learned from unless it is one that this shop signed",
    },
    columns.EVENT_QUANTITY: {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": MOST_THOUSANDTHS // PIECE,
        "description": "pieces, to the thousandth; of a cancel the part of the purchase that comes back",
    },
    columns.VALUE_MICROS: {**_MICROS, "description": "of the whole line, in millionths of the currency unit"},
    columns.PRICE_MICROS: {**_MICROS, "description": "of one piece, in millionths of the currency unit"},
    columns.TITLE: {**_TEXT, "description": "what is shown; a new item needs one"},
    columns.TEXT: {**_TEXT, "description": "what the text encoder reads; the title where there is none"},
    columns.CATEGORY: {**_TEXT, "description": "category of the item"},
    columns.BRAND: {**_TEXT, "description": "brand of the item"},
    columns.PRODUCT_ID: {
        **_IDENTIFIER,
        "description": "what the variants of one product share; without it the item is its own product",
    },
    columns.CATEGORY_PATH: {
        **_TEXT,
        "pattern": r"[^\s/]",
        "description": "from the widest category to the narrowest, with slashes: `Home/Kitchen/Pots`",
    },
    columns.FIRST_AT: {
        "type": "string",
        "format": "date-time",
        "description": "when the item entered the shop, with a time zone",
    },
    columns.AVAILABLE: {"type": "boolean", "description": "whether it can be bought"},
    columns.ATTRIBUTES: {
        "type": "object",
        "description": "the shop's own, by name; one field: it replaces all",
        "additionalProperties": {
            "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "string"}}]
        },
    },
    columns.VECTORS: {
        "type": "object",
        "description": "ready vectors by name, such as that of its image; one field: it replaces all",
        "additionalProperties": {
            "type": "array", "items": {"type": "number"}, "maxItems": MOST_VECTOR_NUMBERS
        },
    },
}  # fmt: skip
_MADE_UP = (columns.EVENT_ID, columns.AT)  # the service fills them in
_REFERENCE = "#/components/schemas/"
EVENT = "Event"


def request_body() -> JsonObject:
    """The `requestBody` of the route; it refers to `event_schemas`."""
    event = {"$ref": _REFERENCE + EVENT}
    many = {"type": "array", "maxItems": MAX_ROWS, "items": event}
    one_or_many = "An event, or an array of them; each is accepted or refused by itself."
    body = {"description": one_or_many, "anyOf": [event, many]}
    line = {"type": "string", "description": "The same events, one JSON object a line."}
    return {
        "required": True,
        "content": {
            JSON: {"schema": body, "examples": EVENTS},
            NDJSON: {"schema": line, "example": EVENT_LINES},
        },
    }


def event_schemas() -> dict[str, JsonObject]:
    """The schemas of all kinds of events by name, and the one that is any of them."""
    names = {kind: f"{cls.__name__}Event" for kind, cls in EVENT_CLASSES.items()}
    event = {
        "description": "What happened in the shop; `kind` says which fields it has.",
        "oneOf": [{"$ref": _REFERENCE + name} for name in names.values()],
        "discriminator": {
            "propertyName": columns.KIND,
            "mapping": {kind: _REFERENCE + name for kind, name in names.items()},
        },
    }
    return {EVENT: event, **{names[kind]: _kind(kind, cls) for kind, cls in EVENT_CLASSES.items()}}


def _kind(kind: str, cls: type[Event]) -> JsonObject:
    found = fields(cls)
    needed = [field.name for field in found if field.default is MISSING and field.name not in _MADE_UP]
    return {
        "title": kind,
        "description": getdoc(cls),
        "type": "object",
        "properties": {
            columns.KIND: {"type": "string", "const": kind, "description": "what happened"},
            **{field.name: _FIELDS[field.name] for field in found},
        },
        "required": [columns.KIND, *needed],
        "additionalProperties": False,
    }
