"""How long an item has been in the shop, at the instant of a request."""

import numpy as np
import numpy.typing as npt

from recsys.arrays import FloatArray
from recsys.instants import SECOND


def item_ages(first_at: npt.NDArray[np.number], at: npt.NDArray[np.number] | float) -> FloatArray:
    """(K,) seconds from `first_at` (K,) to `at`, microseconds both; NaN where the first instant is unknown.

    >>> item_ages(np.array([0, 1_000_000]), 3_000_000).tolist()
    [nan, 2.0]
    """
    first = np.asarray(first_at, np.float64)
    return np.where(first > 0, (np.asarray(at, np.float64) - first) / SECOND, np.nan).astype(np.float32)
