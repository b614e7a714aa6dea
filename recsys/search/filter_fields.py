"""Which field of the filters belongs to a facet, and which of its values they select."""

from recsys.filters import Filters
from recsys.search.facets import BRAND, CATEGORY, CATEGORY_PATH
from recsys.search.requests import ATTRIBUTE

_FIELDS = {CATEGORY: "categories", BRAND: "brands", CATEGORY_PATH: "category_paths"}


def filter_field(facet: str) -> str:
    """The name that `Filters.without` knows a facet's field by.

    >>> filter_field("brand"), filter_field("attributes.colour")
    ('brands', 'attributes.colour')
    """
    return _FIELDS.get(facet, facet)


def selected_values(filters: Filters, facet: str) -> frozenset[str]:
    """The values that `filters` ask of a facet's field; none of a numeric one."""
    if facet in _FIELDS:
        return frozenset(getattr(filters, _FIELDS[facet]))
    condition = filters.attributes.get(facet.removeprefix(ATTRIBUTE)) if ATTRIBUTE in facet else None
    if isinstance(condition, str):
        return frozenset({condition})
    if isinstance(condition, tuple):
        return frozenset(value for value in condition if isinstance(value, str))
    return frozenset()
