"""Pictures as vectors by a pretrained network: any that AutoModel and AutoImageProcessor load."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray
from recsys.config import ImageSettings
from recsys.errors import ArtifactNotFoundError, ConfigError
from recsys.models.encoders.pretrained import inference_device, resolve_checkpoint, weights_fingerprint

Picture = npt.NDArray[np.uint8]  # (height, width, 3), RGB
_CLASS_TOKENS = ("cls_token", "class_embedding", "class_token")


class ImageEncoder:
    """A frozen network, its preparation of pictures and a pooling.

    Attributes:
        name: identifies the vectors: model, pooling, precision, preparation and a hash of the weights.
        dimensions: E, the width of a vector.
        pooling: `pooler` (the network's own: for CLIP what is compared with texts), `cls` or `mean`.
    """

    def __init__(self, label: str, model: nn.Module, processor: Any, settings: ImageSettings) -> None:
        """Raises:
        ConfigError: the network has no such pooling.
        """
        self.device = inference_device()
        self._bfloat16 = settings.precision == "bfloat16" or (
            settings.precision == "auto" and self.device.type == "cuda"
        )
        salt = f"{self._bfloat16} {processor.to_json_string()}"
        weights = weights_fingerprint(model, salt)
        self.model = model.to(self.device).eval().requires_grad_(False)
        self._processor = processor
        seen = self._outputs([np.zeros((32, 32, 3), np.uint8)])
        self.pooling = _pooling(settings.pooling, seen, model)
        self.dimensions = int(pool_patches(seen, self.pooling).shape[1])
        self.name = f"{label}-{self.pooling}-{weights}"

    def encode(self, pictures: Sequence[Picture]) -> FloatArray:
        """(B, E) float32 unit rows of one batch."""
        vectors = pool_patches(self._outputs(pictures), self.pooling)
        rows: FloatArray = nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
        return rows

    def _outputs(self, pictures: Sequence[Picture]) -> Any:
        inputs = self._processor(
            images=list(pictures), return_tensors="pt", input_data_format="channels_last"
        ).to(self.device)
        network: Any = getattr(self.model, "get_image_features", self.model)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16),
        ):
            return network(**inputs)


def pool_patches(outputs: Any, pooling: str) -> Tensor:
    """(B, E) of a network's outputs: its own pooling, the class token, or the mean of the last states."""
    if pooling == "pooler":
        found: Tensor = outputs.pooler_output
        return found.flatten(1)
    states: Tensor = outputs.last_hidden_state
    if states.ndim == 4:  # of a convolutional network: (B, E, height, width)
        return states.mean((2, 3))
    return states[:, 0] if pooling == "cls" else states.mean(1)


def load_image_encoder(encoder: str, settings: ImageSettings) -> ImageEncoder:
    """The encoder in a folder, or of a name that is cached or on the Hugging Face hub.

    Raises:
        ArtifactNotFoundError: there is no such model here, or it does not look at pictures.
        ConfigError: the pooling is unknown or does not fit.
    """
    from transformers import AutoImageProcessor, AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # loading weights is not our progress to show
    source, label, local = resolve_checkpoint(encoder)
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # a pooler without weights is seen to below
    try:
        # One backend on all machines: torchvision, where it is there, resizes a little differently.
        processor = AutoImageProcessor.from_pretrained(source, local_files_only=local, backend="pil")
        model: Any
        model, loading = AutoModel.from_pretrained(
            source, local_files_only=local, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, ImportError) as error:
        raise ArtifactNotFoundError(
            f"image encoder {encoder!r} does not load: {str(error).splitlines()[0]} Name a folder with "
            "config.json, preprocessor_config.json and weights, or a cached hub name, of an image network."
        ) from error
    finally:
        transformers_logging.set_verbosity(level)
    if any(name.startswith("pooler.") for name in loading["missing_keys"]):
        model.pooler = None  # it would be random: other vectors at each start
    if hasattr(model, "get_image_features"):
        model.text_model = None  # of two towers one is used
    return ImageEncoder(label, model, processor, settings)


def _pooling(wanted: str, outputs: Any, model: nn.Module) -> str:
    """The pooling asked for if there is one, else the network's own, its class token, or the mean."""
    own = getattr(outputs, "pooler_output", None) is not None
    last = (name.rsplit(".", 1)[-1] for name, _ in model.named_parameters())
    token = outputs.last_hidden_state.ndim == 3 and any(name in _CLASS_TOKENS for name in last)
    has = {"pooler": own, "cls": token, "mean": True}
    if wanted == "auto":
        return next(name for name, there in has.items() if there)
    if not has[wanted]:
        fitting = ", ".join(name for name, there in has.items() if there)
        raise ConfigError(
            f"image.pooling is {wanted!r}, which this encoder lacks. Set it to auto or {fitting}."
        )
    return wanted
