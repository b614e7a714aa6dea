"""Nearest rows by dot product, with and without a scan of integers, with and without forbidden rows."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.retrieval import coded_rows, dense_index
from recsys.retrieval.dense_index import DenseIndex, largest_places, nearest_flat


def clustered(rows: int, width: int = 16, seed: int = 0) -> np.ndarray:
    """(rows + 1, width) unit rows around twenty centres, row 0 zero: item vectors look like that."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, width))
    vectors = centres[rng.integers(0, 20, rows + 1)] + 0.5 * rng.normal(size=(rows + 1, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return vectors.astype(np.float32)


def best(vectors: np.ndarray, query: np.ndarray, count: int, allowed: np.ndarray | None = None) -> list[int]:
    scores = vectors @ query
    scores[0] = -np.inf
    if allowed is not None:
        scores[~allowed] = -np.inf
    order = np.argsort(-scores, kind="stable")[:count]
    return order[np.isfinite(scores[order])].tolist()


def test_the_answer_is_in_order_with_its_products() -> None:
    vectors = np.array([[0, 0], [1, 0], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
    rows, scores = DenseIndex(vectors).search(np.array([1, 0], np.float32), 3)
    assert rows.tolist() == [1, 2, 3]
    assert scores.tolist() == pytest.approx([1.0, 0.6, 0.0])


def test_the_padding_row_is_never_found() -> None:
    vectors = np.array([[0, 0], [-1, 0], [0, -1]], np.float32)
    rows, _ = DenseIndex(vectors).search(np.array([1, 1], np.float32), 10)
    assert sorted(rows.tolist()) == [1, 2]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 60), st.floats(0, 1), st.integers(0, 10_000))
def test_forbidden_rows_are_left_out_and_the_rest_moves_up(
    rows: int, count: int, share: float, seed: int
) -> None:
    vectors = clustered(rows, seed=seed)
    rng = np.random.default_rng(seed)
    allowed = rng.random(rows + 1) < share
    query = rng.normal(size=16).astype(np.float32)
    found, _ = DenseIndex(vectors).search(query, count, allowed)
    assert found.tolist() == best(vectors, query, count, allowed)


def test_a_scan_finds_nearly_all_of_what_is_there() -> None:
    vectors = clustered(5000)
    index = DenseIndex(vectors, exact_up_to=1000)
    assert not index.exact
    found = [
        np.isin(best(vectors, vectors[row], 100), index.search(vectors[row], 100)[0]).mean()
        for row in range(1, 101)
    ]
    assert np.mean(found) >= 0.995


def test_a_scan_keeps_to_what_is_allowed() -> None:
    vectors = clustered(5000)
    index = DenseIndex(vectors, exact_up_to=1000)
    allowed = np.arange(5001) % 2 == 0
    rows, scores = index.search(vectors[7], 50, allowed)
    assert len(rows) == 50
    assert allowed[rows].all()
    assert scores.tolist() == pytest.approx((vectors[rows] @ vectors[7]).tolist(), abs=1e-5)


def test_where_the_sample_says_nothing_the_search_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded_rows, "_SPARE", 0.0)  # the bound is one that far fewer than are wanted reach
    noise = np.random.default_rng(0).normal(size=(20_001, 48)).astype(np.float32)
    noise[0] = 0
    index = DenseIndex(noise, exact_up_to=1000)
    for count in (10, 500, 20_000):
        assert index.search(noise[5], count)[0].tolist() == best(noise, noise[5], count)


def test_nothing_allowed_and_nothing_there_give_nothing() -> None:
    vectors = clustered(10)
    assert len(DenseIndex(vectors).search(vectors[1], 5, np.zeros(11, bool))[0]) == 0
    assert len(DenseIndex(vectors).search(vectors[1], 0)[0]) == 0
    assert len(DenseIndex(np.zeros((1, 16), np.float32)).search(vectors[1], 5)[0]) == 0


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300), st.integers(0, 40), st.integers(0, 40), st.integers(1, 60), st.integers(0, 10_000)
)
def test_changed_and_new_rows_are_found_as_by_an_index_built_anew(
    rows: int, new: int, changed: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = clustered(rows, seed=seed)
    index = DenseIndex(vectors)
    for step in range(3):
        longer = clustered(len(vectors) - 1 + new, seed=seed + step + 1)
        moved = rng.integers(1, len(longer), changed)
        longer[: len(vectors)] = vectors
        longer[moved] = clustered(changed, seed=seed + step + 9)[1 : len(moved) + 1]
        index, vectors = index.with_rows(longer, moved), longer
        allowed = rng.random(len(vectors)) < 0.7
        query = rng.normal(size=16).astype(np.float32)
        for mask in (None, allowed):
            found, scores = index.search(query, count, mask)
            right, right_scores = DenseIndex(vectors).search(query, count, mask)
            assert sorted(found.tolist()) == sorted(right.tolist())
            assert scores == pytest.approx(right_scores, abs=1e-5)


def test_an_extended_index_leaves_the_old_one_as_it_was() -> None:
    vectors = clustered(50)
    index = DenseIndex(vectors)
    longer = np.concatenate([vectors, -vectors[3:4]])
    assert index.with_rows(longer, np.array([51])).search(-vectors[3], 1)[0].tolist() == [51]
    assert index.search(-vectors[3], 50)[0].max() <= 50


def test_a_delta_that_has_grown_is_folded_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_index, "DELTA_UP_TO", 8)
    vectors = clustered(2000)
    index = DenseIndex(vectors, exact_up_to=1000)
    longer = np.concatenate([vectors, clustered(8, seed=5)[1:]])
    beside = index.with_rows(longer, np.arange(2001, 2009))
    folded = beside.with_rows(np.concatenate([longer, clustered(1, seed=6)[1:]]), np.array([2009]))
    assert (beside.delta, folded.delta) == (8, 0)
    assert 2009 in folded.search(clustered(1, seed=6)[1], 10)[0]


