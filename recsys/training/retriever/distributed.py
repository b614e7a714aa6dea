"""The processes that train together: one alone, or as many as `torchrun` started, on one machine or several.

The only module that knows torch.distributed. The first process is the leader: it alone reads features,
validates, writes and prints; the others, its workers, compute their share of each step.
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

# How long the workers wait while the leader builds features or trains the rest of a bundle.
PEER_TIMEOUT = timedelta(days=2)
_CHUNK = 1 << 28  # bytes sent at a time


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a training, as one of them sees it.

    Attributes:
        rank: of this process, from 0. size: the number of processes. local_size: of those on this machine.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def is_leader(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def all_reduce(self, values: Tensor) -> None:
        """Replaces `values` by their sum over all processes, the same bits in each."""
        if self.size > 1:
            with _peer_errors():
                dist.all_reduce(values)

    def broadcast_int(self, number: int = 0) -> int:
        """The leader's `number`, in each process."""
        value = torch.tensor(number)
        if self.size > 1:
            with _peer_errors():
                dist.broadcast(value, 0)
        return int(value)

    def broadcast_tensors(self, tensors: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The leader's `tensors`, in each process."""
        content = torch.frombuffer(bytearray(save(dict(tensors or {}))), dtype=torch.uint8)
        size = self.broadcast_int(len(content))
        content = content if self.is_leader else torch.empty(size, dtype=torch.uint8)
        with _peer_errors():
            for part in torch.split(content, _CHUNK):
                dist.broadcast(part, 0)
        return dict(tensors or {}) if self.is_leader else load(content.numpy().tobytes())


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def _peer_errors() -> Iterator[None]:
    """Says of a failed message that another process ended."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingStoppedError(
            "another process of this training ended. Look at its output for the reason; "
            "`recsys train --resume` goes on from the last checkpoint."
        ) from error


def started_by_torchrun() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def process_group() -> Iterator[ProcessGroup]:
    """The connected processes of this training, as torchrun's environment names them; one without torchrun.

    Messages go over gloo, gradients on CUDA over NCCL.

    Raises:
        ConfigError: this machine has fewer GPUs than processes, or the others cannot be reached.
    """
    if not started_by_torchrun():
        yield SINGLE_PROCESS
        return
    local_rank, local_size = (int(os.environ.get(name, "0")) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    backend = "gloo"
    if torch.cuda.is_available():
        if torch.cuda.device_count() < local_size:
            raise ConfigError(
                f"{local_size} processes were started for {torch.cuda.device_count()} GPUs. "
                "Use torchrun --nproc-per-node=gpu, or hide the GPUs with CUDA_VISIBLE_DEVICES=''."
            )
        torch.cuda.set_device(local_rank)
        backend = "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=PEER_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the other processes cannot be reached: {error}. Start all of them by torchrun."
        ) from error
    yield ProcessGroup(dist.get_rank(), dist.get_world_size(), max(1, local_size))
    # Without an error all leave together: the first to close its connection would fail the others.
    dist.barrier()
    dist.destroy_process_group()
