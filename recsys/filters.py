"""What an item must be to be shown: one grammar for recommendation, search and merchandising rules.

As JSON: `categories`, `brands`, `category_paths`, `item_ids`, `product_ids` (lists: one of these),
`price_min_micros`, `price_max_micros`, `first_at_min`, `first_at_max`, `attributes` (name -> a value, a list
of which one, {"min", "max"}, or {"not": a value or a list}), `include_unavailable`, and `any` and `not`:
lists of filters of which at least one, or none, is met. All fields together must be met.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from recsys.documents import JsonObject
from recsys.errors import RequestError, did_you_mean

MOST_CONDITIONS = 100  # of all filters together, those inside `any` and `not` too
MOST_DEPTH = 3  # filters, filters inside them, and filters inside those
MOST_VALUES = 100  # of one list
MOST_IDS = 1000  # of a list of ids
MOST_CHARACTERS = 256  # of a value
MOST_PRICE = 10**15
_SHOWN = 100  # characters of a wrong value that a message repeats
_OPPOSITE, _LEAST, _MOST = "not", "min", "max"

Value = str | float


@dataclass(frozen=True)
class NumberRange:
    """A number of at least `least` and at most `most`; None = no bound."""

    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class NoneOf:
    """None of `values`; an item without the attribute passes."""

    values: tuple[Value, ...]


AttributeCondition = Value | tuple[Value, ...] | NumberRange | NoneOf


@dataclass(frozen=True)
class Filters:
    """What an item must be to be shown; an empty field asks for nothing.

    Attributes:
        categories: one of these. brands: one of these.
        price_min_micros: at least; items without a price do not pass. price_max_micros: at most.
        attributes: attribute name -> value that the item has, or has among several; a tuple: one of them.
        include_unavailable: also items that cannot be bought now; of the outermost filters only.
        category_paths: one of these, or below one of these.
        first_at_min: entered the shop then or later; items without that instant do not pass.
        first_at_max: then or earlier.
        item_ids: one of these. product_ids: of one of these products; an item without one is its own.
        any_of: at least one of these is met.
        none_of: none of these is met.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min_micros: int | None = None
    price_max_micros: int | None = None
    attributes: Mapping[str, AttributeCondition] = field(default_factory=dict)
    include_unavailable: bool = False
    category_paths: tuple[str, ...] = ()
    first_at_min: datetime | None = None
    first_at_max: datetime | None = None
    item_ids: tuple[str, ...] = ()
    product_ids: tuple[str, ...] = ()
    any_of: tuple["Filters", ...] = ()
    none_of: tuple["Filters", ...] = ()

    @property
    def conditions(self) -> int:
        """How many conditions there are, those of inner filters included; a list of values is one."""
        own = sum(
            1
            for name, value in vars(self).items()
            if name not in ("attributes", "include_unavailable", "any_of", "none_of")
            and value not in (None, ())
        )
        inner = sum(max(1, each.conditions) for each in (*self.any_of, *self.none_of))
        return own + len(self.attributes) + inner

    def without(self, name: str) -> "Filters":
        """These filters less the outermost condition on `name`: what a facet is counted under.

        Args:
            name: `categories`, `brands`, `category_paths`, `price`, `first_at` or `attributes.NAME`.

        Raises:
            RequestError: there is no such condition to leave out.
        """
        if name.startswith("attributes."):
            wanted = name.removeprefix("attributes.")
            left = {key: value for key, value in self.attributes.items() if key != wanted}
            return replace(self, attributes=left)
        if name in ("categories", "brands", "category_paths"):
            return replace(self, **{name: ()})  # type: ignore[arg-type]
        if name == "price":
            return replace(self, price_min_micros=None, price_max_micros=None)
        if name == "first_at":
            return replace(self, first_at_min=None, first_at_max=None)
        raise RequestError(
            f"no filter can be left out for {name!r}. Use categories, brands, category_paths, price, "
            "first_at or attributes.NAME."
        )

    def also(self, other: "Filters") -> "Filters":
        """What meets these filters and `other`; `include_unavailable` is that of these."""
        if not other.conditions:
            return self
        return replace(self, none_of=(*self.none_of, Filters(none_of=(other,))))

    def to_json(self) -> JsonObject:
        """What `filters_from_json` reads back; fields that ask for nothing are left out."""
        document: dict[str, Any] = {}
        for key, (name, _) in _FIELDS.items():
            value = getattr(self, name)
            if value is None or value is False or value == () or value == {}:
                continue
            document[key] = _plain(value)
        return document


def filters_from_json(document: object, place: str = "filters") -> Filters:
    """The filters that a JSON object says.

    Args:
        place: where it stands in the request, for messages.

    Raises:
        RequestError: a field is unknown or does not fit, or there is too much; the message names field, value
            and remedy.
    """
    filters = _parsed(document, place, 1)
    if filters.conditions > MOST_CONDITIONS:
        raise RequestError(
            f"{place} has {filters.conditions} conditions, at most {MOST_CONDITIONS} are taken. Put "
            "the values of one field into one list, or ask twice."
        )
    return filters


