import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import RequestError
from recsys.search.facets import FacetValue, NumberColumn, TextColumn, count_facet, nice_ranges
from recsys.search.products import Products
from recsys.search.requests import FacetRequest

NO_VARIANTS = Products(np.arange(7), {})
# Items 1 and 2 are variants of one product, 5 and 6 of another.
VARIANTS = Products(np.array([0, 1, 1, 3, 4, 5, 5]), {"p": 1, "q": 5})
COLOURS = TextColumn.of([(1, "red"), (2, "red"), (3, "blue"), (4, "red"), (5, "blue"), (6, "green")])
EVERYTHING = np.array([False] + [True] * 6)


def counted(column: TextColumn, products: Products, selected: frozenset[str] = frozenset(), count: int = 20):
    facet = count_facet(FacetRequest("attributes.colour", count), column, EVERYTHING, products, selected)
    return {value.value: value.count for value in facet.values}


def test_without_variants_every_item_counts() -> None:
    assert counted(COLOURS, NO_VARIANTS) == {"red": 3, "blue": 2, "green": 1}


def test_a_product_counts_once_per_value() -> None:
    # Red: the product of 1 and 2, and item 4. Blue: item 3 and the product of 5 and 6, which is green too.
    assert counted(COLOURS, VARIANTS) == {"red": 2, "blue": 2, "green": 1}


def test_selected_values_are_listed_whatever_they_count() -> None:
    facet = count_facet(
        FacetRequest("attributes.colour", count=1),
        COLOURS,
        EVERYTHING,
        NO_VARIANTS,
        frozenset({"green", "mauve"}),
    )
    assert facet.values == (
        FacetValue("red", 3, selected=False),
        FacetValue("green", 1, selected=True),
        FacetValue("mauve", 0, selected=True),
    )
    assert facet.distinct == 3


def test_ranges_count_products_from_the_lower_bound_on_and_below_the_upper() -> None:
    prices = NumberColumn(np.arange(1, 7), np.array([1.0, 2.0, 2.0, 3.0, 3.0, 9.0]))
    request = FacetRequest("price", ranges=((None, 2.0), (2.0, 3.0), (3.0, None)))
    facet = count_facet(request, prices, EVERYTHING, VARIANTS, frozenset())
    # Below 2: item 1. From 2: items 2 and 3, two products. From 3: item 4, and 5 with 6.
    assert [each.count for each in facet.ranges] == [1, 2, 2]
    assert (facet.least, facet.most) == (1.0, 9.0)


def test_texts_have_no_ranges() -> None:
    request = FacetRequest("brand", ranges=((1.0, 2.0),))
    with pytest.raises(RequestError, match="'brand' holds texts"):
        count_facet(request, COLOURS, EVERYTHING, NO_VARIANTS, frozenset())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.integers(1, 8))
def test_chosen_ranges_hold_every_number_once(numbers: list[float], count: int) -> None:
    column = NumberColumn(np.arange(len(numbers)), np.array(numbers))
    products = Products(np.arange(len(numbers)), {})
    ranges = nice_ranges(column.values, count)
    assert sum(column.count(least, below, products) for least, below in ranges) == len(numbers)


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from("abc")), max_size=20, unique=True))
def test_counts_are_those_of_plain_sets(pairs: list[tuple[int, str]]) -> None:
    mask = np.array([False, True, False, True, True, True, True])
    wanted: dict[str, set[int]] = {}
    for item, value in pairs:
        if mask[item]:
            wanted.setdefault(value, set()).add(int(VARIANTS.lead[item]))
    facet = count_facet(FacetRequest("brand"), TextColumn.of(pairs), mask, VARIANTS, frozenset())
    assert {value.value: value.count for value in facet.values} == {
        value: len(products) for value, products in wanted.items()
    }
