"""P_u = [K_u ; T_u]: what a user did, by a causal transformer, and when the request is made."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import IntArray
from recsys.columns import KINDS

GAP_BUCKETS = 32  # powers of two of seconds: bucket 31 begins at 68 years
HOUR, DAY, WEEK, YEAR = 3_600, 86_400, 604_800, 31_556_952
# Period in seconds and how many harmonics of it: a day has a breakfast and an evening peak.
CYCLES = ((DAY, 3), (WEEK, 3))
SEASON = (YEAR, 2)
_DROPOUT_LEVELS = 256  # what a byte tells apart


@dataclass(frozen=True)
class Places:
    """S of the places of B histories, whose states are wanted; those of one history are neighbours.

    Attributes:
        row, position: (S,) int64, which history and which of its places.
        slot: (S,) int64, the number of each among those of its history, from 0.
        slots: the most that one history has.
    """

    row: Tensor
    position: Tensor
    slot: Tensor
    slots: int

    @classmethod
    def of(cls, row: IntArray, position: IntArray, histories: int, device: torch.device) -> "Places":
        """Those at `position` (S,) of `row` (S,), ascending, of so many histories.

        Counted on the processor: the size of a tensor would have to wait for the device.
        """
        counts = np.bincount(row, minlength=histories)
        slot = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
        rows, positions, slots = (
            torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (row, position, slot)
        )
        return cls(rows, positions, slots, int(counts.max()))

    def padded(self, values: Tensor, histories: int) -> Tensor:
        """(B, Q, ...) `values` (S, ...) by history and slot, 0 where a history has fewer than Q."""
        out = values.new_zeros(histories, self.slots, *values.shape[1:])
        return out.index_put((self.row, self.slot), values)


class Block(nn.Module):
    """One pre-norm transformer block with relative attention bias."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor, places: Places | None = None) -> Tensor:
        """states (B, L, D), bias (B, H, L, L) with -inf where attention is forbidden -> (B, L, D).

        Args:
            places: those whose new states are wanted, with a bias (B, H, Q, L): (S, D) then, for less work.
        """
        normed = self.attention_norm(states)
        if places is None:
            query, key, value = self._heads(self.query_key_value(normed), 3)
            mixed = self._attend(query, key, value, bias)
        else:
            mixed = self._attend_at(normed, bias, places)
            states = states[places.row, places.position]  # (S, D)
        states = states + self.dropout(self.attention_out(mixed))
        hidden = nn.functional.gelu(self.wide(self.norm(states)))
        out: Tensor = states + self.dropout(self.narrow(hidden))
        return out

    def _attend_at(self, states: Tensor, bias: Tensor, places: Places) -> Tensor:
        """(S, D) what the places draw from all of their history's states (B, L, D)."""
        width = states.shape[-1]
        weight, offset = self.query_key_value.weight, self.query_key_value.bias
        query = nn.functional.linear(states[places.row, places.position], weight[:width], offset[:width])
        (query,) = self._heads(places.padded(query, len(states)), 1)  # (B, H, Q, D / H)
        key, value = self._heads(nn.functional.linear(states, weight[width:], offset[width:]), 2)
        return self._attend(query, key, value, bias)[places.row, places.slot]

    def _heads(self, states: Tensor, parts: int) -> Tensor:
        """(parts, B, H, L, D / H) of (B, L, parts D)."""
        batch, length, _ = states.shape
        return states.view(batch, length, parts, self.heads, -1).permute(2, 0, 3, 1, 4)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """(B, Q, D) of queries (B, H, Q, D / H), keys and values (B, H, L, D / H) and bias (B, H, Q, L)."""
        logits = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + bias  # (B, H, Q, L)
        mixed = self.dropout(logits.softmax(-1)) @ value  # (B, H, Q, D / H)
        out: Tensor = mixed.transpose(1, 2).flatten(2)  # (B, Q, D)
        return out


