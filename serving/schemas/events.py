"""How OpenAPI shows the body of POST /v1/events: the fields of every kind, out of the events' own classes."""

from dataclasses import MISSING, fields
from typing import Any

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE
from recsys.documents import JsonObject
from recsys.events import EVENT_CLASSES, Event
from recsys.identifiers import MOST_CHARACTERS
from recsys.streaming.intake import MAX_ROWS

NDJSON = "application/x-ndjson"

_IDENTIFIER = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
_TEXT = {"type": "string", "minLength": 1}
_MICROS = {
    "type": "integer",
    "minimum": 0,
    "maximum": MOST_MICROS,
    "description": "millionths of the currency unit",
}
_FIELDS: dict[str, dict[str, Any]] = {
    columns.EVENT_ID: {**_IDENTIFIER, "description": "of the client; the same id twice counts once"},
    columns.AT: {
        "type": "string",
        "format": "date-time",
        "description": "with a time zone; without `at` the instant at which the service got the event",
    },
    columns.USER_ID: _IDENTIFIER,
    columns.ITEM_ID: _IDENTIFIER,
    columns.SESSION_ID: _IDENTIFIER,
    columns.REQUEST_ID: {**_IDENTIFIER, "description": "of the slate that this answers to"},
    columns.POSITION: {"type": "integer", "minimum": 1, "description": "place on that slate, from 1"},
    columns.QUERY: _TEXT,
    columns.EVENT_QUANTITY: {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": MOST_THOUSANDTHS // PIECE,
        "description": "pieces, to the thousandth; of a cancel the part of the purchase that comes back",
    },
    columns.VALUE_MICROS: {**_MICROS, "description": "of the whole line, in millionths of the currency unit"},
    columns.PRICE_MICROS: _MICROS,
    columns.AVAILABLE: {"type": "boolean"},
    columns.ATTRIBUTES: {
        "type": "object",
        "additionalProperties": {
            "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "array", "items": {"type": "string"}}]
        },
    },
}
_MADE_UP = (columns.EVENT_ID, columns.AT)  # the service fills them in

EXAMPLES: dict[str, Any] = {
    "a view": {"kind": "view", "event_id": "7f3c", "user_id": "household-1", "item_id": "item-1"},
    "a click on a slate": {
        "kind": "click",
        "event_id": "7f3d",
        "user_id": "household-1",
        "item_id": "item-1",
        "at": "2024-05-31T12:00:00Z",
        "request_id": "0a1b2c3d4e5f6071",
        "position": 3,
    },
    "a new price": [
        {"kind": "item_upsert", "event_id": "7f3e", "item_id": "item-1", "price_micros": 990_000}
    ],
}


def request_body() -> JsonObject:
    """The `requestBody` of the route."""
    kinds = [_kind(kind, cls) for kind, cls in EVENT_CLASSES.items()]
    body = {
        "description": "An event, or an array of them. A row that fits no kind is refused by its verdict.",
        "type": ["array", "object"],
        "maxItems": MAX_ROWS,
        "items": {"anyOf": [*kinds, {}]},
    }
    examples = {name: {"value": value} for name, value in EXAMPLES.items()}
    line = {"type": "string", "description": "the same events, one JSON object a line"}
    return {
        "required": True,
        "content": {"application/json": {"schema": body, "examples": examples}, NDJSON: {"schema": line}},
    }


def _kind(kind: str, cls: type[Event]) -> JsonObject:
    found = fields(cls)
    needed = [field.name for field in found if field.default is MISSING and field.name not in _MADE_UP]
    return {
        "title": kind,
        "type": "object",
        "properties": {
            columns.KIND: {"const": kind},
            **{field.name: _FIELDS.get(field.name, _TEXT) for field in found},
        },
        "required": [columns.KIND, *needed],
        "additionalProperties": False,
    }
