"""Events: what people do in a shop, one frozen class a kind, and their way from and to plain mappings.

o = (x, y, z) of the source article: x is the kind, y the fields, z the instant `at`.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS, PIECE, as_pieces, as_thousandths
from recsys.catalog import AttributeValue
from recsys.documents import JsonObject
from recsys.errors import InvalidEventError


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all kinds share. `at` is aware UTC; `event_id` makes a retry harmless."""

    kind: ClassVar[str]
    event_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class UserEvent(Event):
    """What a person did; `request_id` names the response that it answers to."""

    user_id: str
    session_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Search(UserEvent):
    """A query typed into the search box."""

    kind: ClassVar[str] = columns.SEARCH
    query: str


@dataclass(frozen=True, kw_only=True)
class ItemEvent(UserEvent):
    """An event about one item; `position` (from 1) is where the slate showed it."""

    item_id: str
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class Impression(ItemEvent):
    """An item was shown."""

    kind: ClassVar[str] = columns.IMPRESSION


@dataclass(frozen=True, kw_only=True)
class View(ItemEvent):
    """An item's page was opened."""

    kind: ClassVar[str] = columns.VIEW


@dataclass(frozen=True, kw_only=True)
class Click(ItemEvent):
    """An item on a slate or a list was clicked."""

    kind: ClassVar[str] = columns.CLICK


@dataclass(frozen=True, kw_only=True)
class Cart(ItemEvent):
    """An item was put into the cart."""

    kind: ClassVar[str] = columns.CART
    quantity: float = 1
    value_micros: int | None = None


@dataclass(frozen=True, kw_only=True)
class Purchase(ItemEvent):
    """An item was bought."""

    kind: ClassVar[str] = columns.PURCHASE
    quantity: float = 1
    value_micros: int | None = None


@dataclass(frozen=True, kw_only=True)
class Cancel(ItemEvent):
    """Takes back what was bought of an item: `quantity` of it, else `value_micros` of the latest purchase.

    With neither the latest purchase is undone as a whole. The sign of both is dropped.
    """

    kind: ClassVar[str] = columns.CANCEL
    quantity: float | None = None
    value_micros: int | None = None


@dataclass(frozen=True, kw_only=True)
class Like(ItemEvent):
    """An item was liked or rated well."""

    kind: ClassVar[str] = columns.LIKE


@dataclass(frozen=True, kw_only=True)
class ItemUpsert(Event):
    """An item is new or has changed; a field that is None stays as it was."""

    kind: ClassVar[str] = columns.ITEM_UPSERT
    item_id: str
    title: str | None = None
    text: str | None = None
    category: str | None = None
    brand: str | None = None
    price_micros: int | None = None
    available: bool | None = None
    attributes: Mapping[str, AttributeValue] | None = None
    vectors: Mapping[str, tuple[float, ...]] | None = None


@dataclass(frozen=True, kw_only=True)
class UserUpsert(Event):
    """What a user told the shop, new or changed; `attributes` None stays as it was."""

    kind: ClassVar[str] = columns.USER_UPSERT
    user_id: str
    attributes: Mapping[str, AttributeValue] | None = None


EVENT_CLASSES: dict[str, type[Event]] = {
    cls.kind: cls
    for cls in (Search, Impression, View, Click, Cart, Purchase, Cancel, Like, ItemUpsert, UserUpsert)
}
_MOST_IN_IDENTIFIER = 256  # characters
_IDENTIFIERS = (
    columns.EVENT_ID,
    columns.USER_ID,
    columns.ITEM_ID,
    columns.SESSION_ID,
    columns.REQUEST_ID,
)
_TEXTS = (columns.QUERY, columns.TITLE, columns.TEXT, columns.CATEGORY, columns.BRAND)
_NUMBERS = {
    columns.POSITION: (1, 2**31 - 1),
    columns.VALUE_MICROS: (0, MOST_MICROS),
    columns.PRICE_MICROS: (0, MOST_MICROS),
}
_SIGNED = (columns.EVENT_QUANTITY, columns.VALUE_MICROS)
MOST_VECTOR_NUMBERS = 4096
_LARGEST_FLOAT32 = 3.4e38
_VECTOR_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_SHOWN = 100  # characters of a wrong value that a message repeats


def parse_event(row: Mapping[str, Any]) -> Event:
    """The event that `row` describes; unknown keys and bad values are rejected by name.

    Raises:
        InvalidEventError: the message names the field, the value and the remedy.
    """
    kind = row.get(columns.KIND)
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise InvalidEventError(f"kind {_shown(kind)} is unknown. Use one of: {', '.join(EVENT_CLASSES)}.")
    if not form.keys >= row.keys():
        unknown, known = sorted(row.keys() - form.keys)[0], sorted(form.keys - {columns.KIND})
        raise InvalidEventError(f"{kind} has no field {_shown(unknown)}. It takes: {', '.join(known)}.")
    values = {}
    for name, check in form.checks:
        value = row.get(name)
        if value is not None:
            if kind == columns.CANCEL and name in _SIGNED:
                value = _unsigned(value)
            values[name] = check(name, value)
    if not values.keys() >= form.required:
        raise InvalidEventError(f"{kind} needs {', '.join(sorted(form.required - values.keys()))}.")
    return form.cls(**values)


