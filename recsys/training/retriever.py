"""The retriever's training loop, from top to bottom."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from recsys.config import RetrieverSettings
from recsys.dataset.batches import Batch, TrainingData, make_batches
from recsys.errors import DataError
from recsys.models.losses import inclusion_log_probability, sampled_softmax
from recsys.models.retriever import Retriever
from recsys.progress import Advance, Progress, silent
from recsys.training.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from recsys.training.curves import Curves, Epoch
from recsys.training.schedule import adamw, learning_rate, set_rate

Validate = Callable[[Retriever], Mapping[str, float]]
MONITOR = "ndcg@10"


def train_retriever(
    model: Retriever,
    data: TrainingData,
    settings: RetrieverSettings,
    run_dir: Path,
    validate: Validate,
    progress: Progress = silent,
    resume: bool = True,
    monitor: str = MONITOR,
) -> Curves:
    """Trains `model` in place, leaves it with its best epoch's weights and returns what happened.

    After each epoch the run is written to `run_dir`: checkpoint and curves.json, at the end curves.png.
    A run that was interrupted goes on from there and ends with the same numbers as one that was not.

    Args:
        validate: metrics of the model after an epoch; `monitor` is one of them, larger is better.

    Raises:
        DataError: there is nothing to learn from.
        ArtifactMismatchError: `run_dir` holds a run of other settings or data, and `resume` is on.
    """
    steps_an_epoch = _steps_an_epoch(data, settings)
    if not steps_an_epoch:
        raise DataError(
            "no user acted at two instants, so there is no next action to learn. Import more events."
        )
    torch.set_num_threads(settings.threads)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = adamw(model, settings.learning_rate, settings.weight_decay)

    identity = _identity(model, data, settings)
    checkpoint = load_checkpoint(run_dir, identity) if resume else None
    curves = checkpoint.curves if checkpoint else Curves("retriever", monitor)
    best = checkpoint.restore(model, optimizer) if checkpoint else _weights(model)

    with progress("train retriever", settings.epochs * steps_an_epoch) as advance, torch.random.fork_rng():
        advance(len(curves.epochs) * steps_an_epoch)
        for number in range(len(curves.epochs) + 1, settings.epochs + 1):
            if curves.stale(settings.patience) and curves.epochs:
                break
            started = time.perf_counter()
            loss = _train_epoch(model, optimizer, data, settings, number, advance)
            seconds = time.perf_counter() - started
            metrics = dict(validate(model))
            rate = optimizer.param_groups[0]["lr"]
            curves = curves.add(Epoch(number, loss, rate, seconds, metrics))
            best = _weights(model) if curves.best_epoch == number else best
            save_checkpoint(run_dir, identity, model, optimizer, best, curves)
            curves.save(run_dir)

    curves.draw(run_dir)
    model.load_state_dict(best, strict=False)
    model.eval()
    return curves


def _train_epoch(
    model: Retriever,
    optimizer: torch.optim.Optimizer,
    data: TrainingData,
    settings: RetrieverSettings,
    number: int,
    advance: Advance,
) -> float:
    """One pass over the data; the mean loss of its batches. Leaves the model ready to answer."""
    # Seeded by the epoch's number, so that going on after an interruption needs no stored generator.
    torch.manual_seed(settings.seed * 1_000_003 + number)
    rng = np.random.default_rng([settings.seed, number])
    frequency = torch.from_numpy(data.frequency).to(model.device)
    steps_an_epoch = _steps_an_epoch(data, settings)
    total, steps, step = torch.zeros(()), settings.epochs * steps_an_epoch, (number - 1) * steps_an_epoch
    model.train()
    for batch in make_batches(data, settings.batch_size, rng):
        set_rate(optimizer, learning_rate(step, steps, settings.learning_rate, settings.warmup_steps))
        negatives = rng.integers(1, data.items + 1, settings.negatives)
        loss = batch_loss(model, batch, negatives, frequency)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        total = total + loss.detach()  # read once an epoch: reading waits for the device
        step += 1
        advance(1)
    model.eval()
    return float(total) / steps_an_epoch


def batch_loss(
    model: Retriever, batch: Batch, negatives: np.ndarray[tuple[int], np.dtype[np.int64]], frequency: Tensor
) -> Tensor:
    """The sampled softmax of one batch: its targets against each other and against `negatives` (n,).

    Only the items that the batch touches pass the item tower: C columns (the distinct targets and
    negatives; all items where that is cheaper) and the items of its histories.
    """
    device, catalogue = model.device, model.shape.items
    if len(negatives) >= catalogue:
        columns = np.arange(1, catalogue + 1)
        log_probability = torch.zeros(catalogue, device=device)
    else:
        columns = np.unique(np.concatenate([batch.target, negatives]))
        chosen = frequency[torch.from_numpy(columns).to(device)]
        log_probability = inclusion_log_probability(chosen, len(batch.target), len(negatives), catalogue)
    needed, place = np.unique(np.concatenate([columns, batch.items.ravel()]), return_inverse=True)

    def tensor(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        vectors = model.item_tower(tensor(needed))  # (V, D)
        history = vectors[tensor(place[len(columns) :])].view(*batch.items.shape, -1)  # (B, L, D)
        states = model.states(history, tensor(batch.kinds), tensor(batch.at_seconds))  # (B, L, D)
        row, position = tensor(batch.state_row), tensor(batch.state_position)
        last_at = tensor(batch.at_seconds[batch.state_row, batch.state_position])
        users = model.users(states[row, position], tensor(batch.state_at_seconds), last_at)  # (S, D)
    column = tensor(np.searchsorted(columns, batch.target))
    candidates = vectors[tensor(place[: len(columns)])]  # (C, D)
    pairs = tensor(batch.pair_state), column, tensor(batch.weight)
    return sampled_softmax(model.scale * users, candidates, log_probability, *pairs)


def _steps_an_epoch(data: TrainingData, settings: RetrieverSettings) -> int:
    return -(-int((np.diff(data.state_offsets) > 0).sum()) // settings.batch_size)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().cpu().clone() for name, weight in model.named_parameters()}


def _identity(model: Retriever, data: TrainingData, settings: RetrieverSettings) -> str:
    """What must be equal for a run to go on: settings (not the threads), shape, data and starting point."""
    return fingerprint(
        settings.model_dump_json(exclude={"threads"}),
        model.shape,
        model.attributes,
        data.histories.items,
        data.state_at_seconds,
        data.target,
        data.weight,
        *(weight.detach().cpu().numpy() for weight in model.parameters()),
    )
