"""How well items fit a context, and how sure a probability of a click is."""

import numpy as np
from scipy.special import zeta

from recsys.ads.selection.prediction import AdContext
from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.models.bundle import Bundle

PRIOR_IMPRESSIONS = 20.0  # what the model's word on an item is worth


def relevance(
    bundle: Bundle, context: AdContext, index: IntArray, user: FloatArray, query: FloatArray | None
) -> DoubleArray:
    """(K,) cosine with the query, else with the page's item, else with the user, mapped to [0, 1].

    1 where nothing is known to fit, and for an item that the bundle does not know.

    Args:
        index: (K,) item indexes, 0 = unknown. user: (D,) P_u. query: its text vector; None = none.
    """
    page = 0 if context.item_id is None else bundle.items.vocabulary.index(context.item_id)
    if query is not None and query.shape[0] == bundle.text_vectors.shape[1]:
        cosine = bundle.text_vectors[index] @ query
    elif page:
        cosine = bundle.item_vectors[index] @ bundle.item_vectors[page]
    elif user.any():
        cosine = bundle.item_vectors[index] @ user
    else:
        return np.ones(len(index))
    mapped = np.clip((cosine.astype(np.float64) + 1) / 2, 0, 1)
    return np.where(index > 0, mapped, 1.0)


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