def _parsed(document: object, place: str, depth: int) -> Filters:
    if not isinstance(document, Mapping):
        raise _unfit(place, "an object with fields such as categories", document)
    if depth > MOST_DEPTH:
        raise RequestError(
            f"{place} lies {depth} filters deep, at most {MOST_DEPTH} are taken. Write it with fewer `any` "
            "and `not` inside each other."
        )
    values: dict[str, Any] = {}
    for key, given in document.items():
        if key not in _FIELDS:
            near = did_you_mean(str(key), _FIELDS, f"{place}.")
            known = "" if near else f" Fields: {', '.join(_FIELDS)}."
            raise RequestError(f"{place} has no field {_shown(key)}.{near}{known}")
        name, check = _FIELDS[key]
        inner = f"{place}.{key}"
        if key in _INNER:
            values[name] = tuple(
                _parsed(each, f"{inner}.{number}", depth + 1)
                for number, each in enumerate(_list(inner, given, "filters", MOST_VALUES))
            )
        elif given is not None:
            values[name] = check(inner, given)
    if depth > 1 and values.pop("include_unavailable", None) is not None:
        raise RequestError(
            f"{place}.include_unavailable is of the outermost filters only. Write it there, or leave it out."
        )
    return Filters(**values)


def _names(most: int) -> Callable[[str, object], tuple[str, ...]]:
    def names(place: str, given: object) -> tuple[str, ...]:
        return tuple(_text(place, each) for each in _list(place, given, "texts", most))

    return names


def _list(place: str, given: object, of: str, most: int) -> list[Any]:
    if not isinstance(given, list | tuple):
        raise _unfit(place, f"a list of {of}", given)
    if len(given) > most:
        raise RequestError(
            f"{place} is a list of {len(given)}, at most {most} are taken. Leave some out, or ask twice."
        )
    return list(given)


def _text(place: str, given: object) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= MOST_CHARACTERS:
        raise _unfit(place, f"texts of 1 to {MOST_CHARACTERS} characters", given)
    return given


def _price(place: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MOST_PRICE:
        raise _unfit(place, f"a whole number of millionths from 0 to {MOST_PRICE}", given)
    return given


def _instant(place: str, given: object) -> datetime:
    example = "an ISO 8601 instant with a time zone, such as 2026-01-31T12:00:00Z"
    try:
        instant = datetime.fromisoformat(given) if isinstance(given, str) else given
        if not isinstance(instant, datetime) or instant.tzinfo is None:
            raise ValueError
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unfit(place, example, given) from None


def _flag(place: str, given: object) -> bool:
    if not isinstance(given, bool):
        raise _unfit(place, "true or false", given)
    return given


def _attributes(place: str, given: object) -> dict[str, AttributeCondition]:
    if not isinstance(given, Mapping):
        raise _unfit(place, "an object of names and conditions", given)
    return {_text(place, name): _condition(f"{place}.{name}", each) for name, each in given.items()}


def _condition(place: str, given: object) -> AttributeCondition:
    if isinstance(given, Mapping):
        if given.keys() == {_OPPOSITE}:
            unwanted = given[_OPPOSITE]
            listed = unwanted if isinstance(unwanted, list | tuple) else [unwanted]
            return NoneOf(_some(f"{place}.{_OPPOSITE}", listed))
        if not given or not given.keys() <= {_LEAST, _MOST}:
            raise _unfit(place, 'a value, a list of values, {"min": 1, "max": 2} or {"not": "value"}', given)
        bounds = {name: _number(f"{place}.{name}", bound) for name, bound in given.items()}
        return NumberRange(bounds.get(_LEAST), bounds.get(_MOST))
    return _some(place, given) if isinstance(given, list | tuple) else _value(place, given)


def _some(place: str, given: object) -> tuple[Value, ...]:
    values = _list(place, given, "texts and numbers", MOST_VALUES)
    if not values:
        raise RequestError(f"{place} is an empty list. Name at least one value, or leave the attribute out.")
    return tuple(_value(place, each) for each in values)


def _value(place: str, given: object) -> Value:
    return _number(place, given) if isinstance(given, int | float) else _text(place, given)


def _number(place: str, given: object) -> float:
    fits = isinstance(given, int | float) and not isinstance(given, bool)
    if not fits or not abs(given) <= 1e300 or not math.isfinite(given):  # type: ignore[arg-type]
        raise _unfit(place, "a finite number", given)
    return given  # type: ignore[return-value]


def _unfit(place: str, wanted: str, given: object) -> RequestError:
    return RequestError(f"{place} must be {wanted} (got {_shown(given)}).")


def _shown(value: object) -> str:
    return ascii(value)[:_SHOWN]


def _plain(value: Any) -> Any:
    """A field's value as JSON has it."""
    if isinstance(value, Filters):
        return value.to_json()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, NumberRange):
        bounds = ((_LEAST, value.least), (_MOST, value.most))
        return {name: bound for name, bound in bounds if bound is not None}
    if isinstance(value, NoneOf):
        return {_OPPOSITE: list(value.values)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


_INNER = ("any", "not")
# JSON field -> the field of `Filters`, and what checks its value; inner filters are parsed by themselves.
_FIELDS: Mapping[str, tuple[str, Callable[[str, object], object]]] = {
    "categories": ("categories", _names(MOST_VALUES)),
    "brands": ("brands", _names(MOST_VALUES)),
    "category_paths": ("category_paths", _names(MOST_VALUES)),
    "price_min_micros": ("price_min_micros", _price),
    "price_max_micros": ("price_max_micros", _price),
    "first_at_min": ("first_at_min", _instant),
    "first_at_max": ("first_at_max", _instant),
    "item_ids": ("item_ids", _names(MOST_IDS)),
    "product_ids": ("product_ids", _names(MOST_IDS)),
    "attributes": ("attributes", _attributes),
    "include_unavailable": ("include_unavailable", _flag),
    "any": ("any_of", _flag),
    "not": ("none_of", _flag),
}
