"""MovieLens 100K as impressions: was a film that somebody rated then rated 4 or better?

Every column is of ratings strictly before the instant, and of none in the test part.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.shape import CtrShape

from .movielens_ratings import TEST, TRAIN, Ratings

LENGTH, LIKED = 50, 4
_PRIOR, _WIDTH = 10.0, 24
_OF_RATING = np.array([0, -2.5, -1.5, -0.5, 0.5, 1.2])  # what a rating says of taste, in P_u
_NUMBERS = (
    "user count",
    "user rate",
    "user rating",
    "user residual",
    "item count",
    "item rate",
    "item rating",
    "item residual",
    "genre affinity",
    "last ten",
    "year",
    "time",
)


def movielens_impressions(ratings: Ratings, with_user: bool) -> tuple[Impressions, CtrShape]:
    """One impression a rating, clicked = rated 4 or better.

    Args:
        with_user: whether the user's code is a category too.
    """
    known = ratings.part != TEST
    clicked = ratings.rating >= LIKED
    item_rating, rates = _rates(ratings, clicked, known)
    past = _past_ratings(ratings, known)
    history = np.where(past >= 0, ratings.item[past], 0)
    kinds = np.where(past >= 0, ratings.rating[past], 0).astype(np.int64)
    affinity, latest = _taste(ratings, past, ratings.rating - item_rating)
    year, time = ratings.year[ratings.item], np.log1p(ratings.at - ratings.at.min())
    numbers = np.column_stack([rates, affinity, latest, year, time]).astype(np.float32)
    genre = np.where(ratings.genres.any(1), ratings.genres.argmax(1) + 1, 0)
    categories = np.column_stack([ratings.traits[ratings.user], genre[ratings.item]])
    sizes = [("age", 8), ("gender", 4), ("occupation", 30), ("genre", ratings.genres.shape[1] + 1)]
    if with_user:
        categories = np.column_stack([ratings.user, categories])
        sizes = [("user", len(ratings.traits)), *sizes]
    vectors = _item_vectors(ratings)
    users = _unit(np.einsum("rl,rld->rd", _OF_RATING[kinds], vectors[history]))
    none = np.zeros(len(clicked), np.int64)
    impressions = Impressions(
        request=np.arange(len(clicked)),
        item=ratings.item,
        slot=none,
        numbers=numbers,
        categories=categories.astype(np.int64),
        clicked=clicked,
        converted=np.zeros(len(clicked), bool),
        user=ratings.user,
        surface=none,
        user_vectors=users,
        item_vectors=vectors,
        query_vectors=np.zeros((len(clicked), 0), np.float32),
        history=history,
        history_kinds=kinds,
    )
    shape = CtrShape(
        numbers=_NUMBERS,
        categories=tuple(sizes),
        items=len(vectors) - 1,
        vector=vectors.shape[1],
        kinds=len(_OF_RATING),
        history=LENGTH,
        logarithm=("user count", "item count"),
        dropout=0.2,
    )
    return impressions, shape


def _rates(ratings: Ratings, clicked: BoolArray, known: BoolArray) -> tuple[DoubleArray, DoubleArray]:
    """(R,) the item's mean rating before, and (R, 8) counts and means of the user and of the item."""
    train = ratings.part == TRAIN
    share, mean = float(clicked[train].mean()), float(ratings.rating[train].mean())
    _, by_user = _mean_before(ratings.rating, ratings.user, ratings.at, known, mean)
    _, by_item = _mean_before(ratings.rating, ratings.item, ratings.at, known, mean)
    columns: list[DoubleArray] = []
    for side, own, other in ((ratings.user, by_user, by_item), (ratings.item, by_item, by_user)):
        count, rate = _mean_before(clicked.astype(np.float64), side, ratings.at, known, share)
        # How much more than the others expect: of users against films' means, of films against users'.
        _, residual = _mean_before(ratings.rating - other, side, ratings.at, known, 0.0)
        columns += [count, rate, own, residual]
    return by_item, np.stack(columns, 1)


def _mean_before(
    values: DoubleArray, group: IntArray, at: IntArray, known: BoolArray, prior: float
) -> tuple[DoubleArray, DoubleArray]:
    """(R,) how many known rows of the group were strictly earlier, and their mean, drawn to the prior."""
    order = np.lexsort((at, group))
    owner, time = group[order], at[order]
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0)[order])])
    counts = np.concatenate([[0.0], np.cumsum(known[order].astype(float))])
    start = np.searchsorted(owner, owner, "left")
    key = owner * 2**40 + time
    first = np.searchsorted(key, key, "left")  # rows of the same instant count nothing
    count, total = counts[first] - counts[start], sums[first] - sums[start]
    found = np.empty((2, len(values)))
    found[:, order] = count, (total + _PRIOR * prior) / (count + _PRIOR)
    return found[0], found[1]


def _past_ratings(ratings: Ratings, known: BoolArray) -> IntArray:
    """(R, LENGTH) rows of what the user rated before, the latest last; -1 = padding."""
    found = np.full((len(known), LENGTH), -1, np.int64)
    for user in np.unique(ratings.user):
        rows = np.flatnonzero(ratings.user == user)
        ends = np.searchsorted(ratings.at[rows], ratings.at[rows], "left")
        for row, end in zip(rows, ends, strict=True):
            past = rows[:end][known[rows[:end]]][-LENGTH:]
            found[row, LENGTH - len(past) :] = past
    return found


def _taste(ratings: Ratings, past: IntArray, surplus: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """(R,) how much better than others the user rated films of these genres, and the last ten; NaN = none.

    Args:
        surplus: (R,) each rating less what others had given the film until then.
    """
    real = past >= 0
    above = np.where(real, surplus[past], 0.0)
    genres = ratings.genres.astype(np.float32)
    shared = np.einsum("rlg,rg->rl", genres[ratings.item[past]], genres[ratings.item])
    shared = np.where(real, shared, 0.0)
    affinity = (shared * above).sum(1) / (shared.sum(1) + 3)
    count = real[:, -10:].sum(1)
    latest = np.where(count > 0, above[:, -10:].sum(1) / np.maximum(count, 1), np.nan)
    return affinity, latest


def _item_vectors(ratings: Ratings) -> FloatArray:
    """(N + 1, D) unit rows: who rated a film, whatever the rating, in the training part, and its genres."""
    rows = ratings.part == TRAIN
    shape = (len(ratings.traits), len(ratings.genres))
    seen = sparse.csr_matrix((np.ones(rows.sum()), (ratings.user[rows], ratings.item[rows])), shape)
    scale = [1 / np.sqrt(np.asarray(seen.sum(side)).ravel() + 5) for side in (1, 0)]
    scaled = sparse.diags(scale[0]) @ seen @ sparse.diags(scale[1])
    _, strength, right = svds(scaled, _WIDTH + 1, v0=np.ones(min(shape)))
    order = np.argsort(-strength)[1:]  # the first one is how often a film is rated at all
    found = _unit(right[order].T * strength[order])
    vectors = _unit(np.hstack([found, 0.7 * _unit(ratings.genres)]))
    vectors[0] = 0
    return vectors


def _unit(rows: DoubleArray) -> FloatArray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-9), np.float32)
