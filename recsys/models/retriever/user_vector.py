"""The vector of one user, from its history and the instant of the request."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.models.numpy_forward.layers import (
    Affine,
    Norm,
    gelu,
    normalised,
    softmax,
    weight_view,
)
from recsys.models.retriever.user_tower import GAP_BUCKETS, Block, RelativeBias, TimeEncoder, UserTower

_EXPONENT_BITS, _EXPONENT_OF_ONE = 23, 127  # of a float32
_LAST = slice(-1, None)


@dataclass(frozen=True, eq=False)
class UserVectorForward:
    """Views on the weights of a user tower, a time encoder and the map behind the tower."""

    kinds: FloatArray
    bias: "_Bias"
    blocks: "tuple[_Block, ...]"
    norm: Norm
    time: "_Time | None"
    behaviour_out: Affine

    @classmethod
    def of(
        cls, tower: UserTower, time_encoder: TimeEncoder | None, behaviour_out: nn.Linear
    ) -> "UserVectorForward":
        """Those of these networks, which lie in the processor's memory."""
        return cls(
            kinds=weight_view(tower.kind.weight),
            bias=_Bias.of(tower.bias),
            blocks=tuple(_Block.of(block) for block in tower.blocks if isinstance(block, Block)),
            norm=Norm.of(tower.norm),
            time=None if time_encoder is None else _Time.of(time_encoder),
            behaviour_out=Affine.of(behaviour_out),
        )

    def vector(
        self, vectors: FloatArray, kinds: IntArray, at_seconds: IntArray, request_at: int
    ) -> FloatArray:
        """(D,) unit P_u of one history: item vectors (L, D), kinds (L,) and Unix seconds (L,), oldest first.

        Kind 0 is padding; zeros where the last action is padding, as there is none then.
        """
        if not kinds[-1]:
            return np.zeros(vectors.shape[1], np.float32)
        states: FloatArray = vectors * np.float32(vectors.shape[1] ** 0.5) + self.kinds[kinds]
        for number, block in enumerate(self.blocks, start=1):
            rows = _LAST if number == len(self.blocks) else slice(None)
            states = block(states, self.bias(at_seconds, kinds > 0, rows), rows)
        vector = self.behaviour_out(self.norm(states[_LAST])[0])
        if self.time is not None:
            vector += self.time(request_at, int(at_seconds[-1]))
        return normalised(vector)


@dataclass(frozen=True, eq=False)
class _Block:
    attention_norm: Norm
    query: Affine
    key_value: Affine
    attention_out: Affine
    norm: Norm
    wide: Affine
    narrow: Affine
    heads: int

    @classmethod
    def of(cls, block: Block) -> "_Block":
        both = Affine.of(block.query_key_value)
        width = both.weight.shape[1]
        assert both.bias is not None
        return cls(
            attention_norm=Norm.of(block.attention_norm),
            query=Affine(both.weight[:width], both.bias[:width]),
            key_value=Affine(both.weight[width:], both.bias[width:]),
            attention_out=Affine.of(block.attention_out),
            norm=Norm.of(block.norm),
            wide=Affine.of(block.wide),
            narrow=Affine.of(block.narrow),
            heads=block.heads,
        )

    def __call__(self, states: FloatArray, bias: FloatArray, rows: slice) -> FloatArray:
        """States (L, D), bias (H, Q, L) -> (Q, D), the new states at `rows`."""
        normed = self.attention_norm(states)
        mixed = self._attend(self.query(normed[rows]), self.key_value(normed), bias)
        states = states[rows] + self.attention_out(mixed)
        return states + self.narrow(gelu(self.wide(self.norm(states))))

    def _attend(self, query: FloatArray, key_value: FloatArray, bias: FloatArray) -> FloatArray:
        """Query (Q, D), key and value (L, 2 D) -> (Q, D)."""
        count, width = query.shape
        each = width // self.heads
        queries = query.reshape(count, self.heads, each).transpose(1, 0, 2)  # (H, Q, D / H)
        parts = key_value.reshape(len(key_value), 2, self.heads, each)  # (L, 2, H, D / H)
        keys, values = parts[:, 0].transpose(1, 2, 0), parts[:, 1].transpose(1, 0, 2)
        shares = softmax(queries @ keys * np.float32(each**-0.5) + bias)  # (H, Q, L)
        mixed: FloatArray = (shares @ values).transpose(1, 0, 2).reshape(count, width)
        return mixed


@dataclass(frozen=True, eq=False)
class _Bias:
    place: FloatArray  # (length, H)
    gap: FloatArray | None  # (GAP_BUCKETS, H)

    @classmethod
    def of(cls, bias: RelativeBias) -> "_Bias":
        return cls(weight_view(bias.place), None if bias.gap is None else weight_view(bias.gap))

    def __call__(self, at_seconds: IntArray, real: BoolArray, rows: slice) -> FloatArray:
        """(H, Q, L) what attention adds for the queries at `rows`, -inf where a key is not seen."""
        place = np.arange(len(at_seconds))
        apart = place[rows, None] - place  # (Q, L)
        bias = self.place[np.clip(apart, 0, len(self.place) - 1)]  # (Q, L, H)
        if self.gap is not None:
            bias = bias + self.gap[_gap_bucket(at_seconds[rows, None] - at_seconds)]
        bias[~((apart == 0) | (apart > 0) & real)] = -np.inf
        planes: FloatArray = bias.transpose(2, 0, 1)
        return planes


@dataclass(frozen=True, eq=False)
class _Time:
    periods: npt.NDArray[np.float64]
    absolute: Affine
    gap: FloatArray
    out: Affine

    @classmethod
    def of(cls, encoder: TimeEncoder) -> "_Time":
        return cls(
            encoder.periods.detach().numpy(),
            Affine.of(encoder.absolute),
            weight_view(encoder.gap.weight),
            Affine.of(encoder.out),
        )

    def __call__(self, request_at: int, last_at: int) -> FloatArray:
        """(D,) T_u."""
        phase = 2 * math.pi * (request_at / self.periods)
        waves = np.concatenate([np.sin(phase), np.cos(phase)]).astype(np.float32)
        bucket = int(_gap_bucket(np.array(request_at - last_at)))
        return self.out(gelu(self.absolute(waves) + self.gap[bucket]))


def _gap_bucket(seconds: IntArray) -> npt.NDArray[np.int32]:
    """As `user_tower.gap_bucket`."""
    exponent = (np.maximum(seconds, 0) + 1).astype(np.float32).view(np.int32) >> _EXPONENT_BITS
    bucket: npt.NDArray[np.int32] = np.minimum(exponent - _EXPONENT_OF_ONE, GAP_BUCKETS - 1)
    return bucket
