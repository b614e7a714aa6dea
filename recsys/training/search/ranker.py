"""Trains the ranker of search on pairs with targets: grades of judges, or what clicks say, corrected."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray, IntArray
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.search.relevance.features import FEATURES, QUERY_FEATURES
from recsys.search.relevance.ranker import Layer, Scaling, SearchRanker
from recsys.training.schedule import build_adamw, learning_rate, set_rate

# What is on the scale of one encoder, or of one shop's queries, and says nothing on another.
_BOUND = frozenset(
    ("cosine", "feedback", "feedback_below_best", "query_cosine_mean", "query_cosine_deviation")
)
PORTABLE = tuple(name for name in FEATURES if name not in _BOUND and name not in QUERY_FEATURES)
_FEWEST = 50  # pairs


@dataclass(frozen=True)
class SearchRankerSettings:
    """How the networks are made and trained.

    Attributes:
        members: networks of which the mean is taken. hidden: widths of their layers.
        portable: read only features that mean the same on every shop and with every encoder.
    """

    members: int = 3
    hidden: tuple[int, ...] = (128, 64)
    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    dropout: float = 0.2
    portable: bool = False
    seed: int = 0


@dataclass(frozen=True)
class RankingPairs:
    """P pairs of a query and an item to learn from.

    Attributes:
        features: (P, F) in the order of FEATURES. targets: (P,) more is more relevant. weights: (P,) how much
            each counts, as the times that it was seen; None = all alike.
    """

    features: FloatArray
    targets: FloatArray
    weights: FloatArray | None = None


def train_search_ranker(
    pairs: RankingPairs,
    settings: SearchRankerSettings | None = None,
    source: str = "",
    progress: Progress = silent,
) -> SearchRanker:
    """A ranker whose score is near the target, by the weighted square of the difference.

    The square on grades ordered better than losses on lists (see docs/search.md); the scores of different
    queries are comparable. All epochs are run: dropout and decay hold it back, nothing has to be held out.

    Raises:
        DataError: fewer than 50 pairs, all of one target, or a target or weight that is no number.
    """
    settings = settings or SearchRankerSettings()
    weights = np.ones(len(pairs.targets), np.float32) if pairs.weights is None else pairs.weights
    _check_pairs(pairs, weights)
    scaling = Scaling.of(pairs.features, FEATURES, PORTABLE if settings.portable else None)
    level = float(np.average(pairs.targets, weights=weights))
    unit = float(np.sqrt(np.average((pairs.targets - level) ** 2, weights=weights)))
    inputs = torch.from_numpy(scaling.inputs(pairs.features))
    targets = torch.from_numpy(((pairs.targets - level) / unit).astype(np.float32))
    counted = torch.from_numpy((weights / weights.mean()).astype(np.float32))
    rows = np.flatnonzero(weights > 0)
    steps = settings.members * settings.epochs * -(-len(rows) // settings.batch_size)
    members = []
    with progress("train search ranker", steps) as advance, torch.random.fork_rng(devices=[]):
        for number in range(settings.members):
            torch.manual_seed(settings.seed + number)
            network = _network(scaling.width, settings)
            for _ in _train(network, inputs, targets, counted, rows, settings, number):
                advance(1)
            members.append(_layers(network))
    return SearchRanker(scaling, tuple(members), level, unit, source)


def _check_pairs(pairs: RankingPairs, weights: FloatArray) -> None:
    used = pairs.targets[weights > 0]
    if not (np.isfinite(pairs.targets).all() and np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError("a target or weight of a pair is no number, or a weight is below 0. Leave it out.")
    if len(used) < _FEWEST or used.min() == used.max():
        raise DataError(
            f"{len(used)} pairs with {len(np.unique(used))} different targets are too few to learn an order "
            f"from. Bring {_FEWEST} or more judged or clicked pairs, relevant ones and others."
        )


def _network(width: int, settings: SearchRankerSettings) -> nn.Sequential:
    layers: list[nn.Module] = []
    for hidden in settings.hidden:
        layers += [nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(settings.dropout)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 1))


def _train(
    network: nn.Sequential,
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor,
    rows: IntArray,
    settings: SearchRankerSettings,
    number: int,
) -> Iterator[int]:
    """Trains in place; yields after each step."""
    optimizer = build_adamw(network, settings.learning_rate, settings.weight_decay)
    rng = np.random.default_rng([settings.seed, number])
    batches = -(-len(rows) // settings.batch_size)
    steps, step = settings.epochs * batches, 0
    network.train()
    for _ in range(settings.epochs):
        for part in np.array_split(rng.permutation(rows), batches):
            set_rate(optimizer, learning_rate(step, steps, settings.learning_rate, 100))
            batch = torch.from_numpy(part)
            difference = network(inputs[batch])[:, 0] - targets[batch]
            loss = (weights[batch] * difference**2).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step += 1
            yield step
    network.eval()


def _layers(network: nn.Sequential) -> tuple[Layer, ...]:
    return tuple(
        (part.weight.detach().numpy().copy(), part.bias.detach().numpy().copy())
        for part in network
        if isinstance(part, nn.Linear)
    )
