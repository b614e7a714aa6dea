"""The encoder of queries in a bundle: a network of 8-bit integers, its tokenizer and what it is.

    query_encoder.json   query_encoder.onnx   query_tokenizer.json

The network lies in the bundle (23 MB for the encoder that is shipped), so that a bundle that was moved to
another machine searches as where it was trained, and can never be paired with another encoder's vectors.
"""

import importlib.util
import json
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recsys.config import TextSettings
from recsys.errors import ArtifactMismatchError
from recsys.models.encoders.onnx_model import OnnxModel
from recsys.models.encoders.query_encoder import (
    CACHED,
    OnnxQueries,
    QueryEncoder,
    QueryNetworkFacts,
    TorchQueries,
)
from recsys.models.encoders.text_encoder import TextEncoder, load_encoder
from recsys.stores.encoders.encoder_files import write_onnx

NETWORK, TOKENIZER, FACTS = "query_encoder.onnx", "query_tokenizer.json", "query_encoder.json"
FILES = (NETWORK, TOKENIZER, FACTS)
PROBES = 64  # texts, by which the smaller network is compared with the encoder


def write_query_encoder(
    encoder: TextEncoder, folder: Path, probes: Sequence[str]
) -> QueryNetworkFacts | None:
    """Writes FILES into `folder`; None and nothing where onnx is missing or the encoder does not fit.

    Without the files queries are encoded by torch, and need the encoder itself wherever they are.

    Args:
        probes: texts of the shop; the first PROBES that are not blank are encoded both ways.
    """
    tokenizer = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if tokenizer is None or not _installed("onnx") or not _installed("onnxruntime"):
        return None
    (folder / TOKENIZER).write_text(tokenizer.to_str(), "utf-8")
    if isinstance(encoder.model, OnnxModel):
        shutil.copyfile(encoder.model.file, folder / NETWORK)
    else:
        write_onnx(_in_float32(encoder).model, folder / NETWORK, int8=True)
    precision = "as given" if isinstance(encoder.model, OnnxModel) else "int8"
    facts = QueryNetworkFacts(
        encoder=encoder.name,
        dimensions=encoder.dimensions,
        pooling=encoder.pooling,
        prefix=encoder.query_prefix,
        max_tokens=encoder.settings.max_tokens,
        precision=precision,
        cosine=1.0,
    )
    texts = [text for text in probes if text.strip()][:PROBES]
    if texts:
        small, exact = OnnxQueries(folder / NETWORK, folder / TOKENIZER, facts), TorchQueries(encoder)
        cosines = [float(small.vector(text) @ exact.vector(text)) for text in texts]
        facts = QueryNetworkFacts(**(asdict(facts) | {"cosine": round(float(np.mean(cosines)), 5)}))
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=2) + "\n", "utf-8")
    return facts


def query_encoder_extras(folder: Path) -> dict[str, Callable[[Path], Any]]:
    """Bundle extras that copy what `write_query_encoder` wrote into `folder`; none where it wrote none."""

    def copied(name: str) -> Callable[[Path], Any]:
        return lambda target: shutil.copyfile(folder / name, target)

    return {name: copied(name) for name in FILES} if (folder / FACTS).is_file() else {}


def load_query_encoder(
    bundle: Path, files: Collection[str], encoder: str, settings: TextSettings, cached: int = CACHED
) -> QueryEncoder:
    """The encoder of the queries of a bundle: torch where there is a GPU, else its network, else torch.

    Args:
        files: names of the bundle's files. encoder: name of the encoder of its text vectors.
        settings: the `text` section that the bundle was built with.

    Raises:
        ArtifactNotFoundError: torch is needed, and the encoder is not on this machine.
        ArtifactMismatchError: the encoder here is another than the one of the bundle's text vectors.
    """
    whole = all(name in files for name in FILES) and _installed("onnxruntime")
    if whole and not torch.cuda.is_available():
        facts = read_query_encoder_facts(bundle / FACTS)
        if facts.encoder != encoder:
            raise ArtifactMismatchError(
                f"{bundle / FACTS} is of encoder {facts.encoder!r}, the text vectors are of {encoder!r}. "
                "Train again."
            )
        return QueryEncoder(OnnxQueries(bundle / NETWORK, bundle / TOKENIZER, facts), cached)
    exact = load_encoder(settings)
    if encoder not in exact.names:
        raise ArtifactMismatchError(
            f"text.encoder {settings.encoder!r} is {exact.name!r} here, the bundle's text vectors are of "
            f"{encoder!r}. Bring that encoder here, or train again."
        )
    wanted = exact.names[encoder]
    if wanted != exact.precision and exact.device.type == "cpu" and "int8" in (wanted, exact.precision):
        exact = load_encoder(settings.model_copy(update={"precision": wanted}))  # as the items' vectors
    return QueryEncoder(TorchQueries(exact), cached)


def read_query_encoder_facts(file: Path) -> QueryNetworkFacts:
    """What `write_query_encoder` wrote of the network.

    Raises:
        ArtifactMismatchError: the file is none of these.
    """
    try:
        return QueryNetworkFacts(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ArtifactMismatchError(f"{file} cannot be read: {error}. Train again.") from error


def _in_float32(encoder: TextEncoder) -> TextEncoder:
    """The encoder with weights that ONNX can trace and quantise itself."""
    if encoder.precision != "int8":
        return encoder
    return load_encoder(encoder.settings.model_copy(update={"precision": "float32"}))


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
