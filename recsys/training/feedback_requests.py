"""Responses that were shown as lessons of the ranker: its candidates are exactly what people saw."""

from dataclasses import replace

import numpy as np

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.feedback import Feedback
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.funnel.offline import fused_scores
from recsys.models.bundle import Bundle
from recsys.training.feature_reads import TrainingFeatures, read_histories, read_ranking_features
from recsys.training.requests import RankingData


def sampled(feedback: Feedback, count: int, rng: np.random.Generator) -> IntArray:
    """Up to `count` responses, oldest first."""
    rows = np.arange(len(feedback))
    return rows if len(rows) <= count else np.sort(rng.choice(rows, count, replace=False))


def feedback_data(
    features: TrainingFeatures,
    interactions: Interactions,
    feedback: Feedback,
    rows: IntArray,
    bundle: Bundle,
    width: int,
) -> RankingData:
    """What was shown by these responses, features strictly before each, and what was chosen.

    Args:
        bundle: the first stage whose scores the ranker will see in service.
        width: places of a response at most; the first count.
    """
    shown = np.diff(feedback.offsets)[rows]
    width = int(min(width, shown.max(initial=1)))
    candidates, labels = feedback.lists(rows, width)
    users, at = feedback.user_index[rows], feedback.at[rows]
    asked = replace(interactions, users=feedback.users)  # who was answered may have done nothing else
    histories = read_histories(features, asked, users, at, columns.HISTORY_LENGTH)
    cases = EvalCases(users, at, np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int64))
    matrix = read_ranking_features(features, asked, cases, candidates)
    scores = fused_scores(bundle, histories, candidates)
    matrix = np.concatenate([matrix, scores[:, :, None]], axis=2)  # (R, C, F)
    return RankingData(matrix, labels, candidates > 0, users)
