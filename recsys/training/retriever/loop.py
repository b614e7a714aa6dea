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
from recsys.training.retriever.distributed import ALONE, Team
from recsys.training.retriever.interruption import told_to_stop
from recsys.training.retriever.steps import AfterStep, Position, TrainingState, train_epoch
from recsys.training.retriever.workers import begin_together
from recsys.training.schedule import weights_of

Validate = Callable[[Retriever], Mapping[str, float]]
MONITOR = "ndcg@10"
# Of the settings, what does not change the numbers of a run.
_WITHOUT_INFLUENCE = {"threads", "checkpoint_steps"}


def train_retriever(
    model: Retriever,
    data: TrainingData,
    settings: RetrieverSettings,
    run_dir: Path,
    validate: Validate,
    progress: Progress = silent,
    resume: bool = True,
    monitor: str = MONITOR,
    team: Team = ALONE,
) -> Curves:
    """Trains `model` in place, leaves it with its best epoch's weights and returns what happened.

    After each epoch, every `checkpoint_steps` steps and on SIGTERM the run is written to `run_dir`, at
    the end curves.png too. A run that was interrupted goes on from there, to the step, and ends with the
    same numbers as one that was not.

    Args:
        validate: metrics of the model after an epoch; `monitor` is one of them, larger is better.
        team: the processes that share the steps; the others are in `followers.follow`.

    Raises:
        DataError: there is nothing to learn from.
        ArtifactMismatchError: `run_dir` holds a run of other settings or data, and `resume` is on.
        TrainingStoppedError: SIGTERM came; the checkpoint is written.
    """
    lessons = TrainingState.of(model, data, settings, team)
    if not lessons.steps_an_epoch:
        raise DataError(
            "no user acted at two instants, so there is no next action to learn. Import more events."
        )
    identity = _identity(lessons)
    found = load_checkpoint(run_dir, identity) if resume else None
    run = found or Checkpoint(
        tensors_of(model, lessons.optimizer, weights_of(model)), Curves("retriever", monitor)
    )
    best, curves, position = run.restore(model, lessons.optimizer), run.curves, run.position
    begin_together(lessons, run.tensors)

    def keep(at: Position) -> None:
        save_checkpoint(run_dir, identity, tensors_of(model, lessons.optimizer, best), curves, at)

    steps = settings.epochs * lessons.steps_an_epoch
    with progress("train retriever", steps) as advance, torch.random.fork_rng(), told_to_stop() as stop:
        advance((position.epoch - 1) * lessons.steps_an_epoch + position.step)
        for number in range(position.epoch, settings.epochs + 1):
            if curves.stale(settings.patience) and curves.epochs:
                break
            curves = curves.add(_finished_epoch(lessons, position, validate, keep, stop, advance))
            best = weights_of(model) if curves.best_epoch == number else best
            position = Position(number + 1)
            keep(position)
            curves.save(run_dir)
    team.announce(0)

    curves.draw(run_dir)
    model.load_state_dict(best, strict=False)
    model.eval()
    return curves


def _finished_epoch(
    lessons: TrainingState,
    position: Position,
    validate: Validate,
    keep: Callable[[Position], None],
    stop: Callable[[], bool],
    advance: Advance,
) -> Epoch:
    """Trains what is left of the epoch at `position`, together with the team, and validates."""
    started = time.perf_counter() - position.seconds
    lessons.team.announce(position.epoch)
    lessons.team.announce(position.step)
    after_step = _watch(lessons.settings, position, started, keep, stop, advance)
    loss = train_epoch(lessons, position, after_step)
    seconds = time.perf_counter() - started
    rate = lessons.optimizer.param_groups[0]["lr"]
    return Epoch(position.epoch, loss, rate, seconds, dict(validate(lessons.model)))


def _watch(
    settings: RetrieverSettings,
    position: Position,
    started: float,
    keep: Callable[[Position], None],
    stop: Callable[[], bool],
    advance: Advance,
) -> AfterStep:
    """What the leader does after each step of an epoch: checkpoints, and stopping where it is told to."""

    def after_step(step: int, total: Tensor) -> None:
        advance(1)
        stopping = stop()
        if stopping or step % settings.checkpoint_steps == 0:
            seconds = time.perf_counter() - started
            keep(replace(position, step=step, loss=float(total), seconds=seconds))
        if stopping:
            raise TrainingStoppedError(
                f"stopped after step {step} of epoch {position.epoch}, where SIGTERM asked for it. "
                "`recsys train --resume` goes on from there."
            )

    return after_step


def _identity(lessons: TrainingState) -> str:
    """What must be equal for a run to go on: settings, parts, shape, data and starting point."""
    model, data = lessons.model, lessons.data
    return fingerprint(
        lessons.settings.model_dump_json(exclude=_WITHOUT_INFLUENCE | {"accumulate"}),
        lessons.parts,
        model.shape,
        model.attributes,
        data.histories.items,
        data.state_at_seconds,
        data.target,
        data.weight,
        *(weight.detach().cpu().numpy() for weight in model.parameters()),
    )
