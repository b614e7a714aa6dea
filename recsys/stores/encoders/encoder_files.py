"""Text encoders as plain Hugging Face folders in a home, each with a card that says what it is."""

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recsys.atomic import creating_folder, replacing
from recsys.distribution import install_command
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.home import HomePaths
from recsys.models.encoders.encoder_licence import UNKNOWN
from recsys.models.encoders.onnx_model import INPUTS, ONNX_FILE, OUTPUT, OnnxModel
from recsys.models.encoders.query_prefix import PROMPTS_FILE, prompts_document
from recsys.models.encoders.text_encoder import TextEncoder

FORMATS = ("float32", "int8", "bfloat16")
CARD, FACTS = "README.md", "encoder.json"
OPSET = 17
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POOLING_KEYS = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "last": "pooling_mode_lasttoken",
}


def save_encoder(paths: HomePaths, name: str, encoder: TextEncoder, facts: Mapping[str, Any]) -> Path:
    """Saves a folder that `text.encoder` takes, pooling and card included; returns where.

    Args:
        facts: what the card tells: what it was made from, how, and what was measured.

    Raises:
        ConfigError: the name is taken or no name, or the encoder is one that cannot be saved so.
        StoreUnavailableError: the disk refused; nothing is left.
    """
    if isinstance(encoder.model, OnnxModel):
        raise ConfigError("an ONNX encoder is an end: name the encoder that it was exported from.")
    model: Any = encoder.model
    return _write_encoder(paths, name, encoder, facts, lambda folder: model.save_pretrained(folder))


def export_encoder(
    paths: HomePaths, name: str, encoder: TextEncoder, form: str, facts: Mapping[str, Any]
) -> Path:
    """Saves `encoder` as ONNX (`float32`, `int8`) or as half-size weights (`bfloat16`); returns where.

    Raises:
        ConfigError: the form or the name is none, the name is taken, or onnx is not installed.
        StoreUnavailableError: the disk refused; nothing is left.
    """
    check_export_form(form)
    if isinstance(encoder.model, OnnxModel):
        raise ConfigError("this encoder is ONNX already. Name the encoder that it was exported from.")

    def write(folder: Path) -> None:
        model: Any = encoder.model
        if form == "bfloat16":
            weights = {key: value.to(torch.bfloat16) for key, value in model.state_dict().items()}
            model.save_pretrained(folder, state_dict=weights)
            config = json.loads((folder / "config.json").read_text("utf-8"))
            config["dtype"] = "bfloat16"
            (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
            return
        model.config.save_pretrained(folder)
        write_onnx(encoder.model, folder / ONNX_FILE, form == "int8")

    return _write_encoder(paths, name, encoder, facts, write)


def write_onnx(model: nn.Module, file: Path, int8: bool) -> None:
    """Writes token states as a function of ids and mask, with matrices of 8-bit integers or of floats.

    Raises:
        ConfigError: onnx is not installed.
    """
    _require_onnx()
    _trace_onnx(model, file)
    if int8:
        _quantise(file)


def check_export_form(form: str) -> None:
    """Makes sure that encoders can be exported in that form here.

    Raises:
        ConfigError: there is no such form, or onnx is not installed.
    """
    if form not in FORMATS:
        raise ConfigError(f"--to {form!r} is unknown. Choose one of: {', '.join(FORMATS)}.")
    if form != "bfloat16":
        _require_onnx()


def encoder_folder(paths: HomePaths, name: str) -> Path:
    """Where the encoder `name` lies or would lie.

    Raises:
        ConfigError: it is not a valid name.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is not a valid name for an encoder: use up to 100 letters, digits, '.', '_' and '-'."
        )
    return paths.encoders / name


def _write_encoder(
    paths: HomePaths,
    name: str,
    encoder: TextEncoder,
    facts: Mapping[str, Any],
    write: Callable[[Path], None],
) -> Path:
    target = encoder_folder(paths, name)
    if target.exists():
        raise ConfigError(f"{target} is there already. Choose another --name, or delete it.")
    with _encoder_folder(target) as folder:
        write(folder)
        encoder.tokenizer.save_pretrained(folder)
        pooling = {key: mode == encoder.pooling for mode, key in _POOLING_KEYS.items()}
        (folder / "1_Pooling").mkdir()
        described = {"word_embedding_dimension": encoder.dimensions, **pooling}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(described, indent=2) + "\n", "utf-8")
        if encoder.query_prefix:
            prompts = prompts_document(encoder.query_prefix, encoder.settings.prefix)
            (folder / PROMPTS_FILE).write_text(prompts, "utf-8")
        (folder / FACTS).write_text(json.dumps(facts, indent=2, default=str) + "\n", "utf-8")
        (folder / CARD).write_text(_card(name, facts), "utf-8")
    return target


@contextmanager
def _encoder_folder(target: Path) -> Iterator[Path]:
    """A folder that becomes `target` when the block ends well, and is gone otherwise."""
    try:
        with creating_folder(target) as draft:
            yield draft
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {target}", 0.0, f"{error}.") from error


class _States(nn.Module):
    """A network as a function of ids and mask alone, which is what can be traced."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states


def _trace_onnx(model: nn.Module, file: Path) -> None:
    # Padding in the sample: without any the mask would be traced away.
    ids, mask = torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64)
    mask[1, 3:] = 0
    device = next(model.parameters()).device
    axes = {name: {0: "batch", 1: "width"} for name in (*INPUTS, OUTPUT)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, of branches that do not depend on the texts
        torch.onnx.export(
            _States(model).eval(),
            (ids.to(device), mask.to(device)),
            str(file),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,  # the newer exporter needs one package more and fixes the shapes of GPT-2
        )


def _quantise(file: Path) -> None:
    """Replaces the file by one whose matrices are 8-bit integers; activations are scaled as they come."""
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it recommends a step that is for convolutions
    try:
        with replacing(file) as smaller:
            quantize_dynamic(str(file), str(smaller), weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.getLogger().setLevel(level)


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"the export to ONNX needs onnx and onnxruntime. Run `{install_command('encoder')}`."
        ) from error


def _card(name: str, facts: Mapping[str, Any]) -> str:
    licence = facts.get("licence", UNKNOWN)
    front = [] if licence == UNKNOWN else ["---", f"license: {licence}", "---", ""]
    lines = [*front, f"# {name}", "", "A text encoder for `text.encoder`.", ""]
    for key, value in facts.items():
        if isinstance(value, Mapping):
            lines += ["", f"## {key}", "", "| what | value |", "|---|---|"]
            lines += [f"| {inner} | {_shown(each)} |" for inner, each in value.items()]
        else:
            lines.append(f"- {key}: {_shown(value)}")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
