"""What a log has to be, and what is said where it is not."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.evaluation.off_policy.log import Gap, policy_log, refuse_gaps

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OUTAGE = Gap("outage", NOON, NOON + timedelta(minutes=5))


def test_arms_are_named_in_order_and_units_are_numbered_as_they_come() -> None:
    log = policy_log(
        ["b", "a", "b"], np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.5, 1.0]), ["u9", "u2", "u9"]
    )
    assert log.arms == ("a", "b")
    assert log.arm.tolist() == [1, 0, 1]
    assert (log.unit.tolist(), log.units) == ([0, 1, 0], 2)
    assert log.features.shape == (3, 0)
    assert log.binary


def test_without_units_each_row_is_one() -> None:
    log = policy_log(["a", "a"], np.array([0.5, 2.0]), np.array([1.0, 1.0]))
    assert log.units == 2
    assert not log.binary


@pytest.mark.parametrize(
    ("propensity", "message"),
    [
        (float("nan"), "row 2 has no propensity"),
        (0.0, "row 2 has the propensity 0, yet its arm was shown"),
        (-0.1, "row 2 has a propensity below 0"),
        (12.0, "row 2 has a propensity above 1. Give a probability; 12% is written 0.12"),
    ],
)
def test_a_propensity_that_is_no_probability_is_refused_with_its_row(propensity: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        policy_log(["a", "b", "a"], np.zeros(3), np.array([0.5, propensity, 0.5]))


def test_the_first_of_several_wrong_rows_is_named_and_the_others_are_counted() -> None:
    with pytest.raises(DataError, match=r"file, row 7 \(and 1 more\) has no outcome. Write 0"):
        policy_log(
            ["a"] * 3, np.array([1, np.nan, np.nan]), np.ones(3), where=lambda row: f"file, row {row + 6}"
        )


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataError, match="3 rows have 2 of outcome"):
        policy_log(["a"] * 3, np.zeros(2), np.ones(3))


@pytest.mark.parametrize(("rows", "unit"), [(0, None), (1, None), (3, ["one", "one", "one"])])
def test_one_unit_is_too_few_for_an_interval(rows: int, unit: list[str] | None) -> None:
    with pytest.raises(DataError, match="An interval needs two units"):
        policy_log(["a"] * rows, np.zeros(rows), np.ones(rows), unit)


@pytest.mark.parametrize(
    ("first", "last"), [(-10, 10), (-10, 0), (5, 20), (1, 2)], ids=["across", "to it", "from it", "within"]
)
def test_rows_across_a_gap_are_refused(first: int, last: int) -> None:
    minutes = (NOON + timedelta(minutes=first), NOON + timedelta(minutes=last))
    with pytest.raises(DataError, match="has the gap 'outage'"):
        refuse_gaps(*minutes, [OUTAGE])


@pytest.mark.parametrize(("first", "last"), [(-10, -1), (6, 20)])
def test_rows_on_one_side_of_a_gap_are_fine(first: int, last: int) -> None:
    refuse_gaps(NOON + timedelta(minutes=first), NOON + timedelta(minutes=last), [OUTAGE])
