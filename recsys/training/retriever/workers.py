"""The workers of a training: processes that compute their share of every step, and nothing else."""

import json
import signal
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from recsys.config import RetrieverSettings
from recsys.dataset.batches import TrainingData
from recsys.dataset.interactions import Histories
from recsys.models.retriever.retriever import Retriever
from recsys.training.curves import Curves
from recsys.training.retriever.checkpoint import Checkpoint
from recsys.training.retriever.distributed import ProcessGroup
from recsys.training.retriever.steps import Position, TrainingState, train_epoch


def run_worker(processes: ProcessGroup) -> None:
    """Trains along with the leader, run after run, until it says that there is no other.

    SIGTERM is left to the leader, which writes a checkpoint and ends; then the workers end too.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with torch.random.fork_rng():
        while tensors := processes.broadcast_tensors():
            state = _received_state(tensors, processes)
            while epoch := processes.broadcast_int():
                train_epoch(state, Position(epoch, processes.broadcast_int()), lambda step, total: None)


def send_training_state(state: TrainingState, checkpoint: Mapping[str, Tensor]) -> None:
    """Sends the workers what the leader trains, from `checkpoint` on."""
    if state.processes.size == 1:
        return
    model = state.model
    weights = dict(model.named_parameters())
    buffers = {name: value for name, value in model.state_dict().items() if name not in weights}
    description = {"settings": state.settings.model_dump(mode="json"), "model": model.describe()}
    state.processes.broadcast_tensors(
        {
            "description": _text(json.dumps(description)),
            **{f"checkpoint.{name}": value for name, value in checkpoint.items()},
            **{f"buffer.{name}": value.cpu().contiguous() for name, value in buffers.items()},
            **{f"data.{name}": torch.from_numpy(value) for name, value in _arrays(state.data).items()},
        }
    )


def stop_workers(processes: ProcessGroup) -> None:
    """Tells the workers that there is nothing more to train."""
    if processes.size > 1:
        processes.broadcast_tensors({})


def _received_state(tensors: Mapping[str, Tensor], processes: ProcessGroup) -> TrainingState:
    description = json.loads(tensors["description"].numpy().tobytes())
    weights = _under("buffer.", tensors) | _under("checkpoint.weight.", tensors)
    model = Retriever.rebuild(description["model"], weights)
    arrays = {name: value.numpy() for name, value in _under("data.", tensors).items()}
    histories = Histories(**{field.name: arrays.pop(field.name) for field in fields(Histories)})
    data = TrainingData(histories=histories, items=int(arrays.pop("catalog")[0]), **arrays)
    state = TrainingState.of(model, data, RetrieverSettings(**description["settings"]), processes)
    Checkpoint(_under("checkpoint.", tensors), Curves("", "")).restore(state)
    return state


def _arrays(data: TrainingData) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Every array of `data` by its name, and the size of the catalog."""
    arrays = {name: np.ascontiguousarray(value) for name, value in vars(data.histories).items()}
    own = {name: value for name, value in vars(data).items() if isinstance(value, np.ndarray)}
    return arrays | own | {"catalog": np.array([data.items])}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _text(content: str) -> Tensor:
    return torch.frombuffer(bytearray(content.encode()), dtype=torch.uint8)
