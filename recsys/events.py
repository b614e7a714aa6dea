"""Events: what people do in a shop, one frozen class a kind, and their way from and to plain mappings.

o = (x, y, z) of the source article: x is the kind, y the fields, z the instant `at`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Any, ClassVar

from recsys import columns
from recsys.catalog import AttributeValue
from recsys.documents import JsonObject
from recsys.errors import InvalidEventError, did_you_mean
from recsys.event_fields import CHECKS, Check, shown, without_sign


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all kinds share. `at` is aware UTC; `event_id` makes a retry harmless."""

    kind: ClassVar[str]
    event_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class UserEvent(Event):
    """What a person did; `request_id` names the response that it answers to, `query_id` the search.

    A search with all of its pages is one query: `query_id` is the `request_id` of its first page.
    """

    user_id: str
    session_id: str | None = None
    request_id: str | None = None
    query_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Search(UserEvent):
    """A query that was sent and answered, or a further page of its results; a keystroke is none.

    Attributes:
        results: how many items were found in all; None = the page does not say, which is not 0.
        filters: what else was asked for, as the body of the request had it.
        surface: which search box it was. page: of the results, from 1.
    """

    kind: ClassVar[str] = columns.SEARCH
    query: str
    results: int | None = None
    filters: JsonObject | None = None
    surface: str | None = None
    page: int | None = None


@dataclass(frozen=True, kw_only=True)
class ItemEvent(UserEvent):
    """An event about one item; `position` (from 1) is where the slate showed it."""

    item_id: str
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class Impression(ItemEvent):
    """An item was shown.

    Attributes:
        surface: the place of the shop. visible_ms: how long it was in sight.
        viewable: at least half of its area for at least a second, as the page measured it; false says that
            it was not really seen, None that nobody measured.
        token: of a sponsored item, as the page got it; None = organic.
    """

    kind: ClassVar[str] = columns.IMPRESSION
    surface: str | None = None
    visible_ms: int | None = None
    viewable: bool | None = None
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class View(ItemEvent):
    """An item's page was opened."""

    kind: ClassVar[str] = columns.VIEW


@dataclass(frozen=True, kw_only=True)
class Click(ItemEvent):
    """An item on a slate or a list was clicked; `token` as of an impression."""

    kind: ClassVar[str] = columns.CLICK
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cart(ItemEvent):
    """An item was put into the cart; `token` of the sponsored item that led to it."""

    kind: ClassVar[str] = columns.CART
    quantity: float = 1
    value_micros: int | None = None
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class Purchase(ItemEvent):
    """An item was bought; `token` of the sponsored item that led to it."""

    kind: ClassVar[str] = columns.PURCHASE
    quantity: float = 1
    value_micros: int | None = None
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cancel(ItemEvent):
    """Takes back what was bought of an item: `quantity` of it, else `value_micros` of the latest purchase.

    With neither the latest purchase is undone as a whole. The sign of both is dropped. `token`: of the
    purchase that is taken back.
    """

    kind: ClassVar[str] = columns.CANCEL
    quantity: float | None = None
    value_micros: int | None = None
    token: str | None = None


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
    product_id: str | None = None
    category_path: str | None = None
    first_at: datetime | None = None


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


Fields = dict[str, Any]
"""Values of an event's fields by their names; absent ones are left out."""


def parse_event(row: Mapping[str, Any]) -> Event:
    """The event that `row` describes; unknown keys and bad values are rejected by name.

    Raises:
        InvalidEventError: the message names the field, the value and the remedy.
    """
    cls, values = parse_fields(row)
    return cls(**values)


def parse_fields(row: Mapping[str, Any]) -> tuple[type[Event], Fields]:
    """The class and the fields of the event that `row` describes, absent ones left out; see `parse_event`."""
    kind = row.get(columns.KIND)
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise InvalidEventError(f"kind {shown(kind)} is unknown. Use one of: {', '.join(EVENT_CLASSES)}.")
    if not form.keys >= row.keys():
        unknown, known = sorted(row.keys() - form.keys)[0], sorted(form.keys - {columns.KIND})
        near = did_you_mean(unknown, known)
        raise InvalidEventError(f"{kind} has no field {shown(unknown)}.{near} It takes: {', '.join(known)}.")
    values: Fields = {**form.defaults}
    for name, check in form.checks:
        value = row.get(name)
        if value is not None and (kept := check(name, value)) is not None:
            values[name] = kept
    if not values.keys() >= form.required:
        raise InvalidEventError(f"{kind} needs {', '.join(sorted(form.required - values.keys()))}.")
    return form.cls, values


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
    if (first_at := row.get(columns.FIRST_AT)) is not None:
        row[columns.FIRST_AT] = first_at.isoformat()
    attributes = row.get(columns.ATTRIBUTES)
    if attributes is not None:
        row[columns.ATTRIBUTES] = {
            key: list(each) if isinstance(each, tuple) else each for key, each in attributes.items()
        }
    vectors = row.get(columns.VECTORS)
    if vectors is not None:
        row[columns.VECTORS] = {key: list(each) for key, each in vectors.items()}
    return row


@dataclass(frozen=True)
class _Form:
    """How rows of one kind are read.

    Attributes:
        keys: that a row may have.
        checks: what makes the value of a field, in the order in which wrong ones are complained of.
        required: fields that a row must have.
        defaults: what absent fields say, where that is not nothing.
    """

    cls: type[Event]
    keys: frozenset[str]
    checks: tuple[tuple[str, Check], ...]
    required: frozenset[str]
    defaults: Mapping[str, Any]

    @classmethod
    def of(cls, event: type[Event]) -> "_Form":
        found = {field.name: field for field in fields(event)}
        checks = {name: check for name, check in CHECKS.items() if name in found}
        if event is Cancel:
            amounts = (columns.EVENT_QUANTITY, columns.VALUE_MICROS)
            checks |= {name: without_sign(checks[name]) for name in amounts}
        return cls(
            event,
            frozenset({columns.KIND, *found}),
            tuple(checks.items()),
            frozenset(name for name, field in found.items() if field.default is MISSING),
            {name: field.default for name, field in found.items() if field.default not in (MISSING, None)},
        )


_FORMS = {kind: _Form.of(cls) for kind, cls in EVENT_CLASSES.items()}
