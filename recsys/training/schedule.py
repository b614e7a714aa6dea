"""The optimizer, its learning rate and its step."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.98), 1e-8  # of AdamW


def learning_rate(step: int, steps: int, peak: float, warmup_steps: int) -> float:
    """The rate at `step` (from 0) of `steps`: linear from near 0 to `peak`, then a half cosine to 0.

    A run that is shorter than ten warm-ups warms up for a tenth of its steps.

    >>> [round(learning_rate(step, 100, 1.0, 10), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    warmup = min(warmup_steps, max(1, steps // 10))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def build_adamw(
    weights: nn.Module | Iterable[nn.Parameter], rate: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW that decays matrices, and neither biases, gains nor scalars.

    Paper: Loshchilov and Hutter 2019, arXiv 1711.05101.
    """
    learned = list(weights.parameters() if isinstance(weights, nn.Module) else weights)
    decayed = [weight for weight in learned if weight.ndim >= 2]
    others = [weight for weight in learned if weight.ndim < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    # Fused: one pass over the weights instead of a dozen.
    return torch.optim.AdamW(groups, lr=rate, betas=BETAS, eps=EPSILON, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def gradient_step(
    optimizer: torch.optim.Optimizer, loss: Tensor, weights: Iterable[Tensor], norm: float
) -> None:
    """One step against the gradient of `loss`, clipped at `norm` over all `weights`."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(weights, norm)
    optimizer.step()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of what is learned, on the CPU."""
    return {name: weight.detach().cpu().clone() for name, weight in model.named_parameters()}
