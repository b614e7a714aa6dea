"""Filters as documents of rules have them: the JSON of /v1/recommend's `filters`."""

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.filters import Filters
from recsys.rules.document_fields import DocumentFields

_FIELDS = ("categories", "brands", "price_min_micros", "price_max_micros", "attributes")
_MOST_MICROS = 10**15
MAX_ATTRIBUTES = 20


def parse_filters(document: object, where: str) -> Filters:
    """The filters that `document` says; those of a rule leave availability to the request.

    Raises:
        DataError: a field is unknown or wrong, or no condition is there.
    """
    fields = DocumentFields.of(document, where, _FIELDS)
    attributes = fields.document.get("attributes", {})
    if not isinstance(attributes, dict) or len(attributes) > MAX_ATTRIBUTES:
        raise fields.fail("attributes", f"an object of up to {MAX_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        if isinstance(value, bool) or not isinstance(value, str | float | int):
            raise DataError(f"{where}: attributes.{name} is {value!r}. Write a text or a number.")
    filters = Filters(
        fields.texts("categories"),
        fields.texts("brands"),
        _micros(fields, "price_min_micros"),
        _micros(fields, "price_max_micros"),
        dict(attributes),
    )
    if filters == Filters():
        raise DataError(f"{where} has no condition. Write at least one of {', '.join(_FIELDS)}.")
    return filters


def filters_to_json(filters: Filters) -> JsonObject:
    """The document of `filters`, which `parse_filters` reads."""
    document = {
        "categories": list(filters.categories),
        "brands": list(filters.brands),
        "price_min_micros": filters.price_min_micros,
        "price_max_micros": filters.price_max_micros,
        "attributes": dict(filters.attributes),
    }
    return {name: value for name, value in document.items() if value not in (None, [], {})}


def _micros(fields: DocumentFields, name: str) -> int | None:
    return None if fields.document.get(name) is None else fields.whole(name, 0, _MOST_MICROS)
