"""Graded metrics of rankings against arithmetic and against ranx: ties, short lists, nothing to find."""

import doctest
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError
from recsys.evaluation.search import judgments as judgments_module
from recsys.evaluation.search import rankings as rankings_module
from recsys.evaluation.search.judgments import JudgedPairs, Judgments, judgments_on
from recsys.evaluation.search.ranking_metrics import pair_values, ranking_values
from recsys.evaluation.search.rankings import rankings_of

CATALOG = Vocabulary(("", *(f"i{n}" for n in range(1, 13))))
Graded = dict[int, int]  # item index -> grade


def judged(*queries: Graded) -> Judgments:
    pairs = [(q, f"i{item}", grade) for q, graded in enumerate(queries) for item, grade in graded.items()]
    names = [f"q{q}" for q in range(len(queries))]
    rows, items, grades = zip(*pairs, strict=True)
    return judgments_on(JudgedPairs.of(names, names, rows, items, grades), CATALOG)


def ranked(*lists: list[int]) -> Any:
    return rankings_of(
        [(np.array(found, np.int64), -np.arange(len(found), dtype=float)) for found in lists], 12
    )


@pytest.mark.parametrize("module", [judgments_module, rankings_module])
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert result.failed == 0


def test_ndcg_takes_grades_as_gains_and_the_unjudged_as_worth_nothing() -> None:
    found = ranking_values(judged({1: 3, 2: 1}), ranked([9, 2, 1]), [3], threshold=2)
    shown, best = 1 / np.log2(3) + 3 / np.log2(4), 3 / np.log2(2) + 1 / np.log2(3)
    assert found["ndcg@3"] == pytest.approx([shown / best])
    assert found["judged@3"] == pytest.approx([2 / 3])
    assert found["mrr@3"] == pytest.approx([1 / 3])  # grade 3 alone is relevant


def test_a_worthless_grade_gains_nothing() -> None:
    found = ranking_values(judged({1: 3, 2: 1}), ranked([2, 1]), [2], threshold=2, worthless=1)
    assert found["ndcg@2"] == pytest.approx([(2 / np.log2(3)) / 2])


def test_a_query_with_nothing_to_find_has_no_value_and_does_not_count_as_a_loss() -> None:
    found = ranking_values(judged({1: 0}, {1: 2}), ranked([1], [1]), [10], threshold=1)
    assert np.isnan(found["recall@10"]).tolist() == [True, False]
    assert np.isnan(found["ndcg@10"]).tolist() == [True, False]
    assert found["recall@10"][1] == 1


def test_an_empty_list_finds_nothing_and_has_no_share_of_judged_items() -> None:
    found = ranking_values(judged({1: 2}), ranked([]), [10], threshold=1)
    assert (found["recall@10"][0], found["ndcg@10"][0], found["mrr@10"][0]) == (0, 0, 0)
    assert np.isnan(found["judged@10"][0])


def test_judged_pairs_are_ordered_by_score_and_equal_scores_by_item() -> None:
    scores = np.array([1.0, 1.0, 5.0])  # of items 1, 2, 3
    found = pair_values(judged({1: 0, 2: 3, 3: 1}), scores, [2])
    best = 3 + 1 / np.log2(3)
    assert found["ndcg_judged@2"] == pytest.approx([1 / best])  # 3 (grade 1), then 1 (grade 0)


def test_rank_correlation_of_a_query_is_that_of_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    graded = [{item: int(rng.integers(0, 3)) for item in range(1, 9)} for _ in range(20)]
    pairs = judged(*graded)
    scores = rng.integers(0, 4, len(pairs.items)).astype(float)
    found = pair_values(pairs, scores, [3])["spearman_query"]
    for row in range(20):
        part = slice(pairs.offsets[row], pairs.offsets[row + 1])
        assert found[row] == pytest.approx(stats.spearmanr(scores[part], pairs.grades[part]).statistic)


def test_rank_correlation_is_0_for_equal_scores_and_nothing_for_equal_grades() -> None:
    found = pair_values(judged({1: 0, 2: 3}, {1: 2, 2: 2}), np.array([1.0, 1.0, 1.0, 2.0]), [2])
    assert found["spearman_query"][0] == 0
    assert np.isnan(found["spearman_query"][1])


def test_several_grades_of_a_pair_are_averaged_and_items_the_catalog_lacks_are_counted() -> None:
    pairs = JudgedPairs.of(["a"], ["a"], [0, 0, 0], ["i1", "i1", "gone"], [1.0, 2.0, 3.0])
    found = judgments_on(pairs, CATALOG)
    assert (found.grades.tolist(), found.repeated, found.not_in_catalog) == ([1.5], 1, 1)


def test_judgments_of_another_catalog_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"none of the 1 judged items \('x'.*--items"):
        judgments_on(JudgedPairs.of(["a"], ["a"], [0], ["x"], [1.0]), CATALOG)


def test_a_grade_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="grade of 'i1' for the query 'a' is not a number"):
        judgments_on(JudgedPairs.of(["a"], ["a"], [0], ["i1"], [float("nan")]), CATALOG)


def test_the_parts_of_a_judged_set_share_no_query() -> None:
    texts = [f"query {n}" for n in range(50)]
    pairs = judgments_on(JudgedPairs.of(texts, texts, range(50), ["i1"] * 50, [1.0] * 50), CATALOG)
    test, train = pairs.part("test"), pairs.part("train")
    assert len(test) + len(train) == 50
    assert not set(test.queries) & set(train.queries)
    assert 3 <= len(test) <= 17  # one of five


@pytest.fixture(scope="module")
def ranx_evaluate() -> Iterator[Any]:
    """ranx run as plain Python: to compile its loops takes minutes, to interpret them milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        ranx = pytest.importorskip("ranx")

        def evaluate(graded: list[Graded], lists: list[list[int]], name: str) -> npt.NDArray[Any]:
            qrels = {f"q{c}": {f"i{i}": g for i, g in found.items()} for c, found in enumerate(graded)}
            run = {
                f"q{c}": {f"i{item}": 1.0 - place / 100 for place, item in enumerate(found)}
                for c, found in enumerate(lists)
                if found  # a query that the run lacks
            }
            return np.asarray(
                ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), name, return_mean=False, make_comparable=True)
            )

        yield evaluate


case = st.tuples(
    st.dictionaries(st.integers(1, 12), st.integers(0, 3), min_size=1, max_size=8).filter(
        lambda graded: max(graded.values()) >= 2
    ),
    st.permutations(range(1, 13)).flatmap(lambda order: st.integers(0, 12).map(lambda n: order[:n])),
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(case, min_size=1, max_size=5).filter(lambda cases: any(c[1] for c in cases)), st.integers(1, 12)
)
def test_graded_metrics_agree_with_ranx(ranx_evaluate: Any, cases: list[Any], k: int) -> None:
    graded, lists = [dict(c[0]) for c in cases], [list(c[1]) for c in cases]
    found = ranking_values(judged(*graded), ranked(*lists), [k], threshold=2)
    for ours, theirs in (
        (f"ndcg@{k}", f"ndcg@{k}"),
        (f"recall@{k}", f"recall@{k}-l2"),
        (f"precision@{k}", f"precision@{k}-l2"),
        (f"mrr@{k}", f"mrr@{k}-l2"),
    ):
        expected = ranx_evaluate(graded, lists, theirs)
        np.testing.assert_allclose(found[ours], expected, atol=1e-9, err_msg=ours)
