"""The retriever's training loop, from top to bottom."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from recsys.config import RetrieverSettings
from recsys.dataset.batches import TrainingData
from recsys.errors import DataError, TrainingStoppedError
from recsys.models.retriever.retriever import Retriever
from recsys.progress import Advance, Progress, silent
from recsys.training.curves import Curves, Epoch
from recsys.training.retriever.checkpoint import (
    Checkpoint,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
    tensors_of,
)
from recsys.training.retriever.distributed import SINGLE_PROCESS, ProcessGroup
from recsys.training.retriever.interruption import watch_sigterm
from recsys.training.retriever.steps import AfterStep, Position, TrainingState, train_epoch
from recsys.training.retriever.workers import send_training_state
from recsys.training.schedule import weights_of

Validate = Callable[[Retriever], Mapping[str, float]]
MONITOR = "ndcg@10"
# Of the settings, what does not change the numbers of a run.
WITHOUT_INFLUENCE = {"threads", "checkpoint_steps"}


def train_retriever(
    model: Retriever,
    data: TrainingData,
    settings: RetrieverSettings,
    run_dir: Path,
    validate: Validate,
    progress: Progress = silent,
    resume: bool = True,
    monitor: str = MONITOR,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> Curves:
    """Trains `model` in place, leaves it with its best epoch's weights and returns what happened.

    After each epoch, every `checkpoint_steps` steps and on SIGTERM the run is written to `run_dir`, at
    the end curves.png too. A run that was interrupted goes on from there, to the step, and ends with the
    same numbers as one that was not.

    Args:
        validate: metrics of the model after an epoch; `monitor` is one of them, larger is better.
        processes: those that share the steps; the workers are in `workers.run_worker`.

    Raises:
        DataError: there is nothing to learn from.
        ArtifactMismatchError: `run_dir` holds a run of other settings or data, and `resume` is on.
        TrainingStoppedError: SIGTERM came; the checkpoint is written.
    """
    state = TrainingState.of(model, data, settings, processes)
    if not state.steps_an_epoch:
        raise DataError(
            "no user acted at two instants, so there is no next action to learn. Import more events."
        )
    identity = _fingerprint_of(state)
    found = load_checkpoint(run_dir, identity) if resume else None
    run = found or Checkpoint(tensors_of(state, weights_of(model)), Curves("retriever", monitor))
    best, curves, position = run.restore(state), run.curves, run.position
    send_training_state(state, run.tensors)

    def keep(at: Position) -> None:
        save_checkpoint(run_dir, identity, tensors_of(state, best), curves, at)

    steps = settings.epochs * state.steps_an_epoch
    with progress("train retriever", steps) as advance, torch.random.fork_rng(), watch_sigterm() as stopped:
        advance((position.epoch - 1) * state.steps_an_epoch + position.step)
        for number in range(position.epoch, settings.epochs + 1):
            if curves.stale(settings.patience) and curves.epochs:
                break
            curves = curves.add(_run_epoch(state, position, validate, keep, stopped, advance))
            best = weights_of(model) if curves.best_epoch == number else best
            position = Position(number + 1)
            keep(position)
            curves.save(run_dir)
    processes.broadcast_int(0)

    curves.draw(run_dir)
    model.load_state_dict(best, strict=False)
    model.eval()
    return curves


def _run_epoch(
    state: TrainingState,
    position: Position,
    validate: Validate,
    keep: Callable[[Position], None],
    stopped: Callable[[], bool],
    advance: Advance,
) -> Epoch:
    """Trains what is left of the epoch at `position`, together with the workers, and validates."""
    started = time.perf_counter() - position.seconds
    state.processes.broadcast_int(position.epoch)
    state.processes.broadcast_int(position.step)
    after_step = _checkpointing(state.settings, position, started, keep, stopped, advance)
    loss = train_epoch(state, position, after_step)
    seconds = time.perf_counter() - started
    rate = state.optimizer.param_groups[0]["lr"]
    return Epoch(position.epoch, loss, rate, seconds, dict(validate(state.model)))


def _checkpointing(
    settings: RetrieverSettings,
    position: Position,
    started: float,
    keep: Callable[[Position], None],
    stopped: Callable[[], bool],
    advance: Advance,
) -> AfterStep:
    """What the leader does after each step of an epoch: it writes checkpoints, and stops on SIGTERM."""

    def after_step(step: int, total: Tensor) -> None:
        advance(1)
        stopping = stopped()
        if stopping or step % settings.checkpoint_steps == 0:
            seconds = time.perf_counter() - started
            keep(replace(position, step=step, loss=float(total), seconds=seconds))
        if stopping:
            raise TrainingStoppedError(
                f"stopped after step {step} of epoch {position.epoch}, where SIGTERM asked for it. "
                "`recsys train --resume` goes on from there."
            )

    return after_step


def _fingerprint_of(state: TrainingState) -> str:
    """What must be equal for a run to go on: settings, parts, shape, data and starting point."""
    model, data = state.model, state.data
    return fingerprint(
        "residuals by LazyAdamW",  # a checkpoint without its state cannot be gone on from
        state.settings.model_dump_json(exclude=WITHOUT_INFLUENCE | {"accumulate"}),
        state.parts,
        model.shape,
        model.attributes,
        data.histories.items,
        data.state_at_seconds,
        data.target,
        data.weight,
        *(weight.detach().cpu().numpy() for weight in model.parameters()),
    )
