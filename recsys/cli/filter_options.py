"""Options of commands that show items: what an item must be to be shown."""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated

import orjson
import typer

from recsys.errors import RequestError
from recsys.filters import AttributeCondition, Filters, NoneOf, NumberRange, Value, filters_from_json

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_RANGE = re.compile(rf"{_NUMBER}?\.\.{_NUMBER}?")

Category = Annotated[list[str] | None, typer.Option(help="Only items of this category; may be repeated.")]
CategoryPath = Annotated[
    list[str] | None,
    typer.Option(
        metavar="A/B/C",
        help="Only items of this category path or below it, such as Home/Kitchen; may be repeated.",
    ),
]
NotCategory = Annotated[list[str] | None, typer.Option(help="No items of this category; may be repeated.")]
Brand = Annotated[list[str] | None, typer.Option(help="Only items of this brand; may be repeated.")]
PriceMin = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Only items that cost so much or more.")]
PriceMax = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Only items that cost so much or less.")]
Attribute = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Only items with this attribute. Repeated with one name: one of the values; size=40..44: a "
        "number within bounds, of which one may be left out; colour!=red: another value or none. A number in "
        "quotes, size='\"42\"', is a text.",
    ),
]
Unavailable = Annotated[
    bool, typer.Option("--include-unavailable", help="Also items that cannot be bought now.")
]
FiltersJson = Annotated[
    str | None,
    typer.Option(
        "--filters",
        metavar="JSON",
        help="All filters as a JSON object, as POST /v1/recommend takes them; instead of those above.",
    ),
]


def parse_amount(option: str, text: str | None) -> int | None:
    """An amount of money in micros; None where none was given.

    >>> parse_amount("--price-max", "2.50"), parse_amount("--price-max", None)
    (2500000, None)

    Raises:
        BadParameter: it is no amount.
    """
    if text is None:
        return None
    try:
        micros = Decimal(text) * 1_000_000
        if not 0 <= micros <= 10**15 or micros % 1:
            raise InvalidOperation
    except InvalidOperation:
        raise typer.BadParameter(
            f"{text!r} is not a valid amount. Write for example 2.50.", param_hint=option
        ) from None
    return int(micros)


def filters_of(
    document: str | None,
    *,
    categories: list[str] | None = None,
    category_paths: list[str] | None = None,
    not_categories: list[str] | None = None,
    brands: list[str] | None = None,
    price_min: str | None = None,
    price_max: str | None = None,
    attributes: list[str] | None = None,
    include_unavailable: bool = False,
) -> Filters:
    """The filters that the options say, or that `document` says.

    Raises:
        BadParameter: an option cannot be read, or there are others beside `document`.
    """
    filters = Filters(
        categories=tuple(categories or ()),
        brands=tuple(brands or ()),
        price_min_micros=parse_amount("--price-min", price_min),
        price_max_micros=parse_amount("--price-max", price_max),
        attributes=parse_attributes(attributes or ()),
        include_unavailable=include_unavailable,
        category_paths=tuple(category_paths or ()),
        none_of=(Filters(categories=tuple(not_categories)),) if not_categories else (),
    )
    if document is None:
        return filters
    if filters != Filters():
        raise typer.BadParameter("says all filters. Leave the other ones out.", param_hint="--filters")
    try:
        return filters_from_json(orjson.loads(document))
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(
            f"{document[:100]!r} is not JSON: {error}.", param_hint="--filters"
        ) from None
    except RequestError as error:
        raise typer.BadParameter(str(error), param_hint="--filters") from None


def parse_attributes(texts: Iterable[str]) -> dict[str, AttributeCondition]:
    """The condition on each attribute that `texts` name.

    >>> parse_attributes(["colour=red", "colour=blue", "size=40..44"])
    {'colour': ('red', 'blue'), 'size': NumberRange(least=40.0, most=44.0)}
    >>> parse_attributes(["colour!=red", 'size="42"', "weight=1.5"])
    {'size': '42', 'weight': 1.5, 'colour': NoneOf(values=('red',))}

    Raises:
        BadParameter: there is no `=`, or two conditions on one attribute that no item is asked for at once.
    """
    wanted: dict[str, list[Value]] = {}
    unwanted: dict[str, list[Value]] = {}
    within: dict[str, list[NumberRange]] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name.removesuffix("!"):
            raise _bad_attribute(f"{text!r} is not a valid attribute. Write NAME=VALUE.")
        if (span := _RANGE.fullmatch(value)) and value != ".." and not name.endswith("!"):
            within.setdefault(name, []).append(
                NumberRange(*(float(end) if end else None for end in span.groups()))
            )
        elif name.endswith("!"):
            unwanted.setdefault(name.removesuffix("!"), []).append(_value(value))
        else:
            wanted.setdefault(name, []).append(_value(value))
    names = [*wanted, *unwanted, *within]
    twice = next((name for name in names if names.count(name) > 1 or len(within.get(name, ())) > 1), None)
    if twice is not None:
        raise _bad_attribute(
            f"{twice!r} has two kinds of condition. Write them by --filters, one under `not`."
        )
    return {
        **{name: values[0] if len(values) == 1 else tuple(values) for name, values in wanted.items()},
        **{name: NoneOf(tuple(values)) for name, values in unwanted.items()},
        **{name: spans[0] for name, spans in within.items()},
    }


def _value(text: str) -> Value:
    """A number where it reads as one and is not quoted."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    try:
        return float(text)
    except ValueError:
        return text


def _bad_attribute(problem: str) -> typer.BadParameter:
    return typer.BadParameter(problem, param_hint="--attribute")
