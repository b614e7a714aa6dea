"""Events: what people do in a shop, one frozen class a kind, and their way from and to plain mappings.

o = (x, y, z) of the source article: x is the kind, y the fields, z the instant `at`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import Any, ClassVar

from recsys import columns
from recsys.catalog import AttributeValue
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
    kind: ClassVar[str] = columns.SEARCH
    query: str


@dataclass(frozen=True, kw_only=True)
class ItemEvent(UserEvent):
    """An event about one item; `position` (from 1) is where the slate showed it."""

    item_id: str
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class Impression(ItemEvent):
    kind: ClassVar[str] = columns.IMPRESSION


@dataclass(frozen=True, kw_only=True)
class View(ItemEvent):
    kind: ClassVar[str] = columns.VIEW


@dataclass(frozen=True, kw_only=True)
class Click(ItemEvent):
    kind: ClassVar[str] = columns.CLICK


@dataclass(frozen=True, kw_only=True)
class Cart(ItemEvent):
    kind: ClassVar[str] = columns.CART
    quantity: int = 1
    value_micros: int | None = None


@dataclass(frozen=True, kw_only=True)
class Purchase(ItemEvent):
    kind: ClassVar[str] = columns.PURCHASE
    quantity: int = 1
    value_micros: int | None = None


@dataclass(frozen=True, kw_only=True)
class Cancel(ItemEvent):
    """Undoes a purchase of the same user and item."""

    kind: ClassVar[str] = columns.CANCEL
    quantity: int = 1


@dataclass(frozen=True, kw_only=True)
class Like(ItemEvent):
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
_TEXTS = (
    columns.EVENT_ID,
    columns.USER_ID,
    columns.ITEM_ID,
    columns.QUERY,
    columns.SESSION_ID,
    columns.REQUEST_ID,
    columns.TITLE,
    columns.TEXT,
    columns.CATEGORY,
    columns.BRAND,
)
_LEAST = (
    (columns.POSITION, 1, 2**31 - 1),
    (columns.QUANTITY, 1, 2**53),
    (columns.VALUE_MICROS, 0, 2**62),
    (columns.PRICE_MICROS, 0, 2**62),
)


def parse_event(row: Mapping[str, Any]) -> Event:
    """The event that `row` describes; unknown keys and bad values are refused by name.

    Raises:
        InvalidEventError: the message names the field, the value and the remedy.
    """
    kind = row.get(columns.KIND)
    cls = EVENT_CLASSES.get(str(kind))
    if cls is None:
        raise InvalidEventError(f"kind {kind!r} is unknown. Use one of: {', '.join(EVENT_CLASSES)}.")
    known = {field.name for field in fields(cls)}
    unknown = sorted(set(row) - known - {columns.KIND})
    if unknown:
        raise InvalidEventError(f"{kind} has no field {unknown[0]!r}. It takes: {', '.join(sorted(known))}.")
    values = {name: value for name, value in row.items() if name in known and value is not None}
    if columns.AT in values:
        values[columns.AT] = _instant(values[columns.AT])
    _check_fields(values)
    if columns.ATTRIBUTES in values:
        values[columns.ATTRIBUTES] = _attributes(values[columns.ATTRIBUTES])
    missing = sorted(_required(cls) - set(values))
    if missing:
        raise InvalidEventError(f"{kind} needs {', '.join(missing)}.")
    return cls(**values)


def encode_event(event: Event) -> dict[str, Any]:
    """`event` as a mapping that `parse_event` reads back; absent fields are left out.

    >>> row = {"kind": "view", "event_id": "e", "user_id": "u", "item_id": "i", "at": "2026-01-01T00:00:00Z"}
    >>> parse_event(encode_event(parse_event(row))) == parse_event(row)
    True
    """
    row: dict[str, Any] = {columns.KIND: event.kind}
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Mapping):
            value = {key: list(each) if isinstance(each, tuple) else each for key, each in value.items()}
        if value is not None:
            row[field.name] = value
    return row


def _required(cls: type[Event]) -> set[str]:
    return {field.name for field in fields(cls) if field.default is MISSING}


def _check_fields(values: Mapping[str, Any]) -> None:
    for name in _TEXTS:
        if name in values and (not isinstance(values[name], str) or not values[name].strip()):
            raise InvalidEventError(f"{name} must be a text that is not empty (got {values[name]!r}).")
    for name, least, most in _LEAST:
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidEventError(f"{name} must be a whole number from {least} to {most} (got {value!r}).")
    if not isinstance(values.get(columns.AVAILABLE, True), bool):
        raise InvalidEventError(f"available must be true or false (got {values[columns.AVAILABLE]!r}).")


def _attributes(value: Any) -> dict[str, AttributeValue]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
        raise InvalidEventError(f"attributes must be an object of names and values (got {value!r}).")
    return {name: _attribute(name, each) for name, each in value.items()}


def _attribute(name: str, value: Any) -> AttributeValue:
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value != value:
        raise InvalidEventError(
            f"attributes.{name} must be a text, a number or a list of texts (got {value!r})."
        )
    return value if isinstance(value, str) else float(value)


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidEventError(
                f"at {value!r} is no ISO 8601 instant. Write for example 2026-01-31T12:00:00Z."
            ) from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidEventError(f"at {value!r} has no time zone. Write for example 2026-01-31T12:00:00Z.")
    return value.astimezone(UTC)
