"""What the other processes of a team do: their share of every step, and nothing else."""

import json
import signal
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from recsys.config import RetrieverSettings
from recsys.dataset.batches import TrainingData
from recsys.dataset.histories import Histories
from recsys.models.retriever.retriever import Retriever
from recsys.training.curves import Curves
from recsys.training.retriever.checkpoint import Checkpoint
from recsys.training.retriever.distributed import Team
from recsys.training.retriever.steps import Position, TrainingState, train_epoch


def follow(team: Team) -> None:
    """Trains along with the first process, run after run, until it says that there is no other.

    SIGTERM is left to the first process, which writes a checkpoint and ends; so do the others then.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with torch.random.fork_rng():
        while tensors := team.hand_out():
            lessons = _lessons(tensors, team)
            while epoch := team.announce():
                train_epoch(lessons, Position(epoch, team.announce()), lambda step, total: None)


def begin_together(lessons: TrainingState, checkpoint: Mapping[str, Tensor]) -> None:
    """Gives the others what the first process trains, from `checkpoint` on."""
    if lessons.team.size == 1:
        return
    model = lessons.model
    weights = dict(model.named_parameters())
    buffers = {name: value for name, value in model.state_dict().items() if name not in weights}
    description = {"settings": lessons.settings.model_dump(mode="json"), "model": model.describe()}
    lessons.team.hand_out(
        {
            "description": _text(json.dumps(description)),
            **{f"checkpoint.{name}": value for name, value in checkpoint.items()},
            **{f"buffer.{name}": value.cpu().contiguous() for name, value in buffers.items()},
            **{f"data.{name}": torch.from_numpy(value) for name, value in _arrays(lessons.data).items()},
        }
    )


def release(team: Team) -> None:
    """Tells the others that there is nothing more to train."""
    if team.size > 1:
        team.hand_out({})


def _lessons(tensors: Mapping[str, Tensor], team: Team) -> TrainingState:
    description = json.loads(tensors["description"].numpy().tobytes())
    state = _under("buffer.", tensors) | _under("checkpoint.weight.", tensors)
    model = Retriever.rebuild(description["model"], state)
    arrays = {name: value.numpy() for name, value in _under("data.", tensors).items()}
    histories = Histories(**{field.name: arrays.pop(field.name) for field in fields(Histories)})
    data = TrainingData(histories=histories, items=int(arrays.pop("catalog")[0]), **arrays)
    lessons = TrainingState.of(model, data, RetrieverSettings(**description["settings"]), team)
    Checkpoint(_under("checkpoint.", tensors), Curves("", "")).restore(model, lessons.optimizer)
    return lessons


def _arrays(data: TrainingData) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Every array of `data` by its name, and the size of the catalog."""
    arrays = {name: np.ascontiguousarray(value) for name, value in vars(data.histories).items()}
    own = {name: value for name, value in vars(data).items() if isinstance(value, np.ndarray)}
    return arrays | own | {"catalog": np.array([data.items])}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _text(content: str) -> Tensor:
    return torch.frombuffer(bytearray(content.encode()), dtype=torch.uint8)
