"""Rows on the same queries: the default beside its halves, random as the floor, output that does not fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from recsys.arrays import DoubleArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError
from recsys.evaluation.search.compare import SearchMeasure, evaluate_rows
from recsys.evaluation.search.judgments import JudgedPairs, Judgments, judgments_on
from recsys.evaluation.search.rankings import Rankings, best_of, rankings_of
from recsys.evaluation.search.rows import RandomRow, RankedLists, SearchRow

CATALOG = Vocabulary(("", *(f"i{n:02}" for n in range(1, 41))))
QUERIES = [f"q{n}" for n in range(60)]
MEASURE = SearchMeasure(threshold=2, cutoffs=(5, 10), samples=200)


def truth() -> Judgments:
    """Each query has one relevant item (grade 3), and two others (grade 1)."""
    rng = np.random.default_rng(0)
    pairs = [
        (row, f"i{item:02}", grade)
        for row in range(60)
        for item, grade in zip(rng.choice(40, 3, replace=False) + 1, (3, 1, 1), strict=True)
    ]
    rows, items, grades = zip(*pairs, strict=True)
    return judgments_on(JudgedPairs.of(QUERIES, QUERIES, rows, items, grades), CATALOG)


@dataclass(frozen=True)
class Noisy:
    """Knows the grades, with an error of its own."""

    name: str
    noise: float
    seed: int

    def matrix(self, queries: Sequence[str]) -> DoubleArray:
        judgments = truth()
        scores = np.random.default_rng(self.seed).normal(0, self.noise, (60, 41))
        scores[judgments.query_of_pair, judgments.items] += judgments.grades
        return scores

    def rank(self, queries: Sequence[str], k: int) -> Rankings:
        index = np.arange(1, 41)
        return rankings_of([best_of(index, row[1:], k) for row in self.matrix(queries)], k)

    def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
        return self.matrix(queries)[query, items]


def rows() -> list[SearchRow]:
    return [
        RandomRow(np.arange(1, 41)),
        Noisy("good", 0.5, 1),
        Noisy("poor", 3.0, 2),
        Noisy("default", 0.3, 3),
    ]


def test_better_rows_have_better_metrics_and_random_finds_what_chance_finds() -> None:
    found = evaluate_rows(rows(), truth(), MEASURE, "default", ("good", "poor"))
    recall = [found.row(name).estimates["recall@10"].value for name in ("random", "poor", "good", "default")]
    assert recall == sorted(recall)
    assert recall[0] == pytest.approx(10 / 40, abs=0.13)
    assert found.row("random").estimates["auc"].value == pytest.approx(0.5, abs=0.1)
    assert abs(found.row("random").estimates["spearman"].value) < 0.25


def test_the_default_is_set_beside_the_better_of_its_halves() -> None:
    found = evaluate_rows(rows(), truth(), MEASURE, "default", ("good", "poor"))
    assert [part.metric for part in found.beside_halves] == ["recall@10", "ndcg@5", "spearman"]
    assert {part.half for part in found.beside_halves} == {"good"}
    part = found.beside_halves[1]
    expected = found.row("default").estimates["ndcg@5"].value - found.row("good").estimates["ndcg@5"].value
    assert part.found.difference == pytest.approx(expected)
    assert part.found.outcome in ("better", "not told apart")


def test_a_ranking_of_another_engine_is_a_row() -> None:
    lists = {"q0": (np.array([3, 1]), np.array([2.0, 1.0]))}
    row = RankedLists("theirs", lists)
    assert row.rank(["q0", "q1"], 2).items.tolist() == [[3, 1], [0, 0]]
    assert row.score(["q0", "q1"], np.array([0, 0, 1]), np.array([1, 9, 1])).tolist() == [1.0, 0.0, 0.0]


def test_a_row_with_scores_that_are_no_numbers_is_refused_by_name() -> None:
    class Broken(Noisy):
        def score(self, queries: Sequence[str], query: IntArray, items: IntArray) -> DoubleArray:
            return np.full(len(items), np.nan)

    with pytest.raises(DataError, match=r"row 'broken' .* 180 of them not finite"):
        evaluate_rows([Broken("broken", 1, 1)], truth(), MEASURE, "broken")


def test_a_threshold_above_every_grade_is_refused() -> None:
    with pytest.raises(DataError, match=r"grade of 4 or more \(the highest is 3\).*--threshold"):
        evaluate_rows(rows(), truth(), SearchMeasure(threshold=4), "default")


def test_a_default_that_is_no_row_is_refused() -> None:
    with pytest.raises(DataError, match="'missing'"):
        evaluate_rows(rows(), truth(), MEASURE, "missing")
