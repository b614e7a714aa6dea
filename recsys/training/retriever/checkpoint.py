"""The checkpoint of a training run on disk: enough to go on as if it had not been interrupted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recsys import atomic
from recsys.errors import ArtifactMismatchError
from recsys.training.curves import Curves
from recsys.training.retriever.steps import Position, TrainingState

WEIGHTS_FILE = "checkpoint.safetensors"
STATE_FILE = "checkpoint.json"
_RESIDUALS = "residuals."


@dataclass(frozen=True)
class Checkpoint:
    """After a step: the weights, AdamW's state, the best weights so far, the curves and the position.

    No random state is stored, because every step seeds its own generators by its number.
    """

    tensors: Mapping[str, Tensor]
    curves: Curves
    position: Position = Position()

    def restore(self, state: TrainingState) -> dict[str, Tensor]:
        """Puts weights and the optimizers' state back; returns the best weights so far."""
        model, optimizer = state.model, state.optimizer
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(self.tensors[f"weight.{name}"])
                moments = {
                    key.removeprefix(f"moment.{name}."): value.to(weight.device)
                    for key, value in self.tensors.items()
                    if key.startswith(f"moment.{name}.")
                }
                if moments:
                    optimizer.state[weight] = moments
        state.residuals.restore(
            {
                key.removeprefix(_RESIDUALS): value
                for key, value in self.tensors.items()
                if key.startswith(_RESIDUALS)
            }
        )
        best = {name: self.tensors[f"best.{name}"] for name, _ in model.named_parameters()}
        return {name: value.clone() for name, value in best.items()}


def tensors_of(state: TrainingState, best: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a checkpoint keeps of a model in training."""
    optimizer = state.optimizer
    tensors = {f"best.{name}": value.contiguous() for name, value in best.items()}
    tensors |= {f"{_RESIDUALS}{name}": value for name, value in state.residuals.tensors().items()}
    for name, weight in state.model.named_parameters():
        tensors[f"weight.{name}"] = weight.detach().cpu().contiguous()
        for key, value in optimizer.state.get(weight, {}).items():
            tensors[f"moment.{name}.{key}"] = value.detach().cpu().contiguous()
    return tensors


def save_checkpoint(
    folder: Path, fingerprint: str, tensors: Mapping[str, Tensor], curves: Curves, position: Position
) -> None:
    """Replaces the checkpoint in `folder`: the weights first, then the state that names their hash.

    A crash between the two leaves a state that does not fit the weights, which `load_checkpoint` takes
    for no checkpoint rather than for a wrong one.
    """
    content = save(dict(tensors))
    state = {
        "fingerprint": fingerprint,
        "weights": _digest(content),
        "curves": curves.describe(),
        "position": asdict(position),
    }
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(folder / WEIGHTS_FILE, content)
    atomic.write_text(folder / STATE_FILE, json.dumps(state, indent=2) + "\n")


def load_checkpoint(folder: Path, fingerprint: str) -> Checkpoint | None:
    """The checkpoint in `folder`; None where there is none, or only a half-written one.

    Raises:
        ArtifactMismatchError: it is of other settings or data.
    """
    try:
        state = json.loads((folder / STATE_FILE).read_text("utf-8"))
        content = (folder / WEIGHTS_FILE).read_bytes()
        if state["weights"] != _digest(content):
            return None
        tensors, position = load(content), Position(**state["position"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    if state["fingerprint"] != fingerprint:
        raise ArtifactMismatchError(
            f"{folder} holds a checkpoint of other settings or data. Train without resuming or elsewhere."
        )
    return Checkpoint(tensors, Curves.rebuild(state["curves"]), position)


def fingerprint(*parts: object) -> str:
    """A short hash of what must be equal for a run to go on; arrays by content, the rest by its text."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        content = part.tobytes() if hasattr(part, "tobytes") else str(part).encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
