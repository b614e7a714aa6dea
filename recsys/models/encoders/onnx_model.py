"""A text encoder's network run by onnxruntime, in the shape of a torch module."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.distribution import install_command
from recsys.errors import ArtifactMismatchError, ConfigError

ONNX_FILE = "model.onnx"
INPUTS, OUTPUT = ("input_ids", "attention_mask"), "last_hidden_state"


class OnnxModel(nn.Module):
    """Token states from an ONNX file with inputs `input_ids` and `attention_mask`; it cannot be trained.

    Uses as many threads as torch was given when it was loaded.
    """

    digest: Tensor

    def __init__(self, file: Path, config: Any) -> None:
        """Raises:
        ConfigError: onnxruntime is not installed.
        ArtifactMismatchError: the file is not such a network.
        """
        super().__init__()
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError(
                f"an ONNX encoder needs onnxruntime. Run `{install_command('encoder')}`."
            ) from error
        self.config, self.file = config, file
        content = hashlib.blake2b(file.read_bytes(), digest_size=32).digest()
        # A buffer, so that the encoder's name, a hash of all tensors, changes with the file.
        self.register_buffer("digest", torch.tensor(list(content), dtype=torch.uint8))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own errors share no base but this
            raise ArtifactMismatchError(
                f"{file} is not a network that onnxruntime runs: {str(error).splitlines()[0]} "
                "Export it again with `recsys encoder export`."
            ) from error

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """`last_hidden_state` (B, W, E) float32, from ids and mask (B, W) int64."""
        given = (input_ids, attention_mask)
        feeds = {
            name: np.ascontiguousarray(part.cpu().numpy(), np.int64)
            for name, part in zip(INPUTS, given, strict=True)
        }
        states = torch.from_numpy(self._session.run([OUTPUT], feeds)[0])
        return SimpleNamespace(last_hidden_state=states.to(input_ids.device))
