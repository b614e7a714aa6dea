"""Text vectors on disk: each distinct text is encoded once for each encoder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from recsys.arrays import FloatArray
from recsys.progress import Advance, Progress, silent
from recsys.stores.encoders import vector_shards
from recsys.stores.encoders.vector_shards import SHARD_ROWS, VectorShards


class Encoder(Protocol):
    """What turns text into vectors; `name` changes whenever the vectors would."""

    name: str
    dimensions: int

    def encode(self, texts: Sequence[str], progress: Progress = silent) -> FloatArray:
        """(n, E) float32."""
        ...


class TextVectors:
    """A cache of text vectors, one folder an encoder: `<root>/<encoder name>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def vectors(self, encoder: Encoder, texts: Sequence[str], progress: Progress = silent) -> FloatArray:
        """(n, E) float32 rows in the order of `texts`; only texts that are not on disk are encoded.

        A blank text is never encoded: its row is zero.
        """
        shards = VectorShards(self.root / encoder.name, encoder.dimensions)
        keys = [content_hash(text) if text.strip() else None for text in texts]
        distinct = {key: text for key, text in zip(keys, texts, strict=True) if key is not None}
        found = shards.known(distinct)
        missing = [key for key in distinct if key not in found]
        if missing:
            # Neighbours in length share a shard: the encoder pads less.
            missing.sort(key=lambda key: len(distinct[key]))
            with progress("encode text", len(missing)) as advance:
                for start in range(0, len(missing), SHARD_ROWS):
                    part = missing[start : start + SHARD_ROWS]
                    rows = encoder.encode([distinct[key] for key in part], _onto(advance))
                    shards.add(part, rows)
                    found.update(zip(part, rows, strict=True))
        rows = np.zeros((len(texts), encoder.dimensions), np.float32)
        for place, key in enumerate(keys):
            if key is not None:
                rows[place] = found[key]
        return rows


def content_hash(text: str) -> bytes:
    """16 bytes that stand for `text`; equal texts, and only they, share them."""
    return vector_shards.content_hash(text.encode("utf-8"))


def _onto(advance: Advance) -> Progress:
    """Progress that moves a bar which is open already."""

    @contextmanager
    def forwarded(label: str, total: int | None) -> Iterator[Advance]:
        yield advance

    return forwarded
