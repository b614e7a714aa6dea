"""The verdict on a test: which baseline is the one to beat, and no more than the interval says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases
from recsys.evaluation.intervals import PairedDifference
from recsys.evaluation.rankings import Rankings
from recsys.evaluation.verdict import BaselineDifference, Verdict, measure_verdict

SETTINGS = EvaluationSettings(cutoffs=(1, 2), bootstrap_samples=200)
EVENTS = np.array([0, 100, 100, 2])  # item 3 is cold


def cases(targets: list[int]) -> EvalCases:
    count = len(targets)
    return EvalCases(
        np.arange(1, count + 1), np.zeros(count, np.int64), np.arange(count + 1), np.array(targets)
    )


def verdict(targets: list[int], **first_items: list[int]) -> Verdict:
    """Of models that each show one item a case; `ours` is served."""
    rankings = {
        name: Rankings(
            np.arange(1, len(items) + 1), np.array(items)[:, None], np.ones((len(items), 1), np.float32)
        )
        for name, items in first_items.items()
    }
    baselines = [name for name in rankings if name != "ours"]
    found = measure_verdict("ours", baselines, rankings, cases(targets), EVENTS, SETTINGS)
    assert found is not None
    return found


def test_the_baseline_to_beat_is_the_one_with_the_highest_ndcg_on_these_cases() -> None:
    targets = [1] * 300
    found = verdict(targets, ours=targets, weak=[2] * 300, strong=[1] * 150 + [2] * 150)
    assert found.overall.baseline == "strong"
    assert (found.overall.found.value, found.overall.found.other) == (1.0, 0.5)
    assert found.headline.startswith(
        "ours is better than the best baseline, strong: NDCG@1 1.0000 against 0.5000, difference +0.5000 ["
    )
    assert "on 300 cases" in found.headline


def test_cold_items_have_a_best_baseline_of_their_own() -> None:
    targets = [1] * 200 + [3] * 100
    found = verdict(targets, ours=[1] * 300, counts=[1] * 200 + [2] * 100, texts=[2] * 200 + [3] * 100)
    assert found.overall.baseline == "counts"
    assert found.overall.found.outcome == "not told apart"
    assert found.cold_items is not None
    assert (found.cold_items.baseline, found.cold_items.found.cases) == ("texts", 100)
    assert found.cold_items.found.difference == -1.0
    assert "On cold items (at most 5 training events) it is worse than the best baseline there, texts" in (
        found.remarks
    )


def test_without_cold_targets_the_remark_says_so() -> None:
    found = verdict([1] * 300, ours=[1] * 300, other=[2] * 300)
    assert found.cold_items is None
    assert found.remarks == "No case asks for a cold item."


def test_a_small_test_says_what_it_cannot_see() -> None:
    found = verdict([1] * 30, ours=[1] * 20 + [2] * 10, other=[1] * 10 + [2] * 20)
    width = (found.overall.found.high - found.overall.found.low) / 2
    assert f"The test is small: differences below about {width:.2g} cannot be seen" in found.remarks


def test_nineteen_cases_allow_no_verdict_whatever_they_say() -> None:
    found = verdict([1] * 19, ours=[1] * 19, other=[2] * 19)
    assert found.overall.found.low == 1.0
    assert found.headline.startswith("ours cannot be told, on so few cases, from the best baseline, other: ")
    assert "too small for a verdict" in found.remarks


def test_without_a_baseline_there_is_no_verdict() -> None:
    ranking = Rankings(np.array([1]), np.array([[1]]), np.ones((1, 1), np.float32))
    assert measure_verdict("ours", [], {"ours": ranking}, cases([1]), EVENTS, SETTINGS) is None


def test_a_program_gets_the_words_and_the_numbers() -> None:
    document = verdict([1] * 300, ours=[1] * 300, other=[2] * 300).to_json()
    assert document["overall"]["outcome"] == "better"
    assert document["overall"]["difference"] == 1.0
    assert document["cold_items"] is None
    assert document["text"].startswith("ours is better")


@settings(max_examples=200)
@given(st.floats(-0.3, 0.3), st.floats(0, 0.2), st.integers(1, 1000))
def test_a_claim_never_goes_beyond_the_printed_interval(difference: float, width: float, count: int) -> None:
    found = PairedDifference(0.5, 0.5 - difference, difference, difference - width, difference + width, count)
    text = Verdict("ours", "NDCG@10", BaselineDifference("other", found), None).headline
    low, high = (float(end) for end in str(found).partition("[")[2].rstrip("]").split(", "))
    assert (" is better than " in text) <= (low > 0 and count >= 20)
    assert (" is worse than " in text) <= (high < 0 and count >= 20)


@pytest.mark.parametrize(("low", "high"), [(0.00004, 0.01), (-0.01, -0.00004), (0.0, 0.0)])
def test_an_end_that_is_printed_as_0_tells_nothing_apart(low: float, high: float) -> None:
    assert PairedDifference(0.5, 0.5, (low + high) / 2, low, high, 500).outcome == "not told apart"
