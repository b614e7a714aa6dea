"""A table of neighbours with new texts, as a whole."""

import numpy as np

from recsys.models.neighbours import Neighbours, NewText, weakest_scores


def with_new_texts(table: Neighbours, size: int, index: np.ndarray, cosines: np.ndarray) -> Neighbours:
    """`table` with `size` rows, given cosines (K, C) of the items at `index` with items 0 .. C - 1."""
    everyone = np.arange(cosines.shape[1])
    texts = [NewText(item, everyone, row) for item, row in zip(index.tolist(), cosines, strict=True)]
    found = table.rows_with_new_texts(size, texts, weakest_scores(table.score))
    width = table.index.shape[1]
    neighbours, scores = np.zeros((size, width), table.index.dtype), np.zeros((size, width), np.float32)
    neighbours[: len(table.index)], scores[: len(table.score)] = table.index, table.score
    neighbours[found.places], scores[found.places] = found.index, found.score
    return Neighbours(neighbours, scores)
