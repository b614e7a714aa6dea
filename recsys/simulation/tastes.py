"""What shoppers truly like, drifting from day to day."""

import numpy as np

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.simulation.habits import Habits
from recsys.simulation.item_space import ItemSpace

_SPREAD = 1.5  # of the logits of a taste's interests: one of three has about two thirds
_NEW_INTEREST = 0.1  # of the drift: a hobby is given up for another


class Tastes:
    """The tastes of all shoppers on one day; `next_day` moves on.

    A taste is a mixture of a few interests, each the direction of an item. The logits of the mixture are
    an AR(1) process of unit memory `1 - drift`, and now and then an interest is replaced.

    Attributes:
        day: days since the start.
        vectors: (S, WIDTH) unit.
        price_level: (S,) the level of price that each likes.
    """

    def __init__(self, habits: Habits, space: ItemSpace, rng: np.random.Generator) -> None:
        self._habits = habits
        self._space = space
        self._rng = rng
        self._chances = np.cumsum(space.exposure, dtype=np.float64)
        self.day = 0
        shape = (habits.shoppers, habits.interests)
        self._interests = self._some_items(shape)
        self._logits = rng.normal(0, _SPREAD, shape)
        self.price_level = rng.normal(0, 0.7, habits.shoppers).astype(np.float32)
        self.vectors = self._mixed()

    def next_day(self) -> None:
        """Lets a day pass."""
        drift, shape = self._habits.drift, self._logits.shape
        noise = self._rng.normal(0, _SPREAD, shape)
        self._logits = (1 - drift) * self._logits + np.sqrt(1 - (1 - drift) ** 2) * noise
        fresh, others = self._rng.random(shape) < drift * _NEW_INTEREST, self._some_items(shape)
        self._interests = np.where(fresh, others, self._interests)
        self.vectors = self._mixed()
        self.day += 1

    def top_categories(self, count: int) -> IntArray:
        """(S, count): the categories nearest to each taste, nearest first."""
        near = self.vectors @ self._space.centres.T
        return np.asarray(np.argsort(-near, axis=1, kind="stable")[:, :count], np.int64)

    def _some_items(self, shape: tuple[int, int]) -> IntArray:
        drawn = self._rng.random(shape) * np.nextafter(self._chances[-1], 0)
        return np.asarray(np.searchsorted(self._chances, drawn, side="right"), np.int64)

    def _mixed(self) -> FloatArray:
        weights = np.exp(self._logits - self._logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mixed = np.einsum("sk,skd->sd", weights, self._space.vectors[self._interests])  # (S, WIDTH)
        length = np.linalg.norm(mixed, axis=1, keepdims=True)
        return np.asarray(mixed / np.where(length > 0, length, 1), np.float32)


def attraction(
    habits: Habits,
    space: ItemSpace,
    taste: FloatArray,
    price_level: FloatArray,
    items: IntArray,
    relevance: DoubleArray | None = None,
) -> DoubleArray:
    """(B, K): the true chance that a shopper who examines an item clicks it; 0 for item 0.

    Args:
        taste: (B, WIDTH), price_level: (B,), of the shoppers.
        items: (B, K) indexes.
        relevance: (B, K) to what each searches for; None where nobody searches.
    """
    near = np.einsum("bd,bkd->bk", taste, space.vectors[items])
    gap = space.price_level[items] - price_level[:, None]
    logit = -3.5 + habits.taste_slope * near + space.appeal[items] - (gap / 2) ** 2
    if relevance is not None:
        logit = logit + habits.relevance_slope * (relevance - habits.relevance_middle)
    return np.where(items > 0, 1 / (1 + np.exp(-logit.astype(np.float64))), 0.0)


def examination(habits: Habits, positions: int) -> DoubleArray:
    """(K,): the chance that each position is looked at, from the first on.

    >>> examination(Habits(position_exponent=1.0), 4).tolist()
    [1.0, 0.5, 0.3333333333333333, 0.25]
    """
    return np.asarray(np.arange(1, positions + 1) ** -habits.position_exponent, np.float64)
