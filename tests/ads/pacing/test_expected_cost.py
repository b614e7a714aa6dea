"""What is held for a slot; what a gate does with it is in tests/contracts."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.pacing.budget_gate import expected_cost_micros


@pytest.mark.parametrize(
    ("pricing", "price", "probability", "cost"),
    [
        ("cpc", 400_000, 0.02, 8_000),
        ("cpa", 5_000_000, 0.0003, 1_500),
        ("cpc", 3, 0.5, 2),  # 1.5
        ("cpc", 1, 1e-9, 1),  # nothing is shown for free
        ("cpc", 400_000, 0.0, 1),
        ("cpm", 12_500_000, 0.5, 12_500),  # one impression at the full price
        ("cpm", 300, 0.5, 1),  # 0.3
    ],
)
def test_the_expected_cost_is_rounded_up(pricing: str, price: int, probability: float, cost: int) -> None:
    assert expected_cost_micros(pricing, price, probability) == cost  # type: ignore[arg-type]


@given(price=st.integers(1, 2**51), probability=st.floats(0, 1))
def test_it_is_at_least_the_expectation_and_at_most_the_price(price: int, probability: float) -> None:
    cost = expected_cost_micros("cpc", price, probability)
    assert 1 <= cost <= price
    assert cost >= Fraction(price) * Fraction(probability) * (1 - Fraction(1, 2**52))
