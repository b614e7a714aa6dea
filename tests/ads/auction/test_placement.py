"""A placement that cannot be sold is refused by name."""

import pytest

from recsys.ads.auction.placement import Placement, Reserves
from recsys.errors import ConfigError


@pytest.mark.parametrize(
    ("examination", "message"),
    [
        ((), "examination is empty"),
        ((0.0,), "examination 0.0 is not above 0 and at most 1.0"),
        ((1.2,), "examination 1.2 is not above 0 and at most 1.0"),
        ((0.5, 0.7), "examination 0.7 is not above 0 and at most 0.5"),
        ((0.5, float("nan")), "examination nan is not above 0"),
    ],
)
def test_slots_are_named_from_the_one_that_is_viewed_most(
    examination: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Placement(examination)


def test_bounds_below_their_least_are_refused() -> None:
    with pytest.raises(ConfigError, match="most_per_account = 0 is below 1"):
        Placement((1.0,), most_per_account=0)
    with pytest.raises(ConfigError, match="most_reruns = -1 is below 0"):
        Placement((1.0,), most_reruns=-1)


@pytest.mark.parametrize("micros", [0, -1, 2**51 + 1])
def test_a_reserve_is_a_price_that_somebody_could_pay(micros: int) -> None:
    with pytest.raises(ConfigError, match=f"cpm_micros = {micros} is not between 1 and"):
        Reserves(cpm_micros=micros)


def test_an_account_may_have_all_slots_unless_bounded() -> None:
    assert Placement((1.0, 0.5)).account_limit == 2
    assert Placement((1.0, 0.5), most_per_account=1).account_limit == 1


def test_examination_is_rounded_to_parts_of_a_billion() -> None:
    assert Placement((2 / 3, 1 / 3)).examination_ppb == (666_666_667, 333_333_333)
