"""Whether a candidate takes over: by the mean, or by an interval that excludes a loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.errors import DataError
from recsys.evaluation.promotion_test import TranslatedScorer, case_values, compare_case_values, in_vocabulary


def compare(candidate: list[float], production: list[float], epsilon: float | None = None):
    rng = np.random.default_rng(0)
    return compare_case_values(np.array(candidate), np.array(production), epsilon, 500, rng)


def test_a_better_mean_is_promoted_and_the_reason_has_the_numbers() -> None:
    found = compare([0.6] * 30, [0.5] * 30)
    assert found.promote
    assert found.difference == pytest.approx(0.1)
    assert found.reason == (
        "ndcg@10 0.6000 against 0.5000 on 30 users, difference +0.1000 [+0.1000, +0.1000]: "
        "better on average, significantly so"
    )


def test_an_equal_or_a_worse_mean_is_not() -> None:
    assert not compare([0.5] * 30, [0.5] * 30).promote
    assert compare([0.5] * 30, [0.5] * 30).reason.endswith("no different on average, but not significantly")
    assert not compare([0.4] * 30, [0.5] * 30).promote


def test_a_tolerance_lets_the_fresher_of_two_equal_ones_in() -> None:
    assert compare([0.5] * 30, [0.5] * 30, epsilon=0.0).promote
    assert compare([0.495] * 30, [0.5] * 30, epsilon=0.01).promote
    assert not compare([0.48] * 30, [0.5] * 30, epsilon=0.01).promote


def test_a_better_mean_that_may_be_a_loss_fails_a_strict_tolerance() -> None:
    rng = np.random.default_rng(1)
    production = rng.random(40)
    noisy = production + rng.normal(0.01, 0.3, 40)
    found = compare(noisy.tolist(), production.tolist(), epsilon=0.001)
    assert found.low < -0.001
    assert not found.promote
    assert "perhaps worse by more than 0.001" in found.reason


def test_too_few_users_are_rejected() -> None:
    with pytest.raises(DataError, match="only 19 users acted after both"):
        compare([1.0] * 19, [0.0] * 19)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=20, max_size=60), st.floats(0, 0.5))
def test_a_wider_tolerance_never_takes_back_a_yes(values: list[tuple[float, float]], epsilon: float) -> None:
    ours, theirs = (list(side) for side in zip(*values, strict=True))
    found = compare(ours, theirs, epsilon)
    assert found.low <= found.high
    assert found.promote == (found.low >= -epsilon)
    if found.promote:
        assert compare(ours, theirs, epsilon + 0.1).promote


SHOP = Vocabulary(("", "apple", "bread", "milk", "tea"))
OLD = Vocabulary(("", "tea", "bread"))  # a bundle of before apple and milk came, in an order of its own


class OldScorer:
    """Likes tea more than bread."""

    name = "old"

    def score(self, cases: EvalCases) -> np.ndarray:
        return np.tile(np.array([0, 2, 1], np.float32), (len(cases), 1))


def test_an_old_bundle_is_scored_in_todays_vocabulary() -> None:
    users = Vocabulary.of(["ann"])
    one = np.ones(3, np.int64)
    item = np.array([2, 4, 1])
    interactions = Interactions(users, SHOP, one, item, one, np.ones(3, np.float32), np.arange(3))
    translated = in_vocabulary(interactions, OLD)
    assert [OLD.ids[index] for index in translated.item_index] == ["bread", "tea"]  # apple is not known to it
    cases = EvalCases(
        np.array([1]), np.array([10]), np.array([0, 2]), np.array([3, 4])
    )  # milk and tea came next
    scores = TranslatedScorer(OldScorer(), OLD, SHOP).score(cases)
    assert scores.tolist() == [[-np.inf, -np.inf, 1.0, -np.inf, 2.0]]
    # Tea is found first of two targets: 1 / (1 + 1 / log2(3)).
    values = case_values(TranslatedScorer(OldScorer(), OLD, SHOP), cases, interactions, "keep")
    assert values.tolist() == pytest.approx([1 / (1 + 1 / np.log2(3))])
