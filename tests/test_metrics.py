"""Metrics against arithmetic, against their own examples and against ranx."""

import doctest
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import metrics

PLACES = 10
Judge = Callable[[list[set[int]], list[list[int]], str], npt.NDArray[Any]]


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(metrics)
    assert result.attempted >= 14
    assert result.failed == 0


def test_ndcg_of_several_targets_is_judged_by_the_best_possible_order() -> None:
    hits = np.array([[True, False, True]])
    ideal = 1 + 1 / np.log2(3)  # two targets first
    assert metrics.ndcg(hits, np.array([2]), 3) == pytest.approx([(1 + 1 / 2) / ideal])
    # More targets than places: the best ranking fills every place.
    assert metrics.ndcg(np.array([[True, True]]), np.array([7]), 2) == pytest.approx([1.0])


def test_a_cutoff_beyond_the_ranking_counts_the_missing_places_as_wrong() -> None:
    hits = np.array([[True, False]])
    assert metrics.precision(hits, 5) == pytest.approx([1 / 5])
    assert metrics.ndcg(hits, np.array([3]), 5)[0] == pytest.approx(1 / (1 + 1 / np.log2(3) + 1 / 2))


def test_padding_in_a_ranking_is_never_a_hit() -> None:
    assert metrics.target_ranks(np.array([[4, 0]]), np.array([0, 1]), np.array([3])).tolist() == [0]


def test_unknown_categories_are_one_category_and_short_lists_have_no_pairs() -> None:
    categories = np.array([0, 0, 0, 2])
    found = metrics.intra_list_diversity(np.array([[1, 2], [1, 3], [1, 0], [0, 0]]), categories)
    assert found.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_calibrated_coin_has_no_calibration_error() -> None:
    labels = np.tile([True, False], 50)
    assert metrics.expected_calibration_error(labels, np.full(100, 0.5), bins=5) == pytest.approx(0.0)
    assert metrics.expected_calibration_error(labels, np.full(100, 0.8), bins=5) == pytest.approx(0.3)


def test_auc_needs_both_kinds() -> None:
    assert np.isnan(metrics.auc(np.array([True, True]), np.array([0.1, 0.2])))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_is_the_share_of_well_ordered_pairs(rows: list[tuple[bool, int]]) -> None:
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    positives, negatives = scores[labels], scores[~labels]
    if not len(positives) or not len(negatives):
        return
    pairs = np.sign(positives[:, None] - negatives) / 2 + 0.5
    assert metrics.auc(labels, scores.astype(float)) == pytest.approx(pairs.mean())


@pytest.fixture(scope="module")
def ranx_evaluate() -> Iterator[Judge]:
    """ranx run as plain Python: to compile its loops takes minutes, to interpret them milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        ranx = pytest.importorskip("ranx")

        def evaluate(targets: list[set[int]], rankings: list[list[int]], name: str) -> npt.NDArray[Any]:
            judged = {f"q{c}": dict.fromkeys(map(str, wanted), 1) for c, wanted in enumerate(targets)}
            run = {
                f"q{c}": {str(item): 1.0 - place / 100 for place, item in enumerate(ranking)}
                for c, ranking in enumerate(rankings)
            }
            found = ranx.evaluate(ranx.Qrels(judged), ranx.Run(run), name, return_mean=False)
            return np.asarray(found)

        yield evaluate


cases = st.lists(
    st.tuples(
        st.sets(st.integers(1, 15), min_size=1, max_size=6),
        st.permutations(range(1, 16)).map(lambda order: order[:PLACES]),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=40)
@given(cases, st.integers(1, PLACES))
def test_ranking_metrics_agree_with_ranx(
    ranx_evaluate: Judge, drawn: list[tuple[set[int], list[int]]], k: int
) -> None:
    targets, rankings = [case[0] for case in drawn], [list(case[1]) for case in drawn]
    counts = np.array([len(case) for case in targets])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    flat = np.array([item for case in targets for item in sorted(case)])
    hits = metrics.hits_at(metrics.target_ranks(np.array(rankings), offsets, flat), offsets, PLACES)
    ours = {
        f"hit_rate@{k}": metrics.hit_rate(hits, k),
        f"recall@{k}": metrics.recall(hits, counts, k),
        f"precision@{k}": metrics.precision(hits, k),
        f"ndcg@{k}": metrics.ndcg(hits, counts, k),
        f"mrr@{k}": metrics.reciprocal_rank(hits, k),
        f"map@{k}": metrics.average_precision(hits, counts, k),
    }
    for name, values in ours.items():
        np.testing.assert_allclose(values, ranx_evaluate(targets, rankings, name), atol=1e-9, err_msg=name)


LISTS = st.lists(st.integers(1, 8), unique=True, max_size=5)


def padded(items: list[int]) -> np.ndarray:
    return np.array([items + [0] * (5 - len(items))])


@given(LISTS, LISTS)
def test_alikeness_is_symmetric_one_for_equal_lists_and_zero_without_a_common_item(
    ours: list[int], theirs: list[int]
) -> None:
    a, b = padded(ours), padded(theirs)
    for measure in (
        lambda x, y: metrics.overlap(x, y, 5)[0],
        lambda x, y: metrics.rank_biased_overlap(x, y)[0],
    ):
        assert measure(a, a) == pytest.approx(1)
        assert measure(a, b) == measure(b, a)
        assert -1e-12 <= measure(a, b) <= 1 + 1e-12
        assert (measure(a, b) < 1e-12) == (not set(ours) & set(theirs) and bool(ours or theirs))


@given(LISTS.filter(bool), LISTS.filter(bool))
def test_rank_biased_overlap_is_its_formula(ours: list[int], theirs: list[int]) -> None:
    depth = max(len(ours), len(theirs))
    shared = [len(set(ours[:d]) & set(theirs[:d])) for d in range(1, depth + 1)]
    wanted = shared[-1] / depth * 0.9**depth
    wanted += 0.1 / 0.9 * sum(x / d * 0.9**d for d, x in enumerate(shared, 1))
    assert metrics.rank_biased_overlap(padded(ours), padded(theirs))[0] == pytest.approx(wanted)
