"""The retriever's steps: the gradient of one batch, computed in parts by one process or by several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import BoolArray, IntArray
from recsys.config import RetrieverSettings
from recsys.dataset.batches import Batch, TrainingData, batch_of, batch_rows, targets_of
from recsys.models.losses import (
    binary_cross_entropy,
    even_log_odds,
    inclusion_log_probability,
    positive_exponent,
    sampled_softmax,
)
from recsys.models.retriever.retriever import Retriever
from recsys.models.retriever.user_tower import Places
from recsys.training.retriever.distributed import SINGLE_PROCESS, ProcessGroup
from recsys.training.retriever.lazy_adamw import LazyAdamW
from recsys.training.schedule import build_adamw, learning_rate, set_rate


@dataclass(frozen=True)
class Position:
    """How far a run is: `step` steps of epoch `epoch` (from 1) are done.

    Attributes:
        loss: the sum of those steps' losses. seconds: what they took.
    """

    epoch: int = 1
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0


AfterStep = Callable[[int, Tensor], None]  # steps done in this epoch, the sum of their losses


@dataclass(frozen=True)
class TrainingState:
    """A model with its optimizers, data and settings, in one process of a training.

    Attributes:
        optimizer: of all weights but the items' residuals. residuals: of those.
    """

    model: Retriever
    optimizer: torch.optim.Optimizer
    residuals: LazyAdamW
    data: TrainingData
    settings: RetrieverSettings
    frequency: Tensor  # (N + 1,) on the model's device
    processes: ProcessGroup

    @classmethod
    def of(
        cls,
        model: Retriever,
        data: TrainingData,
        settings: RetrieverSettings,
        processes: ProcessGroup = SINGLE_PROCESS,
    ) -> "TrainingState":
        """Puts the model on this process's device and gives it its optimizers."""
        torch.set_num_threads(max(1, settings.threads // processes.local_size))
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        table = model.item_tower.residual
        others = [weight for weight in model.parameters() if weight is not table]
        optimizer = build_adamw(others, settings.learning_rate, settings.weight_decay)
        steps = settings.epochs * _steps_an_epoch(data, settings)
        residuals = LazyAdamW(table, steps, settings.weight_decay)
        frequency = torch.from_numpy(data.frequency).to(model.device)
        return cls(model, optimizer, residuals, data, settings, frequency, processes)

    @property
    def steps_an_epoch(self) -> int:
        """Batches of one epoch; a window without a state is in none."""
        return _steps_an_epoch(self.data, self.settings)

    @property
    def parts(self) -> int:
        """Parts that a batch is computed in: as many for each process, `accumulate` at least."""
        size = self.processes.size
        return -(-self.settings.accumulate // size) * size


def train_epoch(state: TrainingState, position: Position, after_step: AfterStep) -> float:
    """Trains what is left of an epoch; the mean loss of all its steps.

    Leaves the model in eval mode, with all residuals up to date.
    """
    settings, steps_an_epoch = state.settings, state.steps_an_epoch
    groups = batch_rows(state.data, settings.batch_size, _generator(settings, position))
    done, steps = (position.epoch - 1) * steps_an_epoch, settings.epochs * steps_an_epoch
    total = torch.tensor(position.loss, dtype=torch.float64, device=state.model.device)
    state.model.train()
    for step in range(position.step, len(groups)):
        rate = learning_rate(done + step, steps, settings.learning_rate, settings.warmup_steps)
        set_rate(state.optimizer, rate)
        total = total + train_step(state, groups[step], replace(position, step=step))
        after_step(step + 1, total)
    state.residuals.settle()
    state.model.eval()
    return float(total) / steps_an_epoch  # read once an epoch: reading waits for the device


def train_step(state: TrainingState, rows: IntArray, position: Position) -> Tensor:
    """One step on the batch of these rows; its loss.

    The batch's parts share columns and normaliser, so the sum of their gradients is the batch's. Every
    part has a seed of its own, so that dropout does not depend on who computes it.

    Only the residuals that the whole batch reads are learned; each process finds the same ones.
    """
    model, settings, data = state.model, state.settings, state.data
    rng = _generator(settings, position, position.step + 1)
    negatives = rng.integers(1, data.items + 1, settings.negatives)
    seeds = rng.integers(0, 1 << 62, state.parts)
    targets, weight = targets_of(data, rows)
    read = data.histories.items[rows].ravel()
    touched = np.unique(np.concatenate([read, _columns_drawn(settings, negatives, data.items), targets]))
    residuals = ItemRows(touched, state.residuals.take(touched))
    loss = torch.zeros((), device=model.device)
    state.optimizer.zero_grad(set_to_none=True)
    for part in range(state.processes.rank, state.parts, state.processes.size):
        own = rows[part :: state.parts]  # rows are sorted by length: the parts are about as long
        if not len(own):
            continue
        torch.manual_seed(int(seeds[part]))
        batch = batch_of(data, own)
        share = float(batch.weight.sum()) / weight
        part_loss = batch_loss(model, batch, negatives, state.frequency, settings, targets, residuals) * share
        part_loss.backward()  # type: ignore[no-untyped-call]
        loss = loss + part_loss.detach()
    others = (weight for weight in model.parameters() if weight is not state.residuals.table)
    weights = [*others, residuals.values]
    loss = _all_reduce(weights, loss, state.processes)
    nn.utils.clip_grad_norm_(weights, settings.clip_norm)
    state.optimizer.step()
    state.residuals.step(state.optimizer.param_groups[0]["lr"])
    return loss


def _all_reduce(weights: Sequence[Tensor], loss: Tensor, processes: ProcessGroup) -> Tensor:
    """Sums loss and gradients over all processes, in one message."""
    if processes.size == 1:
        return loss
    # A weight that no process touched must stay without a gradient, or it would decay.
    touched = torch.tensor([weight.grad is not None for weight in weights], dtype=loss.dtype)
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    message = torch.cat([g.flatten() for g in gradients] + [touched.to(loss.device), loss.view(1)])
    processes.all_reduce(message)
    touched_by_any = message[-1 - len(weights) : -1].tolist()
    start = 0
    for weight, count in zip(weights, touched_by_any, strict=True):
        summed = message[start : start + weight.numel()].view_as(weight)
        weight.grad = summed if count else None
        start += weight.numel()
    return message[-1].clone()


def _steps_an_epoch(data: TrainingData, settings: RetrieverSettings) -> int:
    return -(-int((np.diff(data.state_offsets) > 0).sum()) // settings.batch_size)


@dataclass(frozen=True)
class ItemRows:
    """Some rows of a table of items: `values` (U, D) of items `index` (U,), ascending."""

    index: IntArray
    values: Tensor

    def of(self, items: IntArray) -> Tensor:
        """(K, D) values of `items` (K,), all among `index`."""
        return self.values[_tensor(np.searchsorted(self.index, items), self.values.device)]


@dataclass(frozen=True)
class Columns:
    """The C items that the states of a batch are scored against.

    Attributes:
        items: (C,) indexes, ascending.
        drawn: (C,) bool, which were drawn as negatives; the others are targets only.
        rate: the share of the catalog that was drawn; at 1 every item is a column.
    """

    items: IntArray
    drawn: BoolArray
    rate: float

    @classmethod
    def of(cls, targets: IntArray, negatives: IntArray, catalog: int) -> "Columns":
        """The distinct targets and negatives; all items where as many negatives are asked for."""
        if len(negatives) >= catalog:
            return cls(np.arange(1, catalog + 1), np.ones(catalog, bool), 1.0)
        items = np.unique(np.concatenate([targets, negatives]))
        among = np.zeros(catalog + 1, bool)
        among[negatives] = True
        return cls(items, among[items], float(among.sum() / catalog))


def batch_loss(
    model: Retriever,
    batch: Batch,
    negatives: IntArray,
    frequency: Tensor,
    settings: RetrieverSettings,
    targets: IntArray | None = None,
    residuals: ItemRows | None = None,
) -> Tensor:
    """The loss of one batch by `settings.loss`, over its targets and `negatives` (n,) as columns.

    The softmax sets a target against all columns; BCE against the negatives alone, whose share of the
    catalog is the rate that gBCE corrects for.

    Args:
        targets: those of the whole batch, where `batch` is a part of it.
        residuals: of all items that the batch reads, where the model's table is not to be read.
    """
    device, catalog = model.device, model.shape.items
    targets = batch.target if targets is None else targets
    columns = Columns.of(targets, _columns_drawn(settings, negatives, catalog), catalog)
    users, candidates = _vectors(model, batch, columns.items, residuals)
    users = model.scale * users
    places = np.searchsorted(columns.items, batch.target)
    state, column, weight = (_tensor(part, device) for part in (batch.pair_state, places, batch.weight))
    if settings.loss in ("bce", "gbce"):
        beta = positive_exponent(settings.gbce_t, columns.rate) if settings.loss == "gbce" else 1.0
        offset = even_log_odds(int(columns.drawn.sum()), beta)
        drawn = _tensor(columns.drawn, device)
        return binary_cross_entropy(users, candidates, drawn, state, column, weight, beta, offset)
    if columns.rate == 1:
        log_probability = torch.zeros(catalog, device=device)
    else:
        chosen = frequency[_tensor(columns.items, device)]
        log_probability = inclusion_log_probability(chosen, len(targets), len(negatives), catalog)
    return sampled_softmax(users, candidates, log_probability, state, column, weight)


def _columns_drawn(settings: RetrieverSettings, negatives: IntArray, catalog: int) -> IntArray:
    """`negatives`, or all items where the loss or their number asks for all."""
    every = settings.loss == "full-softmax" or len(negatives) >= catalog
    return np.arange(1, catalog + 1) if every else negatives


def _vectors(
    model: Retriever, batch: Batch, columns: IntArray, residuals: ItemRows | None
) -> tuple[Tensor, Tensor]:
    """(S, D) users of the batch's states and (C, D) vectors of `columns`.

    Only items that the batch touches pass the item tower: those of the columns and of the histories.
    """
    device = model.device
    needed, place = np.unique(np.concatenate([columns, batch.items.ravel()]), return_inverse=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        own = None if residuals is None else residuals.of(needed)
        vectors = model.item_tower(_tensor(needed, device), own)  # (V, D)
        history = vectors[_tensor(place[len(columns) :], device)].view(*batch.items.shape, -1)  # (B, L, D)
        places = Places.of(batch.state_row, batch.state_position, len(batch.items), device)
        kinds, at = _tensor(batch.kinds, device), _tensor(batch.at_seconds, device)
        states = model.states(history, kinds, at, places)  # (S, D)
        last_at = _tensor(batch.at_seconds[batch.state_row, batch.state_position], device)
        users = model.users(states, _tensor(batch.state_at_seconds, device), last_at)
    return users, vectors[_tensor(place[: len(columns)], device)]


def _tensor(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def _generator(settings: RetrieverSettings, position: Position, step: int = 0) -> np.random.Generator:
    """Seeded by place alone, so that going on after an interruption needs no stored state."""
    return np.random.default_rng([settings.seed, position.epoch, step])
