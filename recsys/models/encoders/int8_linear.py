"""Linear maps in 8-bit integers: weights scaled by output, activations by row as they come."""

from typing import TypeGuard

import torch
from torch import Tensor, nn

_LARGEST = 127
_TINY = 1e-12  # the scale of rows of zeros


class Int8Linear(nn.Module):
    """x W' + b by a product of integers; it cannot be trained.

    Each row of x has a scale of its own, so what else is in a batch does not coarsen it. Where the processor
    has no instruction for it the same product is computed in float32, as slowly as that: the vectors of an
    encoder do not depend on the machine.
    """

    weight: Tensor  # (D, E) int8
    scale: Tensor  # (E,)
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()  # (E, D)
        scale = weight.abs().amax(1).clamp(min=_TINY) / _LARGEST
        rounded = (weight / scale[:, None]).round().to(torch.int8)
        self.register_buffer("weight", rounded.T.contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().float())

    def forward(self, given: Tensor) -> Tensor:
        """(..., E) float32 from (..., D)."""
        rows = given.reshape(-1, given.shape[-1])  # (R, D)
        steps = rows.abs().amax(1, keepdim=True).clamp_(min=_TINY).div_(_LARGEST)  # (R, 1)
        rounded = rows.mul(steps.reciprocal()).round_()
        if rows.device.type == "cpu" and int8_is_fast():
            product = torch._int_mm(rounded.to(torch.int8), self.weight).float().mul_(steps)  # (R, E)
        else:
            product = (rounded @ self.weight.float()).mul_(steps)
        if self.bias is None:
            product.mul_(self.scale)
        else:
            product = torch.addcmul(self.bias, product, self.scale)
        return product.view(*given.shape[:-1], -1)


def int8_is_fast() -> bool:
    """Whether this processor multiplies 8-bit integers faster than floats, and torch has the product."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)  # torch names both as its own: they may go
    return supported is not None and hasattr(torch, "_int_mm") and bool(supported())


def has_linears(model: nn.Module) -> bool:
    """Whether `use_int8_linears` finds anything; a network in ONNX keeps its own precision."""
    return any(_is_replaceable(part) for part in model.modules())


def use_int8_linears(model: nn.Module) -> None:
    """Replaces the linear maps inside `model`."""
    for name, part in list(model.named_children()):
        if _is_replaceable(part):
            setattr(model, name, Int8Linear(part))
        else:
            use_int8_linears(part)


def _is_replaceable(part: nn.Module) -> TypeGuard[nn.Linear]:
    """Not what is derived from nn.Linear, whose weight may be read elsewhere, nor of one column, where
    torch 2.13 multiplies integers wrongly.
    """
    return type(part) is nn.Linear and part.in_features > 1
