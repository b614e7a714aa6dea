"""Sampling by demand: probabilities, the head, and an estimate that is right on average."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.evaluation.search import demand_sample
from recsys.evaluation.search.demand_sample import inclusion_probabilities, sample_by_demand


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(demand_sample).failed == 0


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60), st.integers(1, 70))
def test_probabilities_sum_to_the_size_and_grow_with_demand(counts: list[int], size: int) -> None:
    given = np.array(counts)
    found = inclusion_probabilities(given, size)
    assert found.sum() == pytest.approx(min(size, len(counts)))
    assert ((found > 0) & (found <= 1 + 1e-12)).all()
    order = np.argsort(given, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 5))
def test_a_sample_has_its_size_the_whole_head_and_no_query_twice(
    counts: list[int], size: int, seed: int
) -> None:
    given = np.array(counts)
    found = sample_by_demand(given, size, np.random.default_rng(seed))
    assert len(found.rows) == len(set(found.rows.tolist())) == min(size, len(counts))
    certain = np.flatnonzero(inclusion_probabilities(given, size) >= 1)
    assert set(certain.tolist()) <= set(found.rows.tolist())
    assert found.weights.sum() == pytest.approx(given.sum())  # the tail is self-weighting


def test_the_head_is_whole_and_each_of_the_tail_stands_for_as_many_searches() -> None:
    counts = np.array([500, 300, *[2] * 100])
    found = sample_by_demand(counts, 12, np.random.default_rng(0))
    assert found.rows[:2].tolist() == [0, 1]
    assert found.head.tolist() == [True, True, *[False] * 10]
    assert found.weights.tolist() == pytest.approx([500, 300, *[20] * 10])  # 200 searches / 10 queries
    assert found.head_share == 800 / 1000


def test_the_weighted_mean_is_right_on_average_where_the_plain_mean_is_not() -> None:
    rng = np.random.default_rng(0)
    counts = np.round(1 + 2000 / np.arange(1, 201) ** 1.2).astype(np.int64)
    values = counts / counts.max() + rng.random(200) * 0.2  # what is asked often is found better
    truth = (counts * values).sum() / counts.sum()
    weighted, plain = [], []
    for seed in range(400):
        found = sample_by_demand(counts, 30, np.random.default_rng(seed))
        weighted.append((found.weights * values[found.rows]).sum() / found.weights.sum())
        plain.append(values[found.rows].mean())
    assert np.mean(weighted) == pytest.approx(truth, abs=0.002)
    assert abs(np.mean(plain) - truth) > 0.1


def test_nothing_can_be_sampled_of_nothing() -> None:
    with pytest.raises(DataError, match="5 of 0 queries"):
        sample_by_demand(np.zeros(0, np.int64), 5, np.random.default_rng(0))
