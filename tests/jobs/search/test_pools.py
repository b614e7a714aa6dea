"""Both halves fused: ranked and scored alike, by weights and by ranks."""

from dataclasses import dataclass

import numpy as np
import pytest

from recsys.arrays import FloatArray, IntArray
from recsys.jobs.search.evaluation.pools import DensePool, FusedRow, LexicalPool
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.text_index import TextIndex
from recsys.search.relevance.fusion import FusionWeights

WORDS = np.array([0, 8, 4, 0, 0], np.float32)  # by item index
ANGLES = np.array([0, 0.1, 0.5, 0.9, 0.2])  # cosines with the query


@dataclass(frozen=True)
class Words:
    """The same scores whatever the query."""

    def top(self, query: LexicalQuery, least: int, count: int) -> tuple[IntArray, FloatArray]:
        return np.array([1, 2])[:count], WORDS[[1, 2]][:count]

    def scores(self, query: LexicalQuery, index: IntArray) -> FloatArray:
        return WORDS[index]


def row(weights: FusionWeights) -> FusedRow:
    vectors = np.stack([ANGLES, np.sqrt(1 - ANGLES**2)], axis=1).astype(np.float32)
    vectors[0] = 0
    query = np.array([1, 0], np.float32)
    return FusedRow(
        "fused",
        LexicalPool(Words(), lambda text: LexicalQuery(())),
        DensePool(TextIndex(vectors), lambda text: query),
        weights,
    )


PAIRS = np.array([0, 0, 0]), np.array([3, 1, 2])


def test_weighted_is_half_the_share_of_the_top_score_and_half_the_cosine() -> None:
    found = row(FusionWeights())
    # .45; 8/8/2 + .05 = .55; 4/8/2 + .25 = .5; the vectors are of 8-bit integers
    assert found.score(["q"], *PAIRS).tolist() == pytest.approx([0.45, 0.55, 0.5], abs=0.01)
    assert found.rank(["q"], 4).items.tolist() == [[1, 2, 3, 4]]
    assert row(FusionWeights(0, 1)).rank(["q"], 4).items.tolist() == [[3, 2, 4, 1]]


def test_reciprocal_ranks_score_pairs_as_they_rank() -> None:
    found = row(FusionWeights(1, 1, method="ranks"))
    # item 3: no words, first in meaning; item 1: places 1 and 4; item 2: 2 and 2
    expected = [1 / 61, 1 / 61 + 1 / 64, 1 / 62 + 1 / 62]
    assert found.score(["q"], *PAIRS).tolist() == pytest.approx(expected)
    assert found.rank(["q"], 2).items.tolist() == [[2, 1]]


def test_a_shallow_pool_leaves_out_what_neither_half_has() -> None:
    found = FusedRow("f", row(FusionWeights()).words, row(FusionWeights()).meaning, FusionWeights(), depth=1)
    assert found.rank(["q"], 4).items.tolist() == [[1, 3, 0, 0]]
    assert found.score(["q"], *PAIRS)[2] == pytest.approx(0.5, abs=0.01)  # a pair has its score all the same
