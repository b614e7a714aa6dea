"""Filters as documents of rules have them: those of a request, but for what is the request's alone."""

from recsys.documents import JsonObject
from recsys.errors import DataError, RequestError
from recsys.filters import Filters, filters_from_json

_AVAILABILITY = "include_unavailable"


def parse_filters(document: object, where: str) -> Filters:
    """The filters that `document` says; those of a rule leave availability to the request.

    Raises:
        DataError: a field is unknown or wrong, there is too much, or no condition is there.
    """
    if isinstance(document, dict) and _AVAILABILITY in document:
        raise DataError(f"{where}: {_AVAILABILITY} is the request's, not a rule's. Leave it out.")
    try:
        filters = filters_from_json(document, where)
    except RequestError as error:
        raise DataError(str(error)) from error
    if not filters.conditions:
        raise DataError(f"{where} has no condition. Write at least one, such as categories or brands.")
    return filters


def filters_to_json(filters: Filters) -> JsonObject:
    """The document of `filters`, which `parse_filters` reads."""
    return filters.to_json()
