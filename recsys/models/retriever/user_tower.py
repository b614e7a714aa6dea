"""K_u: the behaviour vector, from a causal transformer over a user's last actions."""

import torch
from torch import Tensor, nn

from recsys.columns import KINDS
from recsys.models.retriever.dropout import Dropout
from recsys.models.retriever.time_encoder import RelativeBias


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

    def forward(self, states: Tensor, bias: Tensor, places: slice = slice(None)) -> Tensor:
        """states (B, L, D), bias (B, H, L, L) with -inf where attention is forbidden -> (B, L, D).

        Args:
            places: of the L, those whose new states are wanted: for fewer there is less to do.
        """
        mixed = self._attend(self.attention_norm(states), bias, places)
        states = states[:, places] + self.dropout(self.attention_out(mixed))
        hidden = nn.functional.gelu(self.wide(self.norm(states)))
        out: Tensor = states + self.dropout(self.narrow(hidden))
        return out

    def _attend(self, states: Tensor, bias: Tensor, places: slice) -> Tensor:
        batch, length, width = states.shape
        parts = self.query_key_value(states).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, H, L, D / H)
        query, bias = query[:, :, places], bias[:, :, places]
        logits = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias  # (B, H, L, L)
        mixed = self.dropout(logits.softmax(-1)) @ value  # (B, H, L, D / H)
        out: Tensor = mixed.transpose(1, 2).reshape(batch, -1, width)  # (B, L, D)
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
        self, vectors: Tensor, kinds: Tensor, at_seconds: Tensor, places: slice = slice(None)
    ) -> Tensor:
        """(B, L, D) from item vectors (B, L, D), kind codes (B, L) and Unix seconds (B, L).

        Kind 0 is padding: nothing attends to it, and its own states mean nothing.

        Args:
            places: of the L, those whose states are wanted.
        """
        # Unit rows have entries of size D^-1/2; bring them to the size that layers expect.
        states = self.dropout(vectors * vectors.shape[-1] ** 0.5 + self.kind(kinds))  # (B, L, D)
        bias = self.bias(at_seconds).masked_fill(~_visible(kinds > 0), float("-inf"))  # (B, H, L, L)
        for number, block in enumerate(self.blocks, start=1):
            states = block(states, bias, places if number == len(self.blocks) else slice(None))
        out: Tensor = self.norm(states)
        return out


def _visible(real: Tensor) -> Tensor:
    """(B, 1, L, L) bool: i sees j if j <= i and j is real; each sees itself, lest a row be empty."""
    length = real.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=real.device).tril()
    alone = torch.eye(length, dtype=torch.bool, device=real.device)
    return ((causal & real[:, None, :]) | alone).unsqueeze(1)
