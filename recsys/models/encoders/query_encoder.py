"""Queries as vectors, in the space of the items' text vectors: one at a time, quickly, and remembered."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from recsys.arrays import FloatArray
from recsys.distribution import install_command
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError, ConfigError
from recsys.models.encoders.onnx_model import INPUTS, OUTPUT
from recsys.models.encoders.text_encoder import TextEncoder

CACHED = 20_000  # vectors of 384 numbers: 31 MB
_LONGEST_KEPT = 200  # characters; longer queries are encoded anew each time, so that memory stays bounded


class QueryNetwork(Protocol):
    """Makes one vector of one text.

    Attributes:
        engine: what computes, for people: `onnxruntime int8`, `torch float32 on cpu`. dimensions: E.
    """

    engine: str
    dimensions: int

    def vector(self, text: str) -> FloatArray:
        """(E,) float32, of unit length; zeros for a text without a token."""
        ...


@dataclass(frozen=True)
class CacheUse:
    """How the memory of query vectors was used since the start."""

    hits: int
    misses: int
    size: int


class QueryEncoder:
    """Encodes queries, the newest `cached` distinct ones from memory; for many threads at once."""

    def __init__(self, network: QueryNetwork, cached: int = CACHED) -> None:
        self.network, self._cached = network, cached
        self._known: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = threading.Lock()
        self._hits = self._misses = 0

    @property
    def dimensions(self) -> int:
        """E."""
        return self.network.dimensions

    @property
    def engine(self) -> str:
        """What computes the vectors, and in which precision."""
        return self.network.engine

    @property
    def cache(self) -> CacheUse:
        """How often a vector was found in memory, how often not, and how many are there."""
        with self._lock:
            return CacheUse(self._hits, self._misses, len(self._known))

    def encode(self, query: str) -> FloatArray:
        """(E,) float32 of unit length, not to be written to; zeros for a blank query."""
        key = query.strip()
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                self._hits += 1
                return known
            self._misses += 1
        vector = self.network.vector(key) if key else np.zeros(self.dimensions, np.float32)
        vector.setflags(write=False)
        if self._cached and len(key) <= _LONGEST_KEPT:
            with self._lock:
                self._known[key] = vector
                while len(self._known) > self._cached:
                    self._known.popitem(last=False)
        return vector

    def to_json(self) -> JsonObject:
        """What health and manifest tell: the engine, and how the memory was used."""
        use = self.cache
        return {"engine": self.engine, "hits": use.hits, "misses": use.misses, "cached": use.size}


class TorchQueries:
    """Query vectors by the very encoder of the items; on a GPU where there is one."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.dimensions = encoder.dimensions
        has_weights = any(True for _ in encoder.model.parameters())
        kind = f"torch {encoder.precision}" if has_weights else "onnxruntime"
        self.engine = f"{kind} on {encoder.device.type}"

    def vector(self, text: str) -> FloatArray:
        """(E,) float32, of unit length; zeros for a text without a token."""
        tokens = self._encoder.tokenizer(
            self._encoder.query_prefix + text, truncation=True, max_length=self._encoder.settings.max_tokens
        )["input_ids"]
        if not tokens:
            return np.zeros(self.dimensions, np.float32)
        with torch.inference_mode():
            row: FloatArray = self._encoder.embed([tokens])[0].float().cpu().numpy()
        return row


@dataclass(frozen=True)
class QueryNetworkFacts:
    """What a network of queries says of itself, beside its files.

    Attributes:
        encoder: name of the encoder of the items' vectors, which hashes its weights. precision: of the file.
        cosine: mean cosine of its vectors with those of that encoder, on texts of the shop.
    """

    encoder: str
    dimensions: int
    pooling: str
    prefix: str
    max_tokens: int
    precision: str
    cosine: float


class OnnxQueries:
    """Query vectors by onnxruntime, from a file with the token states of one text, and its tokenizer.

    Args:
        threads: of one query; searches run beside each other, so that one is best on small machines.

    Raises:
        ConfigError: onnxruntime is not installed.
        ArtifactMismatchError: the files are no network or no tokenizer.
    """

    def __init__(self, network: Path, tokenizer: Path, facts: QueryNetworkFacts, threads: int = 1) -> None:
        from tokenizers import Tokenizer

        self._facts, self.dimensions = facts, facts.dimensions
        self.engine = f"onnxruntime {facts.precision} on cpu"
        self._session = _open_session(network, threads)
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # the package raises plain exceptions
            raise ArtifactMismatchError(f"{tokenizer} is not a tokenizer: {error}. Train again.") from error
        self._tokenizer.no_padding()  # what a file says of padding is for batches
        self._tokenizer.enable_truncation(facts.max_tokens)

    def vector(self, text: str) -> FloatArray:
        """(E,) float32, of unit length; zeros for a text without a token."""
        ids = self._tokenizer.encode(self._facts.prefix + text).ids
        if not ids:
            return np.zeros(self.dimensions, np.float32)
        given = np.array([ids], np.int64)
        states = self._session.run([OUTPUT], dict(zip(INPUTS, (given, np.ones_like(given)), strict=True)))[0][
            0
        ]
        pooled = {"mean": lambda: states.mean(0), "cls": lambda: states[0], "last": lambda: states[-1]}
        vector: FloatArray = pooled[self._facts.pooling]()
        length = float(np.sqrt(vector @ vector))
        unit: FloatArray = (vector / length if length else vector).astype(np.float32)
        return unit


def _open_session(file: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"an ONNX encoder needs onnxruntime. Run `{install_command('encoder')}`."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base but this
        raise ArtifactMismatchError(
            f"{file} is not a network that onnxruntime runs: {str(error).splitlines()[0]} Train again."
        ) from error
