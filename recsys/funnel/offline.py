"""The funnel's first stage for many questions at once, so that what is evaluated is what is served."""

from collections.abc import Iterator

import numpy as np

from recsys.dataset.histories import Histories
from recsys.dataset.interactions import FloatArray, IntArray
from recsys.funnel.candidates import CandidateSources, Interests
from recsys.funnel.catalogue import Catalogue
from recsys.funnel.ranking import fused_scores
from recsys.models.bundle import Bundle
from recsys.models.evidence import SIGNALS, Evidence, evidence_of
from recsys.progress import Progress, silent


def candidate_lists(
    bundle: Bundle,
    histories: Histories,
    seen: list[IntArray] | None,
    count: int,
    progress: Progress = silent,
) -> tuple[IntArray, FloatArray]:
    """(R, count) candidate item indexes, 0 = padding, and their (R, count) fused scores.

    Scores of padding are 0, and NaN where nothing is known of the user.

    Args:
        seen: for each request the items that must not come back; None where repeats are welcome.
    """
    found = np.zeros((len(histories), count), np.int64)
    scores = np.zeros((len(histories), count), np.float32)
    for row, (index, voices) in enumerate(_first_stage(bundle, histories, seen, count, progress)):
        found[row, : len(index)] = index
        scores[row, : len(index)] = fused_scores(bundle, voices, index)
    return found, scores


def candidate_signals(
    bundle: Bundle,
    histories: Histories,
    seen: list[IntArray] | None,
    count: int,
    progress: Progress = silent,
) -> tuple[IntArray, FloatArray]:
    """The same candidates and their (R, count, S) signals, what fusion learns from; zeros for padding."""
    found = np.zeros((len(histories), count), np.int64)
    signals = np.zeros((len(histories), count, len(SIGNALS)), np.float32)
    for row, (index, voices) in enumerate(_first_stage(bundle, histories, seen, count, progress)):
        if voices is not None:
            found[row, : len(index)] = index
            signals[row, : len(index)] = voices.signals(index)
    return found, signals


def _first_stage(
    bundle: Bundle,
    histories: Histories,
    seen: list[IntArray] | None,
    count: int,
    progress: Progress,
) -> Iterator[tuple[IntArray, Evidence | None]]:
    """For each request its candidates and what they were chosen by."""
    sources, experts = CandidateSources(bundle, Catalogue(bundle)), bundle.experts
    unit = experts.unit
    vectors = bundle.retriever.user_vectors(histories, bundle.item_vectors)  # (R, D)
    everything = np.ones(len(bundle.items), bool)
    everything[0] = False
    with progress("candidates", len(histories)) as advance:
        for row, vector in enumerate(vectors):
            items, at_seconds = histories.items[row], histories.at_seconds[row]
            request_at = int(histories.request_at_seconds[row])
            voices = evidence_of(experts, unit, items, at_seconds, request_at, vector)
            allowed = everything
            if seen is not None:
                allowed = everything.copy()
                allowed[seen[row]] = False
            known = None if voices is None else vector
            interests = Interests(items[items > 0], known, voices, repeats=seen is None)
            yield sources.find(interests, allowed, count).index, voices
            advance(1)


def scores_of(bundle: Bundle, histories: Histories, candidates: IntArray) -> FloatArray:
    """(R, C) fused scores of given candidates (R, C), as `candidate_lists` has them; 0 for padding."""
    experts = bundle.experts
    unit, vectors = experts.unit, bundle.retriever.user_vectors(histories, bundle.item_vectors)
    scores = np.zeros(candidates.shape, np.float32)
    for row, vector in enumerate(vectors):
        items, at_seconds = histories.items[row], histories.at_seconds[row]
        request_at = int(histories.request_at_seconds[row])
        voices = evidence_of(experts, unit, items, at_seconds, request_at, vector)
        shown = candidates[row] > 0
        scores[row, shown] = fused_scores(bundle, voices, candidates[row, shown])
    return scores
