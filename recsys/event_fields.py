"""The fields of events: what a value must be, and the form in which it is kept."""

import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE, as_pieces, as_thousandths
from recsys.catalog import AttributeValue, category_path
from recsys.documents import JsonObject
from recsys.errors import InvalidEventError
from recsys.identifiers import trimmed_identifier
from recsys.json_text import json_object, sorted_json

# What makes the value of a field, by its name and the value that came; None = nothing was said.
Check = Callable[[str, Any], Any]

_IDENTIFIERS = (columns.EVENT_ID, columns.USER_ID, columns.ITEM_ID)
_TEXTS = (columns.QUERY, columns.TITLE, columns.TEXT, columns.CATEGORY, columns.BRAND)
_NUMBERS = {
    columns.POSITION: (1, 2**31 - 1),
    columns.PAGE: (1, 2**31 - 1),
    columns.VISIBLE_MS: (0, 2**31 - 1),
    columns.RESULTS: (0, 2**53),
    columns.VALUE_MICROS: (0, MOST_MICROS),
    columns.PRICE_MICROS: (0, MOST_MICROS),
}
_OPTIONAL_IDENTIFIERS = (
    columns.PRODUCT_ID,
    columns.SESSION_ID,
    columns.REQUEST_ID,
    columns.QUERY_ID,
    columns.SURFACE,
)
MOST_VECTOR_NUMBERS = 4096
MOST_TOKEN_CHARACTERS = 4096
MOST_FILTER_BYTES = 16_384  # of their JSON
MOST_FILTER_DEPTH = 16  # objects and lists inside each other
_LARGEST_FLOAT32 = 3.4e38
_VECTOR_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_SHOWN = 100  # characters of a wrong value that a message repeats


def shown(value: Any) -> str:
    """`value` as a message repeats it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or value.isspace():
        raise InvalidEventError(f"{name} must be a text that is not empty (got {shown(value)}).")
    return value.strip()


def _identifier(name: str, value: Any) -> str:
    try:
        return trimmed_identifier(value if isinstance(value, str) else _text(name, value))
    except ValueError as error:
        _text(name, value)  # says so if nothing is there
        raise InvalidEventError(
            f"{name} {shown(value)} cannot be an id: it {error}. Send the id as the shop's files have it."
        ) from error


def _optional_identifier(name: str, value: Any) -> str | None:
    """None for blanks, as for an empty cell of a file."""
    return None if isinstance(value, str) and not value.strip() else _identifier(name, value)


def _token(name: str, value: Any) -> str | None:
    """The text as it came: whether it is a token is asked by whoever bills, and an event is kept without."""
    if not isinstance(value, str) or len(value.strip()) > MOST_TOKEN_CHARACTERS:
        raise InvalidEventError(
            f"{name} must be a text of up to {MOST_TOKEN_CHARACTERS} characters (got {shown(value)}). Send "
            "the token of the sponsored item as the page got it, or none where the item is not sponsored."
        )
    return value.strip() or None


def _path(name: str, value: Any) -> str:
    path = category_path(_text(name, value))
    if not path:
        raise InvalidEventError(
            f"{name} {shown(value)} has no level. Write for example Home/Kitchen, or leave it out."
        )
    return path


def _number(name: str, value: Any) -> int:
    least, most = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidEventError(f"{name} must be a whole number from {least} to {most} (got {shown(value)}).")
    return value


def _quantity(name: str, value: Any) -> int | float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    thousandths = as_thousandths(value) if number else None
    if thousandths is None:
        raise InvalidEventError(
            f"{name} must be a number from 0.001 to {MOST_THOUSANDTHS // PIECE} (got {shown(value)})."
        )
    return as_pieces(thousandths)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidEventError(f"{name} must be true or false (got {shown(value)}).")
    return value


def filters_text(value: Any) -> str:
    """The filters of a search as the lake keeps them, see `sorted_json`; raises ValueError as it does."""
    return sorted_json(value, MOST_FILTER_BYTES, MOST_FILTER_DEPTH)


def _filters(name: str, value: Any) -> JsonObject:
    try:
        return json_object(filters_text(value))
    except ValueError as error:
        raise InvalidEventError(
            f"{name} {shown(value)} {error}. Send the filters of the search as its request had them."
        ) from error


def _attributes(name: str, value: Any) -> dict[str, AttributeValue]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key for key in value):
        raise InvalidEventError(f"{name} must be an object of names and values (got {shown(value)}).")
    return {key: _attribute(key, each) for key, each in value.items()}


def _attribute(name: str, value: Any) -> AttributeValue:
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(each.strip() for each in value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not _finite(value):
        raise InvalidEventError(
            f"attributes.{name} must be a text, a number or a list of texts (got {shown(value)})."
        )
    return value.strip() if isinstance(value, str) else float(value)


def _vectors(name: str, value: Any) -> dict[str, tuple[float, ...]]:
    if not isinstance(value, Mapping) or not all(_VECTOR_NAME.fullmatch(str(key)) for key in value):
        raise InvalidEventError(
            f"{name} must be an object of vectors by name, of letters, digits and _ (got {shown(value)})."
        )
    return {str(key): _vector(key, each) for key, each in value.items()}


def _vector(name: str, value: Any) -> tuple[float, ...]:
    numbers = isinstance(value, list | tuple) and all(
        isinstance(each, int | float) and not isinstance(each, bool) and abs(each) <= _LARGEST_FLOAT32
        for each in value
    )
    if not numbers or len(value) > MOST_VECTOR_NUMBERS:
        raise InvalidEventError(
            f"vectors.{name} must be a list of up to {MOST_VECTOR_NUMBERS} finite numbers "
            f"(got {shown(value)})."
        )
    return tuple(float(each) for each in value)


def _finite(value: str | int | float) -> bool:
    """False for NaN, infinity, and a whole number that no float reaches."""
    return isinstance(value, str) or abs(value) <= sys.float_info.max


def _instant(name: str, value: Any) -> datetime:
    example = "Write for example 2026-01-31T12:00:00Z."
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidEventError(f"{name} {shown(value)} is not an ISO 8601 instant. {example}") from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidEventError(f"{name} {shown(value)} has no time zone. {example}")
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # the first or the last day that there is, seen from elsewhere
        raise InvalidEventError(
            f"{name} {shown(value)} is not an instant of our calendar. {example}"
        ) from error


CHECKS: dict[str, Check] = {
    columns.AT: _instant,
    **dict.fromkeys(_IDENTIFIERS, _identifier),
    **dict.fromkeys(_OPTIONAL_IDENTIFIERS, _optional_identifier),
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_NUMBERS, _number),
    columns.EVENT_QUANTITY: _quantity,
    **dict.fromkeys((columns.AVAILABLE, columns.VIEWABLE), _flag),
    columns.FILTERS: _filters,
    columns.TOKEN: _token,
    columns.ATTRIBUTES: _attributes,
    columns.VECTORS: _vectors,
    columns.CATEGORY_PATH: _path,
    columns.FIRST_AT: _instant,
}


def without_sign(check: Check) -> Check:
    """`check` of a number whose sign does not count: what comes back is the same however it is written."""

    def unsigned(name: str, value: Any) -> Any:
        return check(name, abs(value) if type(value) in (int, float) else value)

    return unsigned
