"""The processes that train together: one alone, or as many as `torchrun` started, on one machine or several.

The door to torch.distributed. The first process leads: it alone reads features, validates, writes and
prints; the others do their share of each step.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

from recsys.errors import ConfigError, TrainingStoppedError

# How long the others wait while the first one builds features or trains the rest of a bundle.
PATIENCE = timedelta(days=2)
_CHUNK = 1 << 28  # bytes sent at a time


@dataclass(frozen=True)
class Team:
    """One process's view of all: its own `rank` from 0, their number, and how many share its machine."""

    rank: int = 0
    size: int = 1
    on_machine: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def add_up(self, values: Tensor) -> None:
        """Replaces `values` by their sum over all processes, the same bits in each."""
        if self.size > 1:
            with _spoken():
                dist.all_reduce(values)

    def announce(self, number: int = 0) -> int:
        """The first process's `number`, in each of them."""
        said = torch.tensor(number)
        if self.size > 1:
            with _spoken():
                dist.broadcast(said, 0)
        return int(said)

    def hand_out(self, tensors: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The first process's `tensors`, in each of them."""
        content = torch.frombuffer(bytearray(save(dict(tensors or {}))), dtype=torch.uint8)
        size = self.announce(len(content))
        content = content if self.leads else torch.empty(size, dtype=torch.uint8)
        with _spoken():
            for part in torch.split(content, _CHUNK):
                dist.broadcast(part, 0)
        return dict(tensors or {}) if self.leads else load(content.numpy().tobytes())


ALONE = Team()


@contextmanager
def _spoken() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingStoppedError(
            "another process of this training is gone. Look at its output for the reason; "
            "`recsys train --resume` goes on from the last checkpoint."
        ) from error


def started_by_torchrun() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def assembled() -> Iterator[Team]:
    """The team that torchrun's environment names, met and ready; alone without one.

    Processes speak over gloo, gradients on CUDA over NCCL.

    Raises:
        ConfigError: this machine has fewer GPUs than processes, or the others cannot be met.
    """
    if not started_by_torchrun():
        yield ALONE
        return
    local_rank, on_machine = (int(os.environ.get(name, "0")) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    backend = "gloo"
    if torch.cuda.is_available():
        if torch.cuda.device_count() < on_machine:
            raise ConfigError(
                f"{on_machine} processes were started for {torch.cuda.device_count()} GPUs. "
                "Use torchrun --nproc-per-node=gpu, or hide the GPUs with CUDA_VISIBLE_DEVICES=''."
            )
        torch.cuda.set_device(local_rank)
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the other processes cannot be met: {error}. Start all of them by torchrun."
        ) from error
    yield Team(dist.get_rank(), dist.get_world_size(), max(1, on_machine))
    # After an error there is nobody to take leave of; without one, who leaves first would tear the line.
    dist.barrier()
    dist.destroy_process_group()
