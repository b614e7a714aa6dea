"""What the candidates of a request are ordered by: for each kind of request what lost to no baseline."""

from collections.abc import Callable, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from recsys.arrays import FloatArray
from recsys.models.fusion import Fusion
from recsys.models.signals import OWN_COUNT, OWN_LONG, OWN_MOMENTS, POPULARITY, SIGNALS, TEXT, TOGETHER, WORDS

# The kinds of request. A visitor without an account and a user without a history are one kind.
REPEATS_KEPT, REPEATS_REMOVED = "repeats kept", "repeats removed"
NO_HISTORY, SIMILAR = "no history", "similar"
REQUEST_KINDS = (REPEATS_KEPT, REPEATS_REMOVED, NO_HISTORY, SIMILAR)

# The orders. The first two are learned; the others are the baselines that a request can be answered by.
RANKER, FUSION = "ranker", "fusion"
PRIOR = "fusion's prior"
OWN_ACTIONS = "own actions"
PERSONAL_FREQUENCY = "personal frequency"
COUNT_AND_RECENCY = "(count + recency) x recent popularity"
NEIGHBOURS_AND_TEXT = "kNN + text"
RECENT_POPULARITY = "recent popularity"
POPULARITY_OF_ALL_TIME = "popularity"
COSINES = "cosines"  # of `similar`: the mean of behaviour's and text's

COUNTERPART = {REPEATS_KEPT: REPEATS_REMOVED, REPEATS_REMOVED: REPEATS_KEPT}
DEFAULT_ORDERS = {NO_HISTORY: RECENT_POPULARITY, SIMILAR: COSINES}

WORD_WEIGHT, TEXT_WEIGHT = 0.5, 0.25  # of similar words and texts, beside items taken together
POPULARITY_EXPONENT = 0.25  # of recent popularity, beside what a user took
REST = 1e-3  # of popularity or the cosines: orders what a simple order knows nothing about


def kind_of(repeats: bool) -> str:
    """The kind of a request of a user with a history."""
    return REPEATS_KEPT if repeats else REPEATS_REMOVED


class OrderChoice(BaseModel):
    """What is shipped for one kind of request, and what it was compared with on held-back questions.

    Attributes:
        order: what is shipped. value: its mean `metric`.
        baseline: the best of the baselines there. baseline_value: its mean.
        difference: value - baseline_value. low, high: its 95% interval, questions resampled by user.
        rejected: learned orders that lost to a baseline: the upper bound of the interval was below 0.
        questions: that it was chosen on; 0 where too few users asked, and the first order was kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    order: str
    metric: str
    value: float
    baseline: str
    baseline_value: float
    difference: float
    low: float
    high: float
    questions: int
    rejected: tuple[str, ...] = ()


def _column(signals: FloatArray, name: str) -> FloatArray:
    column: FloatArray = signals[..., SIGNALS.index(name)]
    return column


def _with_popularity(scores: FloatArray, signals: FloatArray) -> FloatArray:
    popularity = _column(signals, POPULARITY)
    return np.asarray(scores + REST * popularity / (1 + popularity), np.float32)


def _by_neighbours(signals: FloatArray) -> FloatArray:
    text = WORD_WEIGHT * _column(signals, WORDS) + TEXT_WEIGHT * _column(signals, TEXT)
    return _with_popularity(_column(signals, TOGETHER) + text, signals)


def _by_count_and_recency(signals: FloatArray) -> FloatArray:
    own = _column(signals, OWN_COUNT) + _column(signals, OWN_MOMENTS)
    return _with_popularity(own * _column(signals, POPULARITY) ** POPULARITY_EXPONENT, signals)


SIGNAL_ORDERS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    OWN_ACTIONS: lambda signals: _with_popularity(_column(signals, OWN_COUNT), signals),
    PERSONAL_FREQUENCY: lambda signals: _with_popularity(_column(signals, OWN_LONG), signals),
    COUNT_AND_RECENCY: _by_count_and_recency,
    NEIGHBOURS_AND_TEXT: _by_neighbours,
    RECENT_POPULARITY: lambda signals: _column(signals, POPULARITY),
}


def first_stage_scores(order: str, fusion: Fusion, signals: FloatArray) -> FloatArray:
    """(K,) what candidates with these signals (K, S) are ordered by; the ranker's order is not known here."""
    if order == PRIOR:
        return fusion.score_by_prior(signals)
    if order in SIGNAL_ORDERS:
        return SIGNAL_ORDERS[order](signals)
    return fusion.score(signals)