class UserTower(nn.Module):
    """Causal states of a history: state l knows the actions up to l and none after it."""

    def __init__(self, width: int, layers: int, heads: int, length: int, dropout: float, clock: bool) -> None:
        super().__init__()
        self.kind = nn.Embedding(len(KINDS) + 1, width, padding_idx=0)
        self.bias = RelativeBias(heads, length, clock)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.kind.weight)
        for name, weight in self.named_parameters():
            if name.endswith(
                ("attention_out.weight", "narrow.weight", "wide.weight", "query_key_value.weight")
            ):
                nn.init.normal_(weight, std=0.02)

    def forward(
        self, vectors: Tensor, kinds: Tensor, at_seconds: Tensor, places: Places | None = None
    ) -> Tensor:
        """(B, L, D) from item vectors (B, L, D), kind codes (B, L) and Unix seconds (B, L).

        Kind 0 is padding: nothing attends to it, and its own states mean nothing.

        Args:
            places: those whose states are wanted: (S, D) then. The last block does nothing for the others.
        """
        # Unit rows have entries of size D^-1/2; bring them to the size that layers expect.
        states = self.dropout(vectors * vectors.shape[-1] ** 0.5 + self.kind(kinds))  # (B, L, D)
        *inner, last = self.blocks
        if inner:
            bias = self._visible_bias(kinds, at_seconds)
            for block in inner:
                states = block(states, bias)
        states = last(states, self._visible_bias(kinds, at_seconds, places), places)
        out: Tensor = self.norm(states)
        return out

    def _visible_bias(self, kinds: Tensor, at_seconds: Tensor, places: Places | None = None) -> Tensor:
        """(B, H, Q, L) bias of attention; i sees j if j <= i and j is real, and itself, lest it see nothing.

        Without `places` Q is L.
        """
        batch, length = kinds.shape
        key = torch.arange(length, device=kinds.device)
        query = key.expand(1, length) if places is None else places.padded(places.position, batch)
        query = query.unsqueeze(-1)  # (1 or B, Q, 1)
        visible = ((key <= query) & (kinds > 0).unsqueeze(1)) | (key == query)  # (B, Q, L)
        bias: Tensor = self.bias(at_seconds, query).masked_fill(~visible.unsqueeze(1), float("-inf"))
        return bias


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

    def forward(self, at_seconds: Tensor, query: Tensor | None = None) -> Tensor:
        """(B or 1, H, Q, L) additive bias; [.., i, j] is for query i and key j, of use where j is not later.

        Args:
            at_seconds: (B, L). query: (B or 1, Q, 1) places of the queries among the L; None = each of them.
        """
        place = torch.arange(at_seconds.shape[1], device=at_seconds.device)
        query = place[None, :, None] if query is None else query
        apart = (query - place).clamp(0, len(self.place) - 1)  # (B or 1, Q, L)
        bias = _lookup(apart, self.place)  # (B or 1, H, Q, L)
        if self.gap is not None:
            at = at_seconds.gather(1, query.squeeze(-1).expand(len(at_seconds), -1))  # (B, Q)
            gaps = gap_bucket(at.unsqueeze(-1) - at_seconds.unsqueeze(1))  # (B, Q, L)
            bias = bias + _lookup(gaps, self.gap)  # (B, H, Q, L)
        return bias


def _lookup(index: Tensor, table: Tensor) -> Tensor:
    """(B, H, Q, L): row `index` (B, Q, L) of `table` (G, H), a plane a head."""
    if table.device.type != "cpu":
        return nn.functional.embedding(index, table).permute(0, 3, 1, 2)
    out: Tensor = _Lookup.apply(index, table)  # type: ignore[no-untyped-call]
    return out


class _Lookup(torch.autograd.Function):
    """An embedding of few rows that are looked up very often: its gradient is a sum by row, in one pass."""

    @staticmethod
    def forward(ctx: Any, index: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.rows = len(table)
        return torch.stack([row[index] for row in table.t().contiguous()], dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (index,) = ctx.saved_tensors
        (gradient,) = gradients  # (B, H, Q, L)
        place = index.flatten()
        sums = [torch.bincount(place, plane.flatten().double(), ctx.rows) for plane in gradient.unbind(dim=1)]
        return None, torch.stack(sums, dim=1).to(gradient.dtype)


class Dropout(nn.Module):
    """Zeroes each number with chance `share` while training, and scales up the others to keep the mean.

    One byte of randomness decides on a number, where `nn.Dropout` spends a 64-bit draw on it: on a CPU that
    made a fifth of a training step. So the share is rounded to a 256th there; on CUDA it is `nn.Dropout`.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Of the shape that came in."""
        dropped = round(self.share * _DROPOUT_LEVELS)
        if not self.training or not dropped:
            return values
        if values.device.type != "cpu":
            return nn.functional.dropout(values, self.share)
        words = torch.empty(-(-values.numel() // 8), dtype=torch.int64).random_(-(1 << 63), None)
        bytes_ = words.view(torch.uint8)[: values.numel()].view(values.shape)
        factor = (bytes_ >= dropped).to(values.dtype).mul_(_DROPOUT_LEVELS / (_DROPOUT_LEVELS - dropped))
        return values * factor
