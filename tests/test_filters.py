"""The grammar of filters: what JSON says, what is refused and how, and back."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import RequestError
from recsys.filters import Filters, NoneOf, NumberRange, filters_from_json

ALL: dict[str, Any] = {
    "categories": ["tea"],
    "brands": ["Farm", "Valley"],
    "category_paths": ["Home/Kitchen"],
    "price_min_micros": 1,
    "price_max_micros": 5_000_000,
    "first_at_min": "2026-01-01T00:00:00+00:00",
    "first_at_max": "2026-02-01T00:00:00+00:00",
    "item_ids": ["a1"],
    "product_ids": ["p1"],
    "attributes": {
        "colour": ["red", "blue"],
        "size": {"min": 40, "max": 44.5},
        "organic": "yes",
        "year": 2024,
        "tag": {"not": ["old"]},
    },
    "include_unavailable": True,
    "any": [{"brands": ["X"]}, {"not": [{"categories": ["tea"]}]}],
    "not": [{"categories": ["coffee"]}],
}


def test_each_field_of_json_is_a_field_of_the_filters() -> None:
    filters = filters_from_json(ALL)
    assert filters == Filters(
        categories=("tea",),
        brands=("Farm", "Valley"),
        category_paths=("Home/Kitchen",),
        price_min_micros=1,
        price_max_micros=5_000_000,
        first_at_min=datetime(2026, 1, 1, tzinfo=UTC),
        first_at_max=datetime(2026, 2, 1, tzinfo=UTC),
        item_ids=("a1",),
        product_ids=("p1",),
        attributes={
            "colour": ("red", "blue"),
            "size": NumberRange(40, 44.5),
            "organic": "yes",
            "year": 2024,
            "tag": NoneOf(("old",)),
        },
        include_unavailable=True,
        any_of=(Filters(brands=("X",)), Filters(none_of=(Filters(categories=("tea",)),))),
        none_of=(Filters(categories=("coffee",)),),
    )
    # 9 fields of its own, 5 attributes, 2 + 1 inside any and not
    assert filters.conditions == 9 + 5 + 2 + 1
    assert filters.to_json() == ALL
    assert filters_from_json({}) == Filters()
    assert Filters().to_json() == {}


values = st.text(min_size=1, max_size=5) | st.integers(-5, 5) | st.floats(-5, 5)
conditions = st.one_of(
    values,
    st.lists(values, min_size=1, max_size=3).map(tuple),
    st.builds(NumberRange, st.floats(-5, 5), st.none() | st.integers(0, 5)),
    st.lists(values, min_size=1, max_size=3).map(lambda found: NoneOf(tuple(found))),
)
flat = st.builds(
    Filters,
    categories=st.lists(st.text(min_size=1, max_size=5), max_size=2).map(tuple),
    price_min_micros=st.none() | st.integers(0, 10**15),
    first_at_max=st.none() | st.datetimes(timezones=st.just(UTC)),
    attributes=st.dictionaries(st.text(min_size=1, max_size=5), conditions, max_size=2),
)
inside = st.lists(flat, max_size=2).map(tuple)


@given(st.one_of(flat, st.builds(Filters, any_of=inside, none_of=inside)))
def test_filters_come_back_from_their_json(filters: Filters) -> None:
    assert filters_from_json(json.loads(json.dumps(filters.to_json()))) == filters


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (3, "filters must be an object with fields such as categories (got 3)"),
        ({"brand": ["x"]}, "filters has no field 'brand'. Did you mean 'filters.brands'?"),
        ({"zzz": 1}, "filters has no field 'zzz'. Fields: categories, brands,"),
        ({"brands": "x"}, "filters.brands must be a list of texts (got 'x')"),
        ({"brands": [1]}, "filters.brands must be texts of 1 to 256 characters (got 1)"),
        ({"brands": [""]}, "filters.brands must be texts"),
        ({"brands": ["x"] * 101}, "filters.brands is a list of 101, at most 100 are taken"),
        ({"item_ids": ["x"] * 1001}, "filters.item_ids is a list of 1001, at most 1000"),
        ({"price_min_micros": True}, "filters.price_min_micros must be a whole number"),
        ({"price_max_micros": 1.5}, "filters.price_max_micros must be a whole number"),
        ({"price_max_micros": -1}, "(got -1)"),
        ({"first_at_min": "2026-01-01"}, "filters.first_at_min must be an ISO 8601 instant with a time zone"),
        ({"first_at_min": "soon"}, "(got 'soon')"),
        ({"first_at_max": "9999-12-31T23:59:59-10:00"}, "filters.first_at_max must be"),
        ({"include_unavailable": "yes"}, "filters.include_unavailable must be true or false (got 'yes')"),
        ({"attributes": ["x"]}, "filters.attributes must be an object of names and conditions"),
        ({"attributes": {"a": True}}, "filters.attributes.a must be a finite number (got True)"),
        ({"attributes": {"a": None}}, "filters.attributes.a must be texts"),
        ({"attributes": {"a": float("nan")}}, "filters.attributes.a must be a finite number (got nan)"),
        ({"attributes": {"a": 10**400}}, "filters.attributes.a must be a finite number"),
        ({"attributes": {"a": []}}, "filters.attributes.a is an empty list"),
        ({"attributes": {"a": {}}}, 'filters.attributes.a must be a value, a list of values, {"min": 1'),
        ({"attributes": {"a": {"min": 1, "not": 2}}}, "filters.attributes.a must be a value"),
        ({"attributes": {"a": {"min": "1"}}}, "filters.attributes.a.min must be a finite number (got '1')"),
        ({"attributes": {"a": {"not": []}}}, "filters.attributes.a.not is an empty list"),
        ({"any": {"brands": ["x"]}}, "filters.any must be a list of filters"),
        ({"any": [{}, {"brands": 1}]}, "filters.any.1.brands must be a list of texts (got 1)"),
        ({"not": [{"include_unavailable": True}]}, "filters.not.0.include_unavailable is of the outermost"),
    ],
)
def test_what_does_not_fit_is_named_with_its_value(document: Any, said: str) -> None:
    with pytest.raises(RequestError) as raised:
        filters_from_json(document)
    assert said in str(raised.value)


def test_more_than_a_hundred_conditions_are_refused_wherever_they_stand() -> None:
    hundred = {"attributes": {f"a{number}": "x" for number in range(100)}}
    assert filters_from_json(hundred).conditions == 100
    for more in ({**hundred, "brands": ["x"]}, {**hundred, "any": [{}]}):
        with pytest.raises(RequestError, match="filters has 101 conditions, at most 100"):
            filters_from_json(more)
    half = {"attributes": {f"a{number}": "x" for number in range(51)}}
    with pytest.raises(RequestError, match="102 conditions"):
        filters_from_json({"any": [half, half]})
    with pytest.raises(RequestError, match=r"filters\.any is a list of 1000, at most 100"):
        filters_from_json({"any": [{}] * 1000})


def test_filters_lie_three_deep_and_no_deeper() -> None:
    third = {"any": [{"not": [{"brands": ["x"]}]}]}
    assert filters_from_json(third).any_of[0].none_of == (Filters(brands=("x",)),)
    with pytest.raises(RequestError, match=r"filters\.not\.0\.any\.0\.not\.0 lies 4 filters deep, at most 3"):
        filters_from_json({"not": [third]})
    bottomless: dict[str, Any] = {}
    for _ in range(5000):
        bottomless = {"any": [bottomless]}
    with pytest.raises(RequestError, match="4 filters deep"):
        filters_from_json(bottomless)


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("categories", {"categories"}),
        ("brands", {"brands"}),
        ("category_paths", {"category_paths"}),
        ("price", {"price_min_micros", "price_max_micros"}),
        ("first_at", {"first_at_min", "first_at_max"}),
    ],
)
def test_a_facet_is_counted_without_its_own_condition(name: str, left_out: set[str]) -> None:
    left = filters_from_json(ALL).without(name).to_json()
    assert left == {key: value for key, value in ALL.items() if key not in left_out}


def test_a_facet_of_an_attribute_leaves_the_others() -> None:
    filters = filters_from_json(ALL)
    left = dict(ALL["attributes"])
    del left["size"]
    assert filters.without("attributes.size").to_json()["attributes"] == left
    assert filters.without("attributes.nothing") == filters
    with pytest.raises(RequestError, match="no filter can be left out for 'colour'"):
        filters.without("colour")


def test_filters_and_others_are_both_asked_for() -> None:
    tea, farm = Filters(categories=("tea",), price_max_micros=5), Filters(brands=("Farm",))
    both = tea.also(farm)
    assert (both.categories, both.price_max_micros) == (("tea",), 5)
    assert both.none_of == (Filters(none_of=(farm,)),)
    assert tea.also(Filters()) is tea
