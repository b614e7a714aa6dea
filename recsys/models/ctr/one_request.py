"""A click-through network asked about many items for one request; what is the item's alone is kept ready."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import DoubleArray, FloatArray, IntArray
from recsys.models.ctr.layers import TargetAttention
from recsys.models.ctr.network import CtrNetwork


@dataclass(frozen=True)
class ClickRequest:
    """One request.

    Attributes:
        user: (D,) P_u. history, kinds: (L,) item indexes and kinds of action, the latest last, no padding.
        surface: code. query: (Q,), zeros = none.
    """

    user: FloatArray
    history: IntArray
    kinds: IntArray
    surface: int
    query: FloatArray


class RequestScorer:
    """The same log-odds as the network's, for K items of one request in a fraction of the time.

    Args:
        item_vectors: (N' + 1, D) P_m; items above the network's N have no embedding of their own.
        codes: (N' + 1, C) categories.
    """

    def __init__(self, network: CtrNetwork, item_vectors: FloatArray, codes: IntArray) -> None:
        shape = network.shape
        self._network = network
        self._root = shape.vector**0.5
        self._vectors = torch.from_numpy(np.ascontiguousarray(item_vectors))
        index = np.arange(len(item_vectors))
        known = torch.from_numpy(np.where(index <= shape.items, index, 0))
        with torch.inference_mode():
            self._targets = network.item_in(self._vectors * self._root) + network.items(known)  # (N' + 1, E)
            tables = (
                table(torch.from_numpy(codes[:, place])) for place, table in enumerate(network.categories)
            )
            self._categories = torch.cat([self._targets[:, :0], *tables], 1)  # (N' + 1, C E)

    def log_odds(
        self, request: ClickRequest, item: IntArray, numbers: FloatArray
    ) -> tuple[DoubleArray, DoubleArray]:
        """(K,) log-odds of attraction and (K,) of conversion of items (K,) with numbers (K, F).

        Conversion is NaN where the network has no such head.
        """
        network = self._network
        with torch.inference_mode():
            inputs = self._inputs(request, torch.from_numpy(item), torch.from_numpy(numbers))  # (K, X)
            crossed = inputs
            for layer in network.crosses:
                crossed = layer(inputs, crossed)
            attraction = network.attraction(torch.cat([crossed, network.deep(inputs)], -1)).squeeze(-1)
            if network.conversion is None:
                return _double(attraction), np.full(len(item), np.nan)
            return _double(attraction), _double(network.conversion(inputs).squeeze(-1))

    def _inputs(self, request: ClickRequest, item: Tensor, numbers: Tensor) -> Tensor:
        """x_0 (K, X), its parts in the network's order."""
        network, count = self._network, len(item)
        user = torch.from_numpy(np.ascontiguousarray(request.user))
        vectors, target = self._vectors[item], self._targets[item]  # (K, D), (K, E)
        product = nn.functional.linear(
            vectors, network.product_in.weight * (user * self._root**2), network.product_in.bias
        )
        parts = [
            network.numbers(numbers),
            self._categories[item],
            network.user_in(user * self._root).expand(count, -1),
            target,
            product,
            (vectors @ user)[:, None],
            self._attended(request, target),
            network.surfaces.weight[request.surface].expand(count, -1),
        ]
        if network.query_in is not None:
            query = network.query_in(torch.from_numpy(request.query) * network.shape.query**0.5)
            parts += [query.expand(count, -1), query * target]
        return torch.cat(parts, -1)

    def _attended(self, request: ClickRequest, target: Tensor) -> Tensor:
        if not len(request.history):
            return torch.zeros_like(target)
        keys = self._targets[torch.from_numpy(request.history)]  # (L, E)
        values = keys + self._network.kinds.weight[torch.from_numpy(request.kinds)]
        return attend_once(self._network.attention, target, keys, values)


def attend_once(attention: TargetAttention, target: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """(K, E): `TargetAttention` of K targets over one history of keys and values (L, E).

    The product of an action and an item under a linear map is a linear map of the item, so that all of the
    hidden layer is one product of matrices.
    """
    length, width = keys.shape
    products = attention.product.weight[None] * keys[:, None]  # (L, 2E, E)
    maps = (products + attention.query.weight).reshape(-1, width)  # (L 2E, E)
    bias = (attention.key(keys) + attention.query.bias).reshape(-1)  # (L 2E,)
    hidden = nn.functional.silu(nn.functional.linear(target, maps, bias)).view(-1, length, 2 * width)
    logits = attention.weight(hidden) + attention.recency[:length].flip(0)  # (K, L, H)
    nothing = logits.new_zeros(len(target), 1, attention.heads)
    weights = torch.cat([logits, nothing], 1).softmax(1)[:, :length]  # (K, L, H)
    parts = attention.value(values).view(length, attention.heads, -1)  # (L, H, E / H)
    out: Tensor = torch.einsum("klh,lhe->khe", weights, parts).reshape(len(target), width)
    return out


def _double(values: Tensor) -> DoubleArray:
    return np.asarray(values.double().numpy(), np.float64)
