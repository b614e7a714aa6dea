"""What pretrained networks share, whatever they read: where they lie, their precision, a name for them."""

import hashlib
import re
from pathlib import Path

import torch
from torch import nn


def resolve_checkpoint(checkpoint: str) -> tuple[str, str, bool]:
    """Where to load from, a label fit for a file name, and whether that is a folder on this machine."""
    path = Path(checkpoint).expanduser()
    there = path.exists()
    label = re.sub(r"[^A-Za-z0-9._]+", "_", path.name if there else checkpoint).strip("_.") or "encoder"
    return (str(path), label, True) if there else (checkpoint, label, False)


def inference_device() -> torch.device:
    """CUDA where there is some, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def inference_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What is asked for; under `auto` bfloat16 where the hardware multiplies it faster than float32.

    That is CUDA and processors with tiles (AMX). AVX512-BF16 without tiles was measured at half the speed.
    """
    if precision == "auto":
        native = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if native else torch.float32
    named: torch.dtype = getattr(torch, precision)
    return named


def weights_fingerprint(model: nn.Module, salt: str) -> str:
    """A short hash of the weights (shape, sum and first values of each) and of `salt`, what else counts."""
    digest = hashlib.blake2b(salt.encode(), digest_size=5)
    for name, weight in sorted(model.state_dict().items()):
        sample = weight.detach().flatten()[:32].float().cpu().numpy()
        total = float(weight.detach().double().sum())
        digest.update(f"{name}{tuple(weight.shape)}{total:.6e}".encode())
        digest.update(sample.tobytes())
    return digest.hexdigest()
