"""The score that every item of the matched set has: its words, its meaning and how popular it is.

    score = w * words / best words  +  (1 - w) * cosine  +  v * log(1 + popularity) / log(1 + most popular)

Both halves are divided by a bound, not by the range of what was found, so that a score does not depend on
which other items were.
"""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.retrieval.text_index import TextIndex
from recsys.search.matching import Matched, Meaning, WordIndex
from recsys.search.relevance.ordering import COSINES_UP_TO, Scored

WORDS, MEANING, POPULARITY = "words", "meaning", "popularity"


@dataclass(frozen=True)
class FirstStageWeights:
    """`words` is w, `popularity` v; a shop may set them."""

    words: float = 0.5
    popularity: float = 0.05


@dataclass(frozen=True)
class FirstStageEvidence:
    """What is known of how items match, (N + 1,) each: 0 where nothing is.

    Attributes:
        words: score of words as a share of the best one. cosines: to the query.
    """

    words: FloatArray
    cosines: FloatArray


def first_stage_evidence(
    matched: Matched,
    query: LexicalQuery,
    words: WordIndex | None,
    texts: TextIndex | None,
    vector: FloatArray | None,
    near: Meaning | None,
) -> FirstStageEvidence:
    """The evidence for the items of M.

    Where M is larger than COSINES_UP_TO, only the best by words and what is near in meaning have a cosine.
    """
    size = len(matched.mask)
    by_words, cosines = np.zeros(size, np.float32), np.zeros(size, np.float32)
    index = matched.index
    best = index
    if words is not None and query.words:
        found, scores = words.top(LexicalQuery(query.words), max(matched.least or 1, 1), size)
        if len(found):
            by_words[found] = scores / scores[0]
            best = found[matched.mask[found]]
    if near is not None:
        cosines[near.index] = near.cosines
    if texts is not None and vector is not None:
        rest = best[:COSINES_UP_TO] if len(index) > COSINES_UP_TO else index
        rest = rest[cosines[rest] == 0]
        cosines[rest] = texts.cosines(vector, rest)
    return FirstStageEvidence(by_words, cosines)


def score_first_stage(
    index: IntArray, evidence: FirstStageEvidence, popularity: DoubleArray, weights: FirstStageWeights
) -> Scored:
    """The first-stage scores of the items at `index`.

    Args:
        popularity: (N + 1,) comparable among items.
    """
    parts = {
        WORDS: (weights.words * evidence.words[index]).astype(np.float32),
        MEANING: ((1 - weights.words) * evidence.cosines[index]).astype(np.float32),
        POPULARITY: (weights.popularity * popularity_shares(popularity, index)).astype(np.float32),
    }
    scores: FloatArray = sum(parts.values(), np.zeros(len(index), np.float32))
    return Scored(index, scores, parts)


def popularity_shares(popularity: DoubleArray, index: IntArray) -> DoubleArray:
    """(K,) from 0 to 1: log(1 + popularity) of the items at `index`, as a share of the largest."""
    most = float(np.log1p(max(popularity.max(initial=0.0), 0.0)))
    return np.log1p(np.maximum(popularity[index], 0)) / (most or 1.0)
