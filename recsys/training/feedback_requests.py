"""Logged responses as training requests of the ranker: their candidates are exactly what users saw."""

from dataclasses import replace

import numpy as np

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.feedback import Feedback
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.funnel.offline import fused_scores
from recsys.models.bundle import Bundle
from recsys.models.orders import NO_HISTORY, REQUEST_KINDS
from recsys.training.feature_reads import TrainingFeatures, read_histories, read_ranking_features
from recsys.training.requests import HeldOutUsers, RankingData


def sample_responses(feedback: Feedback, count: int, rng: np.random.Generator) -> IntArray:
    """Up to `count` responses, oldest first."""
    rows = np.arange(len(feedback))
    return rows if len(rows) <= count else np.sort(rng.choice(rows, count, replace=False))


def feedback_ranking_data(
    features: TrainingFeatures,
    interactions: Interactions,
    feedback: Feedback,
    rows: IntArray,
    bundle: Bundle,
    width: int,
    held: HeldOutUsers,
    kind: int,
) -> RankingData:
    """The items that these responses showed, with features from strictly before each, and which were chosen.

    Args:
        bundle: the first stage whose scores the ranker will see in service.
        width: positions of a response at most; the first ones count.
        held: users whose requests nothing is learned from.
        kind: of the requests of users with a history, its place in `recsys.models.orders.REQUEST_KINDS`.
    """
    shown = np.diff(feedback.offsets)[rows]
    width = int(min(width, shown.max(initial=1)))
    candidates, labels = feedback.lists(rows, width)
    users, at = feedback.user_index[rows], feedback.at[rows]
    # Users of responses may have no interactions, so they have a vocabulary of their own.
    own_users = replace(interactions, users=feedback.users)
    histories = read_histories(features, own_users, users, at, columns.HISTORY_LENGTH)
    cases = EvalCases(users, at, np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int64))
    matrix = read_ranking_features(features, own_users, cases, candidates)
    scores = fused_scores(bundle, histories, candidates)
    matrix = np.concatenate([matrix, scores[:, :, None]], axis=2)  # (R, C, F)
    of_held = held.of(feedback.users.ids, users)
    kinds = np.where(histories.known, kind, REQUEST_KINDS.index(NO_HISTORY))
    # Their own vocabulary: these users must not be taken for others of the same index.
    return RankingData(matrix, labels, candidates > 0, of_held, of_held, kinds, -1 - users)
