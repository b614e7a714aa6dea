"""T_u: the instant of the request, and how long ago things happened."""

import math
from typing import Any

import torch
from torch import Tensor, nn

GAP_BUCKETS = 32  # powers of two of seconds: bucket 31 begins at 68 years
HOUR, DAY, WEEK, YEAR = 3_600, 86_400, 604_800, 31_556_952
# Period in seconds and how many harmonics of it: a day has a breakfast and an evening peak.
CYCLES = ((DAY, 3), (WEEK, 3))
SEASON = (YEAR, 2)


def gap_bucket(seconds: Tensor) -> Tensor:
    """int32 bucket of a time span of any shape: floor(log2(1 + seconds)), at most GAP_BUCKETS - 1.

    It is the exponent of the float32 next to 1 + seconds, which is off by a second at most beyond 194 days.

    >>> gap_bucket(torch.tensor([-5, 0, 1, 3, 3600, 86400])).tolist()
    [0, 0, 1, 2, 11, 16]
    """
    exponent = (seconds.clamp(min=0) + 1).float().view(torch.int32) >> 23
    return (exponent - 127).clamp_(max=GAP_BUCKETS - 1)


class TimeEncoder(nn.Module):
    """T_u = W2 gelu(W1 [sin, cos of the request's place in day, week, year] + gap[since the last action]).

    The season is left out where the training data covers less than two years: a model that has seen
    each date once would learn the date instead of the season.
    """

    periods: Tensor

    def __init__(self, width: int, season: bool) -> None:
        super().__init__()
        cycles = (*CYCLES, SEASON) if season else CYCLES
        periods = [period / harmonic for period, count in cycles for harmonic in range(1, count + 1)]
        self.register_buffer("periods", torch.tensor(periods, dtype=torch.float64), persistent=False)
        self.absolute = nn.Linear(2 * len(periods), width)
        self.gap = nn.Embedding(GAP_BUCKETS, width)
        self.out = nn.Linear(width, width)
        nn.init.normal_(self.gap.weight, std=0.02)
        # T_u starts at zero: it has to earn its influence on the user vector.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, request_at: Tensor, last_at: Tensor) -> Tensor:
        """(S, D) from Unix seconds of the request (S,) and of the last action before it (S,)."""
        # Doubles: a float32 cannot tell the minutes of an instant in this century.
        phase = 2 * math.pi * (request_at.double().unsqueeze(-1) / self.periods)  # (S, P)
        waves = torch.cat([phase.sin(), phase.cos()], -1).to(self.absolute.weight.dtype)  # (S, 2 P)
        hidden = self.absolute(waves) + self.gap(gap_bucket(request_at - last_at))
        out: Tensor = self.out(nn.functional.gelu(hidden))
        return out


class RelativeBias(nn.Module):
    """What attention adds for the distance of two actions: in places, and in time where there is a clock.

    Only differences enter, so a history means the same wherever it stands in its padded row.
    Paper: Zhai et al. 2024 (HSTU), arXiv 2402.17152, section 3.1, with log2 buckets of seconds.
    """

    def __init__(self, heads: int, length: int, clock: bool) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(length, heads))
        self.gap = nn.Parameter(torch.zeros(GAP_BUCKETS, heads)) if clock else None

    def forward(self, at_seconds: Tensor) -> Tensor:
        """(B or 1, H, L, L) additive bias; [.., i, j] is for query i and key j, of use where j <= i."""
        place = torch.arange(at_seconds.shape[1], device=at_seconds.device)
        apart = (place[:, None] - place).clamp(0, len(self.place) - 1)  # (L, L)
        bias = _lookup(apart.unsqueeze(0), self.place)  # (1, H, L, L)
        if self.gap is not None:
            gaps = gap_bucket(at_seconds[:, :, None] - at_seconds[:, None, :])  # (B, L, L)
            bias = bias + _lookup(gaps, self.gap)  # (B, H, L, L)
        return bias


def _lookup(index: Tensor, table: Tensor) -> Tensor:
    """(B, H, L, L): row `index` (B, L, L) of `table` (G, H), a plane a head."""
    if table.device.type != "cpu":
        return nn.functional.embedding(index, table).permute(0, 3, 1, 2)
    out: Tensor = _Lookup.apply(index, table)  # type: ignore[no-untyped-call]
    return out


class _Lookup(torch.autograd.Function):
    """An embedding of few rows that are asked for very often: its gradient is a sum by row, in one pass."""

    @staticmethod
    def forward(ctx: Any, index: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows = len(table)
        return torch.stack([row[index] for row in table.t().contiguous()], dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (index,) = ctx.saved_tensors
        (gradient,) = gradients  # (B, H, L, L)
        place = index.flatten()
        sums = [torch.bincount(place, plane.flatten().double(), ctx.rows) for plane in gradient.unbind(dim=1)]
        return None, torch.stack(sums, dim=1).to(gradient.dtype)