def encode_event(event: Event) -> JsonObject:
    """`event` as a mapping that `parse_event` reads back; absent fields are left out.

    >>> row = {"kind": "view", "event_id": "e", "user_id": "u", "item_id": "i", "at": "2026-01-01T00:00:00Z"}
    >>> parse_event(encode_event(parse_event(row))) == parse_event(row)
    True
    """
    row: dict[str, Any] = {columns.KIND: event.kind}
    for name, value in vars(event).items():
        if value is not None:
            row[name] = value
    row[columns.AT] = event.at.isoformat()
    attributes = row.get(columns.ATTRIBUTES)
    if attributes is not None:
        row[columns.ATTRIBUTES] = {
            key: list(each) if isinstance(each, tuple) else each for key, each in attributes.items()
        }
    vectors = row.get(columns.VECTORS)
    if vectors is not None:
        row[columns.VECTORS] = {key: list(each) for key, each in vectors.items()}
    return row


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value or value.isspace():
        raise InvalidEventError(f"{name} must be a text that is not empty (got {_shown(value)}).")
    return value


def _identifier(name: str, value: Any) -> str:
    if len(_text(name, value)) > _MOST_IN_IDENTIFIER:
        raise InvalidEventError(
            f"{name} must have {_MOST_IN_IDENTIFIER} characters at most (got {len(value)}: {_shown(value)})."
        )
    return str(value)


def _number(name: str, value: Any) -> int:
    least, most = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidEventError(
            f"{name} must be a whole number from {least} to {most} (got {_shown(value)})."
        )
    return value


def _quantity(name: str, value: Any) -> int | float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    thousandths = as_thousandths(value) if number else None
    if thousandths is None:
        raise InvalidEventError(
            f"{name} must be a number from 0.001 to {MOST_THOUSANDTHS // PIECE} (got {_shown(value)})."
        )
    return as_pieces(thousandths)


def _unsigned(value: Any) -> Any:
    """`value` without its sign: whether a refund is written as negative does not change what it says."""
    return abs(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidEventError(f"{name} must be true or false (got {_shown(value)}).")
    return value


def _attributes(name: str, value: Any) -> dict[str, AttributeValue]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key for key in value):
        raise InvalidEventError(f"{name} must be an object of names and values (got {_shown(value)}).")
    return {key: _attribute(key, each) for key, each in value.items()}


def _attribute(name: str, value: Any) -> AttributeValue:
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not _finite(value):
        raise InvalidEventError(
            f"attributes.{name} must be a text, a number or a list of texts (got {_shown(value)})."
        )
    return value if isinstance(value, str) else float(value)


def _vectors(name: str, value: Any) -> dict[str, tuple[float, ...]]:
    if not isinstance(value, Mapping) or not all(_VECTOR_NAME.fullmatch(str(key)) for key in value):
        raise InvalidEventError(
            f"{name} must be an object of vectors by name, of letters, digits and _ (got {_shown(value)})."
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
            f"(got {_shown(value)})."
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
            raise InvalidEventError(f"{name} {_shown(value)} is no ISO 8601 instant. {example}") from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidEventError(f"{name} {_shown(value)} has no time zone. {example}")
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # the first or the last day that there is, seen from elsewhere
        raise InvalidEventError(
            f"{name} {_shown(value)} is not an instant of our calendar. {example}"
        ) from error


@dataclass(frozen=True)
class _Form:
    """How rows of one kind are read.

    Attributes:
        keys: that a row may have.
        checks: what makes the value of a field, in the order in which wrong ones are complained of.
        required: fields that a row must have.
    """

    cls: type[Event]
    keys: frozenset[str]
    checks: tuple[tuple[str, Callable[[str, Any], Any]], ...]
    required: frozenset[str]

    @classmethod
    def of(cls, event: type[Event]) -> "_Form":
        found = {field.name: field for field in fields(event)}
        return cls(
            event,
            frozenset({columns.KIND, *found}),
            tuple((name, check) for name, check in _CHECKS.items() if name in found),
            frozenset(name for name, field in found.items() if field.default is MISSING),
        )


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    columns.AT: _instant,
    **dict.fromkeys(_IDENTIFIERS, _identifier),
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_NUMBERS, _number),
    columns.EVENT_QUANTITY: _quantity,
    columns.AVAILABLE: _flag,
    columns.ATTRIBUTES: _attributes,
    columns.VECTORS: _vectors,
}
_FORMS = {kind: _Form.of(cls) for kind, cls in EVENT_CLASSES.items()}
