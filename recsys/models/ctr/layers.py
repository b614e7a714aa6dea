"""The parts of a click-through network: crosses, target attention, scaled numbers, examination."""

import math

import torch
from torch import Tensor, nn

from recsys.arrays import BoolArray, FloatArray, IntArray

_CLIP = 8.0  # deviations; an outlier should not decide alone
_STEP, _LEAST_EXAMINED = 10.0, 0.02
_NEVER = -1e4  # log of a probability of zero, finite so that gradients are


class CrossLayer(nn.Module):
    """x_{l+1} = x_0 * (U V x_l + b) + x_l: each layer raises the degree of the feature crosses by one.

    Paper: Wang et al. 2021 (DCN-V2), arXiv 2008.13535, eq. 1 with the low-rank matrix of eq. 2.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(width, min(rank, width), bias=False)  # V
        self.wide = nn.Linear(min(rank, width), width)  # U, b
        nn.init.zeros_(self.wide.weight)  # so that the layers begin as the identity

    def forward(self, first: Tensor, last: Tensor) -> Tensor:
        """x_0 and x_l, (B, X) each -> x_{l+1} (B, X)."""
        out: Tensor = first * self.wide(self.narrow(last)) + last
        return out


class TargetAttention(nn.Module):
    """What a history says of one item: the mean of its actions, each by how much it bears on the item.

    The weight of action l is an MLP of [k_l ; q ; q * k_l], q the item and k_l the action's item. Deviations
    from the paper: a softmax over the actions and one empty place, so that a long history does not outweigh
    all else and one without any related action says nothing; several heads; a bias for how recent it is.

    Paper: Zhou et al. 2018 (DIN), arXiv 1706.06978, eq. 3.
    """

    def __init__(self, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.heads = heads
        self.key = nn.Linear(width, 2 * width, bias=False)
        self.query = nn.Linear(width, 2 * width)
        self.product = nn.Linear(width, 2 * width, bias=False)
        self.weight = nn.Linear(2 * width, heads)
        self.value = nn.Linear(width, width)
        self.recency = nn.Parameter(torch.zeros(length, heads))  # by place from the latest

    def forward(self, target: Tensor, keys: Tensor, values: Tensor, real: Tensor) -> Tensor:
        """(B, W) from the target (B, W), keys and values (B, L, W); `real` (B, L) is false at padding."""
        weights = self.weights(target, keys, real)
        return self.read(torch.bmm(weights, values), weights.sum(2))

    def weights(self, target: Tensor, keys: Tensor, real: Tensor) -> Tensor:
        """(B, H, L) how much each action bears on the target, 0 at padding; their sum is below 1."""
        batch, length, _ = keys.shape
        # K k + P (q * k) is (K + P diag(q)) k: one product a target instead of two an action.
        maps = self.key.weight + self.product.weight * target[:, None]  # (B, 2W, W)
        hidden = torch.baddbmm(self.query(target)[:, None], keys, maps.transpose(1, 2))  # (B, L, 2W)
        logits = self.weight(nn.functional.silu(hidden)) + self.recency[:length].flip(0)  # (B, L, H)
        logits = logits.transpose(1, 2).masked_fill(~real[:, None], _NEVER)  # (B, H, L)
        nothing = logits.new_zeros(batch, self.heads, 1)
        return torch.cat([logits, nothing], 2).softmax(2)[..., :length]

    def read(self, mixed: Tensor, total: Tensor) -> Tensor:
        """(B, W) from each head's sum of weights x values (B, H, W) and its sum of weights (B, H).

        V (sum of w v) + b (sum of w) is the sum of w (V v + b): the linear map is taken once, after the sum.
        """
        width = mixed.shape[2]
        maps = self.value.weight.view(self.heads, -1, width)  # (H, W / H, W)
        parts = torch.bmm(mixed.transpose(0, 1), maps.transpose(1, 2)).transpose(0, 1)  # (B, H, W / H)
        bias = self.value.bias.view(self.heads, -1) * total[..., None]
        return (parts + bias).reshape(-1, width)


class ScaledNumbers(nn.Module):
    """Dense features as deviations from their mean, and flags of those that are missing."""

    mean: Tensor
    deviation: Tensor
    logarithm: Tensor

    def __init__(self, names: tuple[str, ...], logarithm: tuple[str, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(names)))
        self.register_buffer("deviation", torch.ones(len(names)))
        chosen = torch.tensor([name in logarithm for name in names], dtype=torch.bool)
        self.register_buffer("logarithm", chosen, persistent=False)

    def fit(self, numbers: FloatArray) -> None:
        """Sets mean and deviation of each column of (n, F), NaN left out; constants count as zero."""
        rows = self._scaled(torch.from_numpy(numbers)).double()
        known = ~rows.isnan()
        count = known.sum(0).clamp(min=1)
        mean = rows.nan_to_num().sum(0) / count
        variance = torch.where(known, (rows - mean) ** 2, 0.0).sum(0) / count
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(variance > 1e-12, variance.sqrt(), torch.inf))

    def forward(self, numbers: Tensor) -> Tensor:
        """(B, F) -> (B, 2 F): values, then flags."""
        missing = numbers.isnan()
        scaled = ((self._scaled(numbers) - self.mean) / self.deviation).clamp(-_CLIP, _CLIP)
        return torch.cat([scaled.masked_fill(missing, 0.0), missing.to(scaled.dtype)], -1)

    def _scaled(self, numbers: Tensor) -> Tensor:
        return torch.where(self.logarithm, numbers.sign() * numbers.abs().log1p(), numbers)


class Examination(nn.Module):
    """How likely a slot of a surface is looked at, whatever stands there; 1 at the first slot.

    Attraction and examination are only known up to a factor, so the first slot of each surface fixes it: how
    much surfaces differ there is attraction's to say. A slot beyond the last counts as the last, one that is
    unknown (0) as the first. Slots need not fall.

    Paper: Richardson et al. 2007, Predicting Clicks (the examination hypothesis).
    """

    def __init__(self, surfaces: int, slots: int) -> None:
        super().__init__()
        self.surfaces, self.after_first = surfaces, max(slots - 1, 0)
        # One row, which weight decay leaves alone. Each number sees few gradients, so its steps are larger.
        self.log_odds = nn.Parameter(torch.zeros(surfaces * self.after_first))

    def fit(self, surface: IntArray, slot: IntArray, clicked: BoolArray) -> None:
        """Begins at the click rate of each slot beside that of the first, as if chance put items there."""
        for place in range(len(self.log_odds)):
            own = surface == place // self.after_first
            first, here = own & (slot <= 1), own & (slot == place % self.after_first + 2)
            ratio = _rate(clicked[here]) / _rate(clicked[first])
            share = min(max(ratio, _LEAST_EXAMINED), 1 - _LEAST_EXAMINED)
            self.set_share(place // self.after_first, place % self.after_first + 2, share)

    def set_share(self, surface: int, slot: int, share: float) -> None:
        """Sets how likely a slot after the first is looked at, above 0 and below 1."""
        with torch.no_grad():
            self.log_odds[surface * self.after_first + slot - 2] = math.log(share / (1 - share)) / _STEP

    def forward(self, surface: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        """Log of the probability that each (surface, slot) (B,) is looked at, and of the contrary."""
        place = slot.clamp(1, self.after_first + 1) - 2  # -1 = the first
        if not self.after_first:
            sure = torch.zeros_like(surface, dtype=self.log_odds.dtype)
            return sure, sure + _NEVER
        log_odds = _STEP * self.log_odds[surface * self.after_first + place.clamp(min=0)]
        first = place < 0
        seen = nn.functional.logsigmoid(log_odds).masked_fill(first, 0.0)
        return seen, nn.functional.logsigmoid(-log_odds).masked_fill(first, _NEVER)


def _rate(clicked: BoolArray) -> float:
    """The share of clicks, drawn to one in twenty by one impression."""
    return (float(clicked.sum()) + 0.05) / (len(clicked) + 1.0)
