"""The layers that fusion and the ranker have, over one request's candidates, one a column."""

from dataclasses import dataclass

from torch import nn

from recsys.arrays import FloatArray
from recsys.models.numpy_forward.layers import Affine, silu


@dataclass(frozen=True, eq=False)
class LayersForward:
    """Linear, SiLU, linear, SiLU, linear to one number: views on the weights of such an `nn.Sequential`."""

    first: Affine
    second: Affine
    last: Affine

    @classmethod
    def of(cls, layers: nn.Sequential) -> "LayersForward":
        """Those of `layers`, which lie in the processor's memory."""
        return cls(*(Affine.of(layers[place]) for place in (0, 2, 4)))

    def scores(self, columns: FloatArray) -> FloatArray:
        """(K,) of K candidates with inputs (in, K)."""
        return self.after_first(self.first.of_columns(columns))

    def after_first(self, hidden: FloatArray) -> FloatArray:
        """(K,) by what the first layer makes of K candidates, (hidden, K)."""
        out: FloatArray = self.last.of_columns(silu(self.second.of_columns(silu(hidden))))[0]
        return out
