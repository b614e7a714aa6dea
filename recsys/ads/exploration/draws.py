"""Draws of one request and its ads, that depend on nothing but the two."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from recsys.ads.auction.ranking import tie_numbers
from recsys.arrays import DoubleArray, IntArray

_OF_THE_REQUEST = 0  # the stream that is the request's own; those from 1 are the ads'


@dataclass(frozen=True, eq=False)
class AdDraws:
    """Draws for K ads of one request; an ad's do not change when another one leaves.

    Attributes:
        seed: of the request. ad: (K,) index of each ad, the same in every request.
    """

    seed: int
    ad: IntArray

    def uniform(self) -> float:
        """One number of the request, in (0, 1)."""
        return float(_uniforms(np.zeros(1, np.int64), self._stream(_OF_THE_REQUEST))[0])

    def normals(self, times: int) -> DoubleArray:
        """(times, K) standard normal numbers.

        >>> alone, both = AdDraws(7, np.array([5])), AdDraws(7, np.array([4, 5]))
        >>> bool((alone.normals(3)[:, 0] == both.normals(3)[:, 1]).all())
        True
        """
        rows = [_uniforms(self.ad, self._stream(turn + 1)) for turn in range(times)]
        return np.asarray(ndtri(np.stack(rows)), np.float64)

    def _stream(self, number: int) -> int:
        # Mixed twice, so that requests with neighbouring seeds share no draw.
        return int(tie_numbers(np.array([number]), self.seed)[0])


def _uniforms(ad: IntArray, seed: int) -> DoubleArray:
    """(K,) in (0, 1), never 0 or 1, whose normal numbers would be infinite."""
    return np.asarray(((tie_numbers(ad, seed) >> np.uint64(12)) + 0.5) * 2.0**-52, np.float64)
