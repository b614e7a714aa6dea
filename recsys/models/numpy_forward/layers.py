"""The layers of one request in numpy, and views on the weights of torch's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray

_SMALLEST_LENGTH = 1e-12  # that a vector is divided by, as in torch.nn.functional.normalize
_T = TypeVar("_T")


def weight_view(weight: Tensor) -> FloatArray:
    """A read-only view on a weight that lies in the processor's memory: what torch learns, it shows."""
    view: FloatArray = weight.detach().numpy()
    view.flags.writeable = False
    return view


class ViewsOf(Generic[_T]):
    """Keeps the views on a network's weights as long as these lie where they lay; safe for many threads."""

    def __init__(self) -> None:
        self._made: tuple[int, _T] | None = None

    def get(self, weight: Tensor, make: Callable[[], _T]) -> _T:
        """What `make` makes; once, until the network is moved or copied.

        Args:
            weight: one of the network's.
        """
        made, address = self._made, weight.data_ptr()
        if made is None or made[0] != address:
            self._made = made = (address, make())
        return made[1]


@dataclass(frozen=True, eq=False)
class Affine:
    """x W' + b, as `nn.Linear`.

    Attributes:
        weight: (out, in). bias: (out,); None = zeros.
    """

    weight: FloatArray
    bias: FloatArray | None

    @classmethod
    def of(cls, layer: nn.Module) -> "Affine":
        """The layer of an `nn.Linear`."""
        bias = layer.bias
        return cls(weight_view(_tensor(layer.weight)), None if bias is None else weight_view(_tensor(bias)))

    def __call__(self, rows: FloatArray) -> FloatArray:
        """(..., in) -> (..., out)."""
        out: FloatArray = rows @ self.weight.T
        if self.bias is not None:
            out += self.bias
        return out

    def of_columns(self, columns: FloatArray) -> FloatArray:
        """(in, K) -> (out, K): the same of rows that lie column by column."""
        out: FloatArray = self.weight @ columns
        if self.bias is not None:
            out += self.bias[:, None]
        return out


@dataclass(frozen=True, eq=False)
class Norm:
    """Mean 0 and variance 1 in each row, then a weight and a bias, as `nn.LayerNorm`."""

    weight: FloatArray
    bias: FloatArray
    epsilon: float

    @classmethod
    def of(cls, layer: nn.LayerNorm) -> "Norm":
        """The layer of an `nn.LayerNorm` over the last dimension."""
        return cls(weight_view(layer.weight), weight_view(layer.bias), layer.eps)

    def __call__(self, rows: FloatArray) -> FloatArray:
        """(L, D) -> (L, D)."""
        width = rows.shape[-1]
        centred: FloatArray = rows - rows.sum(-1, keepdims=True) / width
        variance = np.einsum("ld,ld->l", centred, centred)[:, None] / width
        centred /= np.sqrt(variance + np.float32(self.epsilon))
        centred *= self.weight
        centred += self.bias
        return centred


def silu(values: FloatArray) -> FloatArray:
    """x sigmoid(x) of any shape, written as x / 2 (1 + tanh(x / 2)), which cannot overflow."""
    half: FloatArray = values * np.float32(0.5)
    out: FloatArray = np.tanh(half)
    out += 1
    out *= half
    return out


def gelu(values: FloatArray) -> FloatArray:
    """x times the normal distribution's share below x; of torch, as numpy has no error function."""
    with torch.inference_mode():
        out: FloatArray = nn.functional.gelu(torch.from_numpy(values)).numpy()
    return out


def softmax(logits: FloatArray) -> FloatArray:
    """Shares along the last axis; -inf gets none, and is not all that a row has."""
    out: FloatArray = np.exp(logits - logits.max(-1, keepdims=True))
    out /= out.sum(-1, keepdims=True)
    return out


def normalised(vector: FloatArray) -> FloatArray:
    """(D,) at length 1; zeros stay."""
    out: FloatArray = vector / np.float32(max(float(np.sqrt(vector @ vector)), _SMALLEST_LENGTH))
    return out


def _tensor(value: Tensor | nn.Module) -> Tensor:
    assert isinstance(value, Tensor)
    return value
