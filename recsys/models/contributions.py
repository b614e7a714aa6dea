"""What each input of a score adds to it, for people who ask why."""

from collections.abc import Callable

import numpy as np

from recsys.arrays import DoubleArray, FloatArray

ORDERS = 128  # in which inputs are changed; each also backwards


def contributions(
    score: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    end: FloatArray,
    rng: np.random.Generator,
    orders: int = ORDERS,
) -> DoubleArray:
    """(F,) what each input adds to the score on the way from `start` to `end` (F,), whatever the function is.

    The inputs are changed one after the other in random orders; an input's contribution is the mean of what
    its change does to the score. So they add up to score(end) - score(start), and an input that does not
    differ, or that the score does not read, has 0.

    Paper: Strumbelj and Kononenko 2014, "Explaining prediction models and individual predictions with feature
    contributions", algorithm 1, here with each order also backwards; they estimate Shapley values.

    Args:
        score: (R, F) float32 -> (R,).

    >>> product, rng = (lambda rows: rows[:, 0] * rows[:, 1]), np.random.default_rng(0)
    >>> contributions(product, np.float32([0, 0, 1]), np.float32([2, 3, 5]), rng).tolist()
    [3.0, 3.0, 0.0]
    """
    out = np.zeros(len(start))
    differ = np.flatnonzero(~((start == end) | (np.isnan(start) & np.isnan(end))))
    if not len(differ):
        return out
    forward = [rng.permutation(differ) for _ in range(orders)]
    walks = np.array([order for each in forward for order in (each, each[::-1])])  # (W, D)
    changed = np.zeros((*walks.shape, len(start)), bool)  # (W, D, F): what has changed after each step
    np.put_along_axis(changed, walks[:, :, None], True, axis=2)
    np.logical_or.accumulate(changed, axis=1, out=changed)
    rows = np.where(changed, end, start).astype(np.float32).reshape(-1, len(start))  # (W D, F)
    before = float(score(start[None].astype(np.float32))[0])
    scores = score(rows).astype(np.float64).reshape(walks.shape)
    steps = np.diff(scores, axis=1, prepend=before)
    np.add.at(out, walks.ravel(), steps.ravel())
    return out / len(walks)
