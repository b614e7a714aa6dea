"""The network: vectors, features, history and context to the log-odds of a click and of a conversion."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recsys.models.ctr.impressions import Batch
from recsys.models.ctr.layers import CrossLayer, Examination, ScaledNumbers, TargetAttention
from recsys.models.ctr.shape import CtrShape


class Logits(NamedTuple):
    """Of B impressions.

    Attributes:
        attraction: (B,) log-odds of a click where the slot is looked at.
        conversion: (B,) log-odds of a conversion after a click; None without that head.
        seen, unseen: (B,) log-probabilities that the slot is looked at, and that it is not.
    """

    attraction: Tensor
    conversion: Tensor | None
    seen: Tensor
    unseen: Tensor


class CtrNetwork(nn.Module):
    """attraction = w . [crosses(x_0) ; MLP(x_0)] + b, examination(surface, slot) beside it.

    x_0 (B, X) is [numbers ; missing flags ; category embeddings ; W_u P_u ; W_m P_m + e_item ;
    W (P_u * P_m) ; P_u . P_m ; attention over the history ; surface ; query and query * item].
    Attraction does not know the slot and examination does not know the item, so each may be asked alone.
    Before any training all items attract alike.

    Paper: Wang et al. 2021 (DCN-V2), arXiv 2008.13535, fig. 1b (parallel).
    """

    def __init__(self, shape: CtrShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.numbers = ScaledNumbers(shape.numbers, shape.logarithm)
        self.categories = nn.ModuleList(nn.Embedding(size, width) for _, size in shape.categories)
        self.items = nn.Embedding(shape.items + 1, width)
        self.kinds = nn.Embedding(shape.kinds, width, padding_idx=0)
        self.surfaces = nn.Embedding(shape.surfaces, width)
        self.user_in = nn.Linear(shape.vector, width)
        self.item_in = nn.Linear(shape.vector, width)
        self.product_in = nn.Linear(shape.vector, width)
        self.query_in = nn.Linear(shape.query, width) if shape.query else None
        self.attention = TargetAttention(width, shape.heads, shape.history)
        inputs = self._input_width()
        self.crosses = nn.ModuleList(CrossLayer(inputs, shape.rank) for _ in range(shape.crosses))
        self.deep = _layers(inputs, shape.hidden, shape.dropout)
        last = shape.hidden[-1] if shape.hidden else inputs
        self.attraction = nn.Linear(inputs + last, 1)
        self.conversion = _conversion_head(inputs, shape) if shape.conversion else None
        self.examination = Examination(shape.surfaces, shape.slots)
        self._initialise()

    def _input_width(self) -> int:
        shape = self.shape
        embedded = len(shape.categories) + 5 + (2 if shape.query else 0)
        return 2 * len(shape.numbers) + embedded * shape.width + 1

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        with torch.no_grad():
            self.kinds.weight[0] = 0.0
        nn.init.zeros_(self.attraction.weight)
        nn.init.zeros_(self.attraction.bias)

    def begin_at(self, attraction: float, conversion: float) -> None:
        """Sets the log-odds that every impression has before training."""
        heads = (
            (self.attraction, attraction),
            (None if self.conversion is None else self.conversion[-1], conversion),
        )
        with torch.no_grad():
            for head, log_odds in heads:
                if isinstance(head, nn.Linear):
                    head.bias.fill_(log_odds)

    def forward(self, batch: Batch) -> Logits:
        """The logits of B impressions."""
        inputs = self._inputs(batch)  # (B, X)
        crossed = inputs
        for layer in self.crosses:
            crossed = layer(inputs, crossed)
        attraction = self.attraction(torch.cat([crossed, self.deep(inputs)], -1)).squeeze(-1)
        conversion = None if self.conversion is None else self.conversion(inputs).squeeze(-1)
        seen, unseen = self.examination(batch.surface, batch.slot)
        return Logits(attraction, conversion, seen, unseen)

    def _inputs(self, batch: Batch) -> Tensor:
        """x_0 (B, X)."""
        root = self.shape.vector**0.5  # unit rows have entries of size D^-1/2
        user, item = batch.user * root, batch.item * root
        target = self.item_in(item) + self.items(batch.item_index)  # (B, E)
        parts = [
            self.numbers(batch.numbers),
            *(table(batch.categories[:, place]) for place, table in enumerate(self.categories)),
            self.user_in(user),
            target,
            self.product_in(user * item),
            (batch.user * batch.item).sum(-1, keepdim=True),
            self._attended(batch, target, root),
            self.surfaces(batch.surface),
        ]
        if self.query_in is not None:
            query = self.query_in(batch.query * self.shape.query**0.5)
            parts += [query, query * target]
        return torch.cat(parts, -1)

    def _attended(self, batch: Batch, target: Tensor, root: float) -> Tensor:
        """(B, E) what the history says of the item."""
        if not batch.history.shape[1]:
            return torch.zeros_like(target)
        actions = self.item_in(batch.action_vectors * root) + self.items(batch.actions)  # (A, E)
        keys = actions[batch.history]  # (B, L, E)
        weights = self.attention.weights(target, keys, batch.kinds > 0)  # (B, H, L)
        # Values are keys + kinds; there are few kinds, so that each is read once by the sum of its weights.
        kinds = nn.functional.one_hot(batch.kinds, self.shape.kinds).to(weights.dtype)  # (B, L, kinds)
        mixed = torch.bmm(weights, keys) + torch.bmm(weights, kinds) @ self.kinds.weight  # (B, H, E)
        return self.attention.read(mixed, weights.sum(2))


def _conversion_head(inputs: int, shape: CtrShape) -> nn.Sequential:
    last = shape.hidden[-1] if shape.hidden else inputs
    head = nn.Sequential(_layers(inputs, shape.hidden, shape.dropout), nn.Linear(last, 1))
    nn.init.zeros_(head[-1].weight)  # type: ignore[arg-type]
    return head


def _layers(inputs: int, hidden: tuple[int, ...], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.SiLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers)
