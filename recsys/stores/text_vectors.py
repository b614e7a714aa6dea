"""Text vectors on disk: each distinct text is encoded once for each encoder."""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from recsys.progress import Advance, Progress, silent

SHARD_TEXTS = 4096  # written as soon as encoded, so that an interrupted run keeps what it has
_HASH_BYTES = 16
_log = logging.getLogger(__name__)


class Encoder(Protocol):
    """What turns text into vectors; `name` changes whenever the vectors would."""

    name: str
    dimensions: int

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> npt.NDArray[np.float32]: ...


class TextVectors:
    """A cache of text vectors: `<root>/<encoder name>/<hash>.safetensors`, each with up to SHARD_TEXTS rows.

    A shard's name is the hash of its content: writers that run at the same time cannot harm each other,
    and a file that was cut short or altered is found out, set aside as `.damaged` and encoded again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def vectors(
        self, encoder: Encoder, texts: Sequence[str], progress: Progress = silent
    ) -> npt.NDArray[np.float32]:
        """(n, E) float32 rows in the order of `texts`; only texts that are not on disk are encoded."""
        folder = self.root / encoder.name
        distinct = {content_hash(text): text for text in texts}
        found: dict[bytes, npt.NDArray[np.float32]] = {}
        for hashes, vectors in _shards(folder, encoder.dimensions):
            found.update((key, row) for key, row in zip(hashes, vectors, strict=True) if key in distinct)
        missing = [key for key in distinct if key not in found]
        if missing:
            # Neighbours in length share a shard: the encoder pads less.
            missing.sort(key=lambda key: len(distinct[key]))
            with progress("encode text", len(missing)) as advance:
                for start in range(0, len(missing), SHARD_TEXTS):
                    part = missing[start : start + SHARD_TEXTS]
                    rows = encoder.encode([distinct[key] for key in part], _onto(advance))
                    _write(folder, part, rows)
                    found.update(zip(part, rows, strict=True))
        if not texts:
            return np.zeros((0, encoder.dimensions), np.float32)
        return np.stack([found[content_hash(text)] for text in texts])


def content_hash(text: str) -> bytes:
    """16 bytes that stand for `text`; equal texts, and only they, share them."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=_HASH_BYTES).digest()


def _onto(advance: Advance) -> Progress:
    """Progress that moves a bar which is open already."""

    @contextmanager
    def forwarded(label: str, total: int | None) -> Iterator[Advance]:
        yield advance

    return forwarded


def _write(folder: Path, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
    hashes = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _HASH_BYTES)
    content = save({"hashes": hashes, "vectors": np.ascontiguousarray(vectors, np.float32)})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_digest(content)}.safetensors"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _shards(folder: Path, dimensions: int) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]:
    """The keys and vectors of each sound shard; an unsound one is renamed, so that it is encoded again."""
    for path in sorted(folder.glob("*.safetensors")):
        content = path.read_bytes()
        if _digest(content) != path.stem:
            _log.warning("%s is damaged: its texts are encoded again.", path)
            path.replace(path.with_suffix(".damaged"))
            continue
        tensors = load(content)
        hashes, vectors = tensors["hashes"], tensors["vectors"]
        if vectors.shape[1] == dimensions:
            yield [row.tobytes() for row in hashes], vectors


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_HASH_BYTES).hexdigest()
