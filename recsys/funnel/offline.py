"""The funnel's first stage for many questions at once, so that what is evaluated is what is served."""

import numpy as np

from recsys.dataset.histories import Histories
from recsys.dataset.interactions import FloatArray, IntArray
from recsys.funnel.candidates import CandidateSources, Interests
from recsys.funnel.catalogue import Catalogue
from recsys.models.bundle import Bundle
from recsys.progress import Progress, silent


def candidate_lists(
    bundle: Bundle,
    histories: Histories,
    seen: list[IntArray] | None,
    count: int,
    progress: Progress = silent,
) -> tuple[IntArray, FloatArray]:
    """(R, count) candidate item indexes, 0 = padding, and their (R, count) retrieval scores.

    Args:
        seen: for each request the items that must not come back; None where repeats are welcome.
    """
    sources = CandidateSources(bundle, Catalogue(bundle))
    vectors = bundle.retriever.user_vectors(histories)  # (R, D)
    everything = np.ones(len(bundle.items), bool)
    everything[0] = False
    found = np.zeros((len(histories), count), np.int64)
    with progress("candidates", len(histories)) as advance:
        for row in range(len(histories)):
            history = histories.items[row][histories.items[row] > 0]
            allowed = everything
            if seen is not None:
                allowed = everything.copy()
                allowed[seen[row]] = False
            known = vectors[row] if len(history) else None
            interests = Interests(history=history, vector=known, repeats=seen is None)
            index = sources.find(interests, allowed, count).index
            found[row, : len(index)] = index
            advance(1)
    return found, retrieval_scores(bundle, vectors, found)


def scores_of(bundle: Bundle, histories: Histories, candidates: IntArray) -> FloatArray:
    """(R, C) retrieval scores of given candidates (R, C), as `candidate_lists` has them of its own."""
    return retrieval_scores(bundle, bundle.retriever.user_vectors(histories), candidates)


def retrieval_scores(bundle: Bundle, vectors: FloatArray, candidates: IntArray) -> FloatArray:
    """(R, C) dot products of user vectors (R, D) with candidates (R, C); 0 for padding."""
    scores = np.empty(candidates.shape, np.float32)
    for start in range(0, len(candidates), 256):  # bounds the (256, C, D) gather
        part = slice(start, start + 256)
        scores[part] = np.einsum("rd,rcd->rc", vectors[part], bundle.item_vectors[candidates[part]])
    return scores
