"""Vectors on disk by the hash of what they stand for, in files that no accident spoils."""

import hashlib
import logging
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from recsys import atomic
from recsys.arrays import FloatArray

SHARD_ROWS = 4096  # written as soon as encoded, so that an interrupted run keeps what it has
_HASH_BYTES = 16
_log = logging.getLogger(__name__)


class VectorShards:
    """Rows of one encoder by content hash: `<folder>/<hash>.safetensors`, each with up to SHARD_ROWS rows.

    A shard's name is the hash of its content: writers that run at the same time cannot harm each other,
    and a file that was cut short or altered is found out, set aside as `.damaged`, and its rows made again.
    """

    def __init__(self, folder: Path, dimensions: int) -> None:
        self.folder = folder
        self.dimensions = dimensions

    def known(self, wanted: Container[bytes]) -> dict[bytes, FloatArray]:
        """The vector of each of the wanted hashes that is on disk."""
        return {
            key: row
            for hashes, vectors in self._sound()
            for key, row in zip(hashes, vectors, strict=True)
            if key in wanted
        }

    def add(self, keys: Sequence[bytes], vectors: FloatArray) -> None:
        """Writes one shard."""
        hashes = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _HASH_BYTES)
        content = save({"hashes": hashes, "vectors": np.ascontiguousarray(vectors, np.float32)})
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(self.folder / f"{content_hash(content).hex()}.safetensors", content)

    def _sound(self) -> Iterator[tuple[list[bytes], FloatArray]]:
        """The keys and vectors of each sound shard; an unsound one is set aside."""
        for path in sorted(self.folder.glob("*.safetensors")):
            content = path.read_bytes()
            if content_hash(content).hex() != path.stem:
                _log.warning("%s is damaged: its content is encoded again.", path)
                path.replace(path.with_suffix(".damaged"))
                continue
            tensors = load(content)
            hashes, vectors = tensors["hashes"], tensors["vectors"]
            if vectors.shape[1] == self.dimensions:
                yield [row.tobytes() for row in hashes], vectors


def content_hash(content: bytes) -> bytes:
    """16 bytes that stand for `content`; equal contents, and only they, share them."""
    return hashlib.blake2b(content, digest_size=_HASH_BYTES).digest()
