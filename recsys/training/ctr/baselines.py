"""What a click-through model has to beat: click rates of items, logistic regression, boosted trees.

Each gives (n,) probabilities of a click at the slot, of the same columns that the network reads. The slot is
a column like any other to them.
"""

from collections.abc import Mapping

import numpy as np
from scipy import optimize, sparse
from scipy.special import expit

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.likelihood import undo_down_sampling
from recsys.models.ctr.shape import CtrShape

_PRIOR = 20.0  # impressions that the prior of an item is worth


class ItemRate:
    """(clicks + a) / (impressions + a / rate of all): each item's click rate, drawn to that of all items."""

    name = "click rate by item"

    def __init__(self, train: Impressions, prior: float = _PRIOR) -> None:
        rate = float(train.clicked.mean())
        size = len(train.item_vectors)
        clicks = np.bincount(train.item, train.clicked, size)
        self._rates = (clicks + prior * rate) / (np.bincount(train.item, minlength=size) + prior)

    def predict(self, impressions: Impressions) -> DoubleArray:
        """(I,) the rate of each item."""
        return np.asarray(self._rates[impressions.item], np.float64)


class LogisticRegression:
    """Log-odds linear in the standardised numbers, the cosine and an indicator of each code, item and slot.

    The penalty is chosen by log loss on `held`.
    """

    name = "logistic regression"

    def __init__(
        self,
        train: Impressions,
        held: Impressions,
        shape: CtrShape,
        penalties: tuple[float, ...] = (1.0, 5.0, 25.0),
    ) -> None:
        self._shape = shape
        dense = _dense(train, shape)
        known = ~np.isnan(dense)
        count = np.maximum(known.sum(0), 1)  # of a column that is always missing there is nothing to scale
        self._mean = np.where(known, dense, 0.0).sum(0) / count
        self._deviation = np.sqrt(np.where(known, (dense - self._mean) ** 2, 0.0).sum(0) / count)
        fits = [_fit_sparse(self._design(train), train.clicked, penalty) for penalty in penalties]
        design = self._design(held)
        losses = [_loss(design @ weights, held.clicked) for weights in fits]
        self._weights = fits[int(np.argmin(losses))]

    def predict(self, impressions: Impressions) -> DoubleArray:
        """(I,) probabilities."""
        return np.asarray(expit(self._design(impressions) @ self._weights), np.float64)

    def _design(self, impressions: Impressions) -> sparse.csr_matrix:
        dense = _dense(impressions, self._shape)
        scale = np.where(self._deviation > 1e-9, self._deviation, np.inf)
        scaled = np.nan_to_num(np.clip((dense - self._mean) / scale, -8, 8))
        parts = [np.ones((len(dense), 1)), scaled, np.isnan(dense)]
        return sparse.hstack(
            [sparse.csr_matrix(np.hstack(parts)), *_indicators(impressions, self._shape)]
        ).tocsr()


class BoostedTrees:
    """LightGBM on the numbers, codes, item, slot, surface, both vectors and their cosine.

    The number of trees is that with the least log loss on `held`. Needs the package `lightgbm`.

    Args:
        kept: the share of impressions without a click among `train`, corrected for.
        vectors: whether the columns of P_u and P_m are read too.
    """

    name = "LightGBM"

    def __init__(
        self,
        train: Impressions,
        held: Impressions,
        shape: CtrShape,
        seed: int = 0,
        kept: float = 1.0,
        vectors: bool = True,
        parameters: Mapping[str, float] | None = None,
        most_trees: int = 2000,
    ) -> None:
        import lightgbm

        self._shape, self._kept, self._vectors = shape, kept, vectors
        codes = list(range(len(shape.categories) + 3))
        options = {
            "objective": "binary",
            "learning_rate": 0.05,
            "num_leaves": 31,
            "min_data_in_leaf": 50,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "cat_smooth": 20.0,
            "num_threads": 1,
            "seed": seed,
            "verbosity": -1,
            **(parameters or {}),
        }
        table, other = self._table(train), self._table(held)
        data = lightgbm.Dataset(table, train.clicked.astype(int), categorical_feature=codes)
        valid = lightgbm.Dataset(other, held.clicked.astype(int), reference=data)
        stop = lightgbm.early_stopping(50, verbose=False)
        self._trees = lightgbm.train(options, data, most_trees, valid_sets=[valid], callbacks=[stop])

    def predict(self, impressions: Impressions) -> DoubleArray:
        """(I,) probabilities, over all impressions."""
        return undo_down_sampling(np.asarray(self._trees.predict(self._table(impressions))), self._kept)

    def _table(self, impressions: Impressions) -> FloatArray:
        codes = [*impressions.categories.T, impressions.item, impressions.slot, impressions.surfaces]
        dense = _dense(impressions, self._shape)
        parts = [np.stack(codes, 1), dense]
        if self._vectors:
            parts += [
                impressions.user_vectors[impressions.request],
                impressions.item_vectors[impressions.item],
            ]
        return np.asarray(np.hstack(parts), np.float32)


def _dense(impressions: Impressions, shape: CtrShape) -> DoubleArray:
    """(I, F + 1) numbers, by logarithm where the shape says so, and the cosine."""
    numbers = impressions.numbers.astype(np.float64)
    chosen = np.array([name in shape.logarithm for name in shape.numbers], bool)
    numbers = np.where(chosen, np.sign(numbers) * np.log1p(np.abs(numbers)), numbers)
    return np.hstack([numbers, impressions.cosines()[:, None]])


def _indicators(impressions: Impressions, shape: CtrShape) -> list[sparse.csr_matrix]:
    """A column for each code of each category, item, slot and surface."""
    columns: list[tuple[IntArray, int]] = [
        (impressions.categories[:, place], size) for place, (_, size) in enumerate(shape.categories)
    ]
    columns += [(impressions.item, shape.items + 1), (impressions.surfaces, shape.surfaces)]
    columns += [(np.minimum(impressions.slot, shape.slots), shape.slots + 1)]
    rows, one = np.arange(len(impressions)), np.ones(len(impressions))
    return [sparse.csr_matrix((one, (rows, codes)), (len(rows), size)) for codes, size in columns]


def _fit_sparse(design: sparse.csr_matrix, clicked: BoolArray, penalty: float) -> DoubleArray:
    """Weights with the least log loss + penalty / 2 x their squares; the first, the intercept, is free."""
    free = np.concatenate([[0.0], np.full(design.shape[1] - 1, penalty)])
    transposed = design.T.tocsr()

    def loss(weights: DoubleArray) -> tuple[float, DoubleArray]:
        scores = design @ weights
        value = (np.logaddexp(0, scores) - clicked * scores).sum() + (free * weights**2).sum() / 2
        return float(value), transposed @ (expit(scores) - clicked) + free * weights

    found = optimize.minimize(
        loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 300}
    )
    return np.asarray(found.x, np.float64)


def _loss(scores: DoubleArray, clicked: BoolArray) -> float:
    return float((np.logaddexp(0, scores) - clicked * scores).mean())
