"""How sure a click model is of what it says of an item: what exploration draws by."""

import numpy as np
from scipy.special import zeta

from recsys.arrays import DoubleArray

PRIOR_IMPRESSIONS = 20.0  # what the model's word on an item is worth


def attraction_spread(attraction: DoubleArray, shown: DoubleArray) -> DoubleArray:
    """(K,) standard deviation of the log-odds of Beta(n p, n (1 - p)), n = shown + PRIOR_IMPRESSIONS.

    Its mean is the attraction p; an item that was shown (K,) times in 90 days is as sure as so many
    impressions make a rate. The variance of the log-odds of Beta(a, b) is trigamma(a) + trigamma(b).

    >>> attraction_spread(np.array([0.1, 0.1]), np.array([0.0, 10_000.0])).round(2).tolist()
    [0.83, 0.03]
    """
    p = np.clip(attraction, 1e-6, 1 - 1e-6)
    count = np.maximum(np.nan_to_num(shown), 0.0) + PRIOR_IMPRESSIONS
    return np.asarray(np.sqrt(zeta(2, count * p) + zeta(2, count * (1 - p))), np.float64)
