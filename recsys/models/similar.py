"""How similar items are to one item, by the order that a bundle has for such requests."""

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.models.bundle import Bundle
from recsys.models.neighbours import Neighbours
from recsys.models.orders import NEIGHBOURS_AND_TEXT, REST, TEXT_WEIGHT, WORD_WEIGHT


def similar_scores(bundle: Bundle, item: int, candidates: IntArray, order: str) -> FloatArray:
    """(K,) float32 similarities of `candidates` (K,) to `item`.

    By the mean of behaviour's and text's cosine; or, where `order` is NEIGHBOURS_AND_TEXT, by what is taken
    together with it, its words and its text, from the tables of neighbours.
    """
    vectors, texts = bundle.item_vectors, bundle.text_vectors
    cosines = (vectors[candidates] @ vectors[item] + texts[candidates] @ texts[item]) / 2
    if order != NEIGHBOURS_AND_TEXT:
        return np.asarray(cosines, np.float32)
    tables = bundle.signal_tables
    scores = REST * cosines + _of_table(tables.co_occurrence, item, candidates) / tables.unit
    scores += WORD_WEIGHT * _of_table(tables.words, item, candidates)
    scores += TEXT_WEIGHT * _of_table(tables.text, item, candidates)
    return np.asarray(scores, np.float32)


def _of_table(table: Neighbours, item: int, candidates: IntArray) -> FloatArray:
    """(K,) the scores of `candidates` among the neighbours of `item`, 0 where they are none."""
    named, scores = table.index[item], table.score[item]
    order = np.argsort(named, kind="stable")
    named, scores = named[order], scores[order]
    place = np.minimum(np.searchsorted(named, candidates), len(named) - 1)
    found: FloatArray = np.where((named[place] == candidates) & (candidates > 0), scores[place], 0)
    return found
