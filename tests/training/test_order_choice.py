"""What is shipped for a kind of request: a learned order, unless it loses to a baseline for certain."""

import math

import numpy as np
import pytest

from recsys.models.orders import FUSION, NEIGHBOURS_AND_TEXT, OWN_ACTIONS, PRIOR, RANKER, OrderChoice
from recsys.training.stages.order_stage import MIN_USERS, _choose

USERS = np.arange(100)
BASELINES = (OWN_ACTIONS, NEIGHBOURS_AND_TEXT)


def about(mean: float, seed: int = 0, spread: float = 0.2) -> np.ndarray:
    """(100,) values of exactly this mean, each user's `spread` away from it either way."""
    signs = np.random.default_rng(seed).permutation(np.repeat((-1.0, 1.0), 50))
    return mean + spread * signs


def chosen(learned: tuple[str, ...] = (FUSION, PRIOR), **values: np.ndarray) -> OrderChoice:
    """Of orders by a short name and their values."""
    names = {"fusion": FUSION, "prior": PRIOR, "ranker": RANKER}
    names |= {"own": OWN_ACTIONS, "text": NEIGHBOURS_AND_TEXT}
    found = {names[name]: value for name, value in values.items()}
    return _choose(learned, BASELINES, found, np.arange(len(found[FUSION])), 0)


def test_a_learned_order_that_loses_significantly_is_not_shipped() -> None:
    # Two independent columns of spread .2: the error of the mean difference is .2 * sqrt(2 / 100) = .028.
    found = chosen(fusion=about(0.3), prior=about(0.5, 1), own=about(0.5, 2), text=about(0.2, 3))
    assert (found.order, found.rejected) == (PRIOR, (FUSION,))
    assert found.difference == pytest.approx(0.0)
    assert found.low < 0 < found.high


def test_a_learned_order_that_loses_insignificantly_is_shipped() -> None:
    found = chosen(fusion=about(0.48), prior=about(0.6, 1), own=about(0.5, 2), text=about(0.2, 3))
    assert (found.order, found.rejected) == (FUSION, ())
    assert (found.baseline, found.questions) == (OWN_ACTIONS, 100)
    assert found.value == pytest.approx(0.48)
    assert found.baseline_value == pytest.approx(0.5)
    assert found.difference == pytest.approx(-0.02)
    assert found.low < found.difference < 0 < found.high


def test_where_every_learned_order_loses_the_best_baseline_is_shipped() -> None:
    found = chosen(fusion=about(0.2), prior=about(0.1, 1), own=about(0.4, 2), text=about(0.6, 3))
    assert (found.order, found.baseline, found.rejected) == (
        NEIGHBOURS_AND_TEXT,
        NEIGHBOURS_AND_TEXT,
        (FUSION, PRIOR),
    )
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)


def test_it_must_lose_to_no_baseline_not_only_to_the_best() -> None:
    """The best one's values scatter so much that nothing can be told; the second's hardly do."""
    fusion = about(0.3, spread=0.01)
    found = chosen(
        fusion=fusion, prior=about(0.6, 1), own=fusion + about(0.01, 2, spread=0.005), text=about(0.4, 3, 3.0)
    )
    assert (found.order, found.rejected, found.baseline) == (PRIOR, (FUSION,), NEIGHBOURS_AND_TEXT)


def test_the_ranker_is_tried_before_fusion_where_it_is_better() -> None:
    values = {"fusion": about(0.5), "prior": about(0.5, 1), "own": about(0.2, 2), "text": about(0.2, 3)}
    assert chosen((RANKER, FUSION, PRIOR), ranker=about(0.5), **values).order == RANKER
    assert chosen((FUSION, PRIOR), ranker=about(0.5), **values).order == FUSION


def test_questions_of_one_user_count_as_one() -> None:
    """One of a hundred users asks 900 questions that fusion fails: that says little about the others."""
    users = np.append(np.arange(100), np.full(900, 100))
    fusion, own = np.append(about(0.5), np.zeros(900)), np.append(about(0.48, 2), np.ones(900))
    values = {FUSION: fusion, PRIOR: fusion, OWN_ACTIONS: own, NEIGHBOURS_AND_TEXT: own}
    found = _choose((FUSION, PRIOR), BASELINES, values, users, 0)
    assert (found.order, found.questions) == (FUSION, 1000)
    assert found.value == pytest.approx(50 / 101)


@pytest.mark.parametrize("users", [np.arange(MIN_USERS - 1), np.arange(100) % (MIN_USERS - 1), np.zeros(0)])
def test_of_too_few_users_nothing_is_told_and_the_first_order_stays(users: np.ndarray) -> None:
    values = {order: np.zeros(len(users)) for order in (FUSION, PRIOR)}
    values |= {order: np.ones(len(users)) for order in BASELINES}
    found = _choose((FUSION, PRIOR), BASELINES, values, users.astype(np.int64), 0)
    assert (found.order, found.questions, found.rejected) == (FUSION, 0, ())
    assert math.isnan(found.difference)
