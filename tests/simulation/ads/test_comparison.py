"""Policies beside each other: intervals by Student's t, verdicts by the sign that is better."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from recsys.simulation.ads.comparison import compare_policies, interval_of, paired_differences
from recsys.simulation.ads.measures import Measure
from recsys.simulation.ads.tables import (
    comparison_json,
    difference_rows,
    headline,
    measure_rows,
    verdict_lines,
)
from tests.simulation.ads.markets import SIMPLEST, all_runs, small_market

DAYS = np.array([10.0, 12.0, 11.0, 13.0])


def measure(by_day: np.ndarray, better: str) -> Measure:
    return Measure("revenue", better, by_day, float(by_day.sum()))  # type: ignore[arg-type]


def test_an_interval_is_that_of_a_t_test() -> None:
    found = interval_of(DAYS)
    expected = stats.ttest_1samp(DAYS, 0).confidence_interval(0.95)
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((11.5, expected.low, expected.high))


def test_days_that_a_measure_has_no_value_on_are_left_out_and_one_day_has_no_interval() -> None:
    found = interval_of(np.array([np.nan, 3.0]))
    assert found is not None
    assert (found.mean, found.low) == (3.0, None)
    assert interval_of(np.array([np.nan])) is None


@pytest.mark.parametrize(("better", "verdict"), [("more", "better"), ("less", "worse")])
def test_a_difference_is_paired_by_day_and_judged_by_what_is_better(better: str, verdict: str) -> None:
    """Each day is about 1 above the other: 0.9 to 1.1, so the interval leaves 0 out."""
    others = {"revenue": measure(DAYS, better)}
    ours = {"revenue": measure(DAYS + np.array([0.9, 1.1, 1.0, 1.0]), better)}
    (found,) = paired_differences("new", ours, "old", others)
    assert found.verdict == verdict
    assert found.interval.mean == pytest.approx(1)
    assert found.relative == pytest.approx(1 / 11.5)


def test_a_policy_against_itself_shows_no_difference() -> None:
    paced, _ = all_runs()
    again = replace(paced, policy=replace(paced.policy, name="again"))
    found = compare_policies(small_market(), [paced, again])
    assert {each.interval.mean for each in found.differences} == {0.0}
    assert "better on nothing; worse on nothing" in verdict_lines(found)[0]


def test_a_policy_of_a_file_is_compared_with_the_default_and_with_the_simplest() -> None:
    paced, simplest = all_runs()
    mine = replace(paced, policy=replace(paced.policy, name="mine"))
    found = compare_policies(small_market(), [paced, simplest, mine])
    pairs = dict.fromkeys((each.policy, each.against) for each in found.differences)
    assert list(pairs) == [("default", "simplest"), ("mine", "default"), ("mine", "simplest")]


def test_people_and_programs_are_told_the_same() -> None:
    found = compare_policies(small_market(), all_runs())
    document = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    names = [each["name"] for each in document["policies"]]
    assert names == ["default", SIMPLEST.name]
    rows = {str(row["measure"]): row for row in measure_rows(found)}
    by_day = document["policies"][0]["measures"]["revenue"]["by_day"]
    assert str(rows["revenue a day"]["default"]).startswith(f"{np.mean(by_day):,.2f} [")
    assert "6,000 auctions in 2 days, 4 accounts, 6 campaigns" in headline(found)
    assert {row["verdict"] for row in difference_rows(found)} <= {"better", "worse", "no difference seen"}
