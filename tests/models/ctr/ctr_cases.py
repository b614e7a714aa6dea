"""Few impressions, and a network whose weights are not what they begin as."""

import numpy as np
import torch

from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.network import CtrNetwork
from recsys.models.ctr.shape import CtrShape

SHAPE = CtrShape(
    numbers=("price", "age"),
    categories=(("brand", 4),),
    items=5,
    vector=6,
    query=3,
    kinds=3,
    history=4,
    surfaces=2,
    slots=3,
    width=4,
    hidden=(8,),
    conversion=True,
)


def impressions(rows: int = 12, seed: int = 0) -> Impressions:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(1, 3, (rows, 4))
    kinds[: rows // 2, :2] = 0
    vectors = 0.4 * rng.standard_normal((6, 6)).astype(np.float32)
    vectors[0] = 0
    clicked = np.arange(rows) % 3 == 0
    return Impressions(
        request=np.arange(rows),
        item=rng.integers(0, 6, rows),
        slot=rng.integers(0, 5, rows),
        numbers=rng.standard_normal((rows, 2)).astype(np.float32),
        categories=rng.integers(0, 4, (rows, 1)),
        clicked=clicked,
        converted=clicked & (np.arange(rows) % 2 == 0),
        user=np.arange(rows) // 2,
        surface=rng.integers(0, 2, rows),
        user_vectors=0.4 * rng.standard_normal((rows, 6)).astype(np.float32),
        item_vectors=vectors,
        query_vectors=rng.standard_normal((rows, 3)).astype(np.float32),
        history=np.where(kinds > 0, rng.integers(1, 6, (rows, 4)), 0),
        history_kinds=kinds,
    )


def trained_looking(shape: CtrShape = SHAPE, seed: int = 0) -> CtrNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = CtrNetwork(shape)
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
    return network.eval()
