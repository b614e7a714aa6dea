"""Last stage before the slate: not the same thing ten times."""

import numpy as np

from recsys.arrays import FloatArray, IntArray

POOL = 5  # times the slate's length: items that diversity chooses among
SMALLEST_POOL = 50


def diversify(vectors: FloatArray, count: int, strength: float) -> IntArray:
    """Places of `count` of M items, best first, by maximal marginal relevance.

        next = argmax over the rest of  (1 - strength) (1 - place / M) - strength * max cosine to those chosen

    Relevance is the place, not the score: scores have no common scale. So at strength s an item can
    overtake at most about M s / (1 - s) others.

    Paper: Carbonell and Goldstein 1998, "The Use of MMR", with rank for relevance.

    Args:
        vectors: (M, D) unit rows, the best item first.

    >>> same, other = [1.0, 0.0], [0.0, 1.0]
    >>> diversify(np.array([same, same, other], np.float32), 2, 0.0).tolist()
    [0, 1]
    >>> diversify(np.array([same, same, other], np.float32), 2, 0.5).tolist()
    [0, 2]
    """
    size = len(vectors)
    count = min(count, size)
    if strength <= 0 or count < 2:
        return np.arange(count)
    relevance = (1 - strength) * (1 - np.arange(size, dtype=np.float32) / size)
    cosines = vectors @ vectors.T  # (M, M)
    nearest = np.zeros(size, np.float32)  # unlike items gain nothing by being opposite
    chosen = np.empty(count, np.int64)
    for place in range(count):
        best = int(np.argmax(relevance - strength * nearest))
        chosen[place] = best
        relevance[best] = -np.inf
        np.maximum(nearest, cosines[best], out=nearest)
    return chosen
