"""A curve is found again from its own costs, and a fixed cost is not taken for slow growth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.sizing.growth_curve import HIGHEST, LOWEST, GrowthCurve, growth_curve


@given(
    st.floats(0, 1e4), st.floats(0.01, 100), st.floats(0.3, 2), st.sampled_from([(1, 3, 9), (1e4, 1e5, 1e6)])
)
def test_a_curve_is_found_again_from_three_costs(fixed, rate, exponent, sizes) -> None:
    rises = rate * sizes[-1] ** exponent
    costs = [0.1 * rises * (fixed / 1e4) + rate * size**exponent for size in sizes]
    found = growth_curve(sizes, costs)
    assert found.exponent == pytest.approx(exponent, abs=0.01)
    assert found.at(sizes[1]) == pytest.approx(costs[1], rel=0.02)


def test_what_costs_ten_seconds_in_any_case_and_one_a_thousand_grows_in_proportion() -> None:
    found = growth_curve([1000, 10_000, 100_000], [10 + 1, 10 + 10, 10 + 100])
    assert found == GrowthCurve(10.0, 0.001, 1.0)
    assert found.at(1_000_000) == 1010.0


def test_what_does_not_rise_is_flat_at_its_highest() -> None:
    assert growth_curve([1, 10, 100], [7.0, 7.05, 7.1]) == GrowthCurve(7.1, 0.0, 0.0)
    assert growth_curve([1, 10, 100], [9.0, 8.0, 7.0]).at(1e9) == 9.0


def test_exponents_are_bounded() -> None:
    assert growth_curve([1, 2, 4], [1, 1, 100]).exponent == HIGHEST
    assert growth_curve([1, 2, 4], [1, 90, 100]).exponent == LOWEST


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [([1, 2], [1, 2]), ([1, 2, 2], [1, 2, 3]), ([3, 2, 1], [1, 2, 3]), ([1, 2, 3], [1, 2])],
)
def test_three_rising_sizes_are_needed(sizes, costs) -> None:
    with pytest.raises(ValueError, match="three or more rising sizes"):
        growth_curve(sizes, costs)
