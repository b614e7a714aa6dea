"""The ranker's scores of one request's candidates, the user's part made once."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from recsys.arrays import BoolArray, FloatArray
from recsys.models.numpy_forward.hidden_layers import LayersForward
from recsys.models.numpy_forward.layers import weight_view


@dataclass(frozen=True, eq=False)
class RankerForward:
    """Views on a ranker's weights and statistics.

    Attributes:
        mean, deviation, logarithm: (F,) of each feature. clip: deviations, at most.
        retrieval: place of the retrieval score. retrieval_weight: its own weight, of no dimension.
    """

    layers: LayersForward
    mean: FloatArray
    deviation: FloatArray
    logarithm: BoolArray
    clip: float
    retrieval: int
    retrieval_weight: FloatArray

    @classmethod
    def of(
        cls,
        layers: nn.Sequential,
        mean: Tensor,
        deviation: Tensor,
        logarithm: Tensor,
        clip: float,
        retrieval: int,
        retrieval_weight: Tensor,
    ) -> "RankerForward":
        """Those of these parts, which lie in the processor's memory."""
        return cls(
            LayersForward.of(layers),
            weight_view(mean),
            weight_view(deviation),
            logarithm.numpy(),
            clip,
            retrieval,
            weight_view(retrieval_weight),
        )

    def scores(self, user: FloatArray, items: FloatArray) -> FloatArray:
        """(K,) of K candidates: features of the user (U,), then of each candidate (K, F - U); NaN = missing.

        What the first layer makes of the user is made once.
        """
        border, count = len(user), len(self.mean)
        weight = self.layers.first.weight  # (hidden, 2 F)
        values, missing = self._standardised(user[:, None], slice(border))
        constant = weight[:, :border] @ values + weight[:, count : count + border] @ missing  # (hidden, 1)
        values, missing = self._standardised(items.T, slice(border, count))
        hidden = weight[:, border:count] @ values  # (hidden, K)
        some = np.flatnonzero(missing.any(1))
        if len(some):
            hidden += weight[:, count + border + some] @ missing[some]
        hidden += constant
        if self.layers.first.bias is not None:
            hidden += self.layers.first.bias[:, None]
        scores = self.layers.after_first(hidden)
        scores += self.retrieval_weight * values[self.retrieval - border]
        return scores

    def _standardised(self, features: FloatArray, places: slice) -> tuple[FloatArray, FloatArray]:
        """(F', K) features at `places` as the layers read them, 0 where missing, and 1 where they are."""
        scaled: FloatArray = np.abs(features)
        scaled += 1
        np.log(scaled, out=scaled)
        np.copysign(scaled, features, out=scaled)
        linear = ~self.logarithm[places]
        scaled[linear] = features[linear]
        scaled -= self.mean[places, None]
        scaled /= self.deviation[places, None]
        np.clip(scaled, -self.clip, self.clip, out=scaled)
        missing = np.isnan(features)
        scaled[missing] = 0
        return scaled, missing.astype(np.float32)
