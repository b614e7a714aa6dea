"""Effects on arrays of items: hides, filters, boosts by place, pins."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import RequestError
from recsys.filters import Filters
from recsys.rules.applying import (
    ItemEffects,
    ItemLookup,
    WantedPin,
    hidden_by,
    place_pins,
    weighed_by,
    weighted_order,
)
from recsys.rules.effects import Effects, FiredRule, Hide, Pin, Requirement, Weight

IDS = ("", "a", "b", "c", "d", "e")
BRANDS = ("", "X", "X", "Y", "Y", "")


def passing(filters: Filters) -> np.ndarray:
    if filters.attributes:
        raise RequestError("no item has an attribute 'colour'.")
    return np.array([bool(brand) and brand in filters.brands for brand in BRANDS])


def indexes(item_ids: Sequence[str]) -> np.ndarray:
    return np.array([IDS.index(each) if each in IDS else 0 for each in item_ids], np.int64)


LOOKUP = ItemLookup(len(IDS), indexes, passing)
X, Y, UNKNOWN = Filters(brands=("X",)), Filters(brands=("Y",)), Filters(attributes={"colour": "red"})


def named(*actions: str) -> tuple[FiredRule, ...]:
    return tuple(FiredRule(f"r{number}", "", 1, action, "it") for number, action in enumerate(actions))


def applied(**fields: object) -> ItemEffects:
    effects = Effects(**{"fired": named("x", "y", "z"), **fields})  # type: ignore[arg-type]
    return ItemEffects.of(effects, LOOKUP)


def names(mask: np.ndarray) -> str:
    return "".join(np.array(IDS)[mask])


ALL = np.array([False, True, True, True, True, True])


def test_nothing_that_fires_leaves_everything_as_it_was() -> None:
    nothing = ItemEffects.of(Effects(), LOOKUP)
    assert nothing.without_removed(ALL) is ALL
    assert nothing.order(np.array([3, 1, 2])).tolist() == [0, 1, 2]


def test_hides_are_joined_and_filters_all_have_to_pass() -> None:
    hidden = applied(hides=(Hide(("a", "nobody"), None, 0), Hide((), Y, 1)))
    assert names(hidden.without_removed(ALL)) == "be"
    required = applied(filters=(Requirement(X, 0), Requirement(Filters(brands=("X", "Y")), 1)))
    assert names(required.without_removed(ALL)) == "ab"
    assert names(applied(filters=(Requirement(X, 0), Requirement(Y, 1))).without_removed(ALL)) == ""
    both = applied(hides=(Hide(("a",), None, 0),), filters=(Requirement(X, 1),))
    assert names(both.without_removed(ALL)) == "b"


def test_an_action_that_the_catalog_cannot_follow_has_failed_and_says_so() -> None:
    found = applied(
        filters=(Requirement(UNKNOWN, 0),),
        hides=(Hide(("a",), UNKNOWN, 1),),
        boosts=(Weight(2, (), UNKNOWN, 2),),
    )
    assert [each.outcome for each in found.fired] == ["failed"] * 3
    assert found.fired[0].detail == "it: no item has an attribute 'colour'."
    assert names(found.without_removed(ALL)) == "bcde"  # what it names by id is hidden all the same


def test_factors_of_several_rules_are_multiplied_within_bounds() -> None:
    found = applied(boosts=(Weight(4, ("a",), X, 0), Weight(0.5, ("a",), None, 1)))
    assert found.factors is not None
    assert found.factors.tolist() == [1, 2, 4, 1, 1, 1]
    most = applied(boosts=(Weight(50, ("a",), None, 0), Weight(50, ("a",), None, 1), Weight(0.02, (), Y, 2)))
    assert most.factors is not None
    assert most.factors.tolist() == [1, 100, 1, 0.02, 0.02, 1]


@pytest.mark.parametrize(
    ("factors", "order"),
    [
        ([1, 1, 1, 1], [0, 1, 2, 3]),
        ([1, 1, 1, 2], [0, 1, 3, 2]),  # place 4 / 2 = 2: as place 2, behind it
        ([1, 1, 1, 2.1], [0, 3, 1, 2]),
        ([1, 1, 1, 9], [3, 0, 1, 2]),
        ([0.4, 1, 1, 1], [1, 0, 2, 3]),  # place 1 / .4 = 2.5
        ([0.01, 1, 1, 0.01], [1, 2, 0, 3]),
    ],
)
def test_a_boost_multiplies_the_reciprocal_place(factors: list[float], order: list[int]) -> None:
    assert weighted_order(np.array(factors, float)).tolist() == order


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20, unique=True), st.integers(0, 19))
def test_a_boost_moves_an_item_alike_whatever_the_scale_of_scores(scores: list[float], place: int) -> None:
    values = np.array(scores)
    factors = np.ones(len(values))
    factors[place % len(values)] = 3.0
    order = np.argsort(-values)
    grown = np.argsort(-np.arctan(values / 40))  # another scale, the same order
    assert weighted_order(factors[order]).tolist() == weighted_order(factors[grown]).tolist()


def place(chosen: list[int], pins: list[tuple[int, int]], count: int) -> tuple[list[int], dict[int, int]]:
    wanted = [WantedPin(index, position, fired) for fired, (index, position) in enumerate(pins)]
    index, positions = place_pins(np.array(chosen, np.int64), wanted, count)
    return index.tolist(), positions


def test_pins_take_their_places_and_the_others_close_up() -> None:
    assert place([1, 2, 3, 4], [(9, 1)], 4) == ([9, 1, 2, 3], {0: 1})
    assert place([1, 2, 3, 4], [(3, 1)], 4) == ([3, 1, 2, 4], {0: 1})
    assert place([1, 2, 3, 4], [(9, 2), (8, 4)], 4) == ([1, 9, 2, 8], {0: 2, 1: 4})


def test_of_two_pins_for_one_place_the_weaker_moves_on() -> None:
    assert place([1, 2, 3], [(9, 1), (8, 1), (7, 2)], 4) == ([9, 8, 7, 1], {0: 1, 1: 2, 2: 3})


def test_a_pin_beyond_what_there_is_comes_last_and_beyond_the_slate_not_at_all() -> None:
    assert place([1, 2], [(9, 7)], 10) == ([1, 2, 9], {0: 3})
    assert place([1, 2], [(9, 3)], 2) == ([1, 2], {})
    assert place([], [(9, 3), (8, 1)], 5) == ([8, 9], {1: 1, 0: 2})


@given(
    st.lists(st.integers(1, 30), unique=True, max_size=12),
    st.lists(st.tuples(st.integers(20, 40), st.integers(1, 14)), max_size=6, unique_by=lambda pin: pin[0]),
    st.integers(1, 12),
)
def test_a_slate_with_pins_has_each_item_once_and_the_rest_in_order(
    chosen: list[int], pins: list[tuple[int, int]], count: int
) -> None:
    index, positions = place(chosen, pins, count)
    assert len(index) == len(set(index)) <= count
    pinned = {pins[fired][0] for fired in positions}
    rest = [each for each in index if each not in pinned]
    kept = [each for each in chosen if each not in pinned]
    assert rest == kept[: len(rest)]
    assert len(index) == min(count, len(kept) + len(pinned))
    for fired, position in positions.items():
        assert index[position - 1] == pins[fired][0]


def test_pins_are_known_by_index_the_strongest_first() -> None:
    pins = applied(pins=(Pin("c", 2, 0), Pin("nobody", 1, 1))).pins
    assert pins == (WantedPin(3, 2, 0), WantedPin(0, 1, 1))


def test_what_hides_or_moves_an_item_is_named() -> None:
    effects = Effects(
        hides=(Hide(("a",), Y, 0),),
        filters=(Requirement(X, 1),),
        boosts=(Weight(2, (), X, 2),),
        fired=named("hide", "filter", "boost"),
    )
    assert [each.action for each in hidden_by(effects, LOOKUP, 1)] == ["hide"]
    assert [each.action for each in hidden_by(effects, LOOKUP, 3)] == ["hide", "filter"]
    assert [each.action for each in hidden_by(effects, LOOKUP, 2)] == []
    assert [each.action for each in weighed_by(effects, LOOKUP, 2)] == ["boost"]