@given(
    scores=st.lists(st.integers(-3, 30), min_size=1, max_size=90),
    count=st.integers(0, 12),
    sample=st.sampled_from([2, 8, 2048]),
    spare=st.sampled_from([0.0, 1.5]),
)
def test_the_largest_are_found_whatever_the_sample_says(
    scores: list[int], count: int, sample: int, spare: float
) -> None:
    values = np.array(scores, np.float32)
    with mock.patch.multiple(dense_index, _SAMPLE=sample, _SPARE=spare):
        found = largest_places(values, count)
    edge = sorted(scores, reverse=True)[min(count, len(scores)) - 1] if count else 31
    assert found.tolist() == [place for place, score in enumerate(scores) if score >= edge]


def test_of_many_scores_the_largest_are_found_where_the_sample_saw_none_of_them() -> None:
    values = np.random.default_rng(0).random(50_000).astype(np.float32)
    values[np.arange(50_000) % (50_000 // 2048) == 0] = 0  # what a sample in even steps sees
    assert largest_places(values, 500).tolist() == sorted(np.argsort(-values)[:500].tolist())
    assert largest_places(-values, 500).tolist() == np.flatnonzero(values == 0).tolist()


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=7, max_size=7), max_size=4),
    st.integers(1, 9),
)
def test_the_nearest_of_each_row_are_among_what_it_allows(
    rows: list[list[tuple[int, bool]]], count: int
) -> None:
    cells = np.array(rows, np.float32).reshape(-1, 7, 2)
    found = nearest_flat(cells[..., 0], cells[..., 1] > 0, count)
    expected = []
    for row, line in enumerate(rows):
        allowed = sorted((score for score, is_allowed in line if is_allowed), reverse=True)
        edge = allowed[min(count, len(allowed)) - 1] if allowed else 10
        expected += [
            7 * row + place for place, (score, is_allowed) in enumerate(line) if is_allowed and score >= edge
        ]
    assert found.tolist() == expected
