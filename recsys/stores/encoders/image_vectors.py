"""Images of items as a ready vector column: each distinct image is encoded once for each encoder."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import columns
from recsys.arrays import FloatArray
from recsys.atomic import replacing
from recsys.config import ImageSettings
from recsys.errors import StoreUnavailableError
from recsys.ingest.background import prefetch
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.cells import as_text
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.readers.files import read_batches
from recsys.progress import Progress, silent
from recsys.stores.encoders.picture_files import Picture, UnreadablePicture, decode_picture
from recsys.stores.encoders.vector_shards import SHARD_ROWS, VectorShards, content_hash

VECTOR = "vector"
SCHEMA = pa.schema([(columns.ITEM_ID, pa.string()), (VECTOR, pa.list_(pa.float32()))])


class PictureEncoder(Protocol):
    """What turns a batch of pictures into vectors; `name` changes whenever the vectors would."""

    name: str
    dimensions: int

    def encode(self, pictures: Sequence[Picture]) -> FloatArray:
        """(n, E) float32."""
        ...


@dataclass(frozen=True)
class ItemImage:
    """An item and the file that its row names; the path is None where the cell is empty."""

    item_id: str
    path: Path | None


@dataclass(frozen=True)
class RejectedImage:
    """An item without a vector, and why."""

    item_id: str
    path: str
    reason: str
    detail: str


@dataclass(frozen=True)
class ImageColumn:
    """The vectors of M items.

    Attributes:
        item_ids: (M,) in the order of the file. vectors: (M, E) unit rows.
        rejected: the other items, and why they have none.
        encoded: distinct images that were encoded now; the others were on disk.
    """

    item_ids: tuple[str, ...]
    vectors: FloatArray
    rejected: tuple[RejectedImage, ...]
    encoded: int

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected items by reason, the most frequent first."""
        return dict(Counter(each.reason for each in self.rejected).most_common())


def item_images(file: Path, identifier: str, column: str, delimiter: str | None = None) -> list[ItemImage]:
    """The image of each item in a CSV, TSV, JSON Lines or Parquet file; of rows with one id the last counts.

    A relative path is relative to the folder of the file. Rows without a valid id are left out: an
    import rejects them.

    Raises:
        SchemaMismatchError: the file lacks a column.
        DataError: the file is missing or damaged.
    """
    source = Source(files=(file.name,), delimiter=delimiter)
    found: dict[str, Path | None] = {}
    for batch in read_batches(source, file.parent, [identifier, column]):
        cells, paths = as_ids(batch.table[identifier]), as_text(batch.table[column]).to_pylist()
        for item_id, bad, path in zip(cells.texts.to_pylist(), cells.bad.tolist(), paths, strict=True):
            if item_id and not bad:
                found[item_id] = file.parent / path.strip() if path and path.strip() else None
    return [ItemImage(item_id, path) for item_id, path in found.items()]


def image_column(
    images: Sequence[ItemImage],
    encoder: PictureEncoder,
    root: Path,
    settings: ImageSettings,
    progress: Progress = silent,
) -> ImageColumn:
    """The vectors of these images; only what is not in the cache below `root` is encoded."""
    shards = VectorShards(root / encoder.name, encoder.dimensions)
    rejected: dict[str, UnreadablePicture] = {}
    keys: dict[str, bytes] = {}
    with progress("read images", len(images)) as advance:
        for image in images:
            content = _content(image.path, settings.max_bytes)
            if isinstance(content, UnreadablePicture):
                rejected[image.item_id] = content
            else:
                keys[image.item_id] = content_hash(content)
            advance(1)
    files = {keys[image.item_id]: image.path for image in images if image.item_id in keys}
    found = shards.known(files)
    missing = {key: path for key, path in files.items() if key not in found and path}
    broken, fresh = _encoded(missing, encoder, shards, settings, progress)
    found |= fresh
    rejected |= {item_id: broken[key] for item_id, key in keys.items() if key in broken}
    kept = [image.item_id for image in images if image.item_id not in rejected]
    vectors = [found[keys[item_id]] for item_id in kept]
    return ImageColumn(
        tuple(kept),
        np.stack(vectors) if vectors else np.zeros((0, encoder.dimensions), np.float32),
        tuple(
            RejectedImage(image.item_id, str(image.path or ""), why.reason, why.detail)
            for image in images
            if (why := rejected.get(image.item_id))
        ),
        len(fresh),
    )


def save_image_column(found: ImageColumn, file: Path, encoder: str) -> Path | None:
    """Writes `file` (Parquet: item_id, vector) and, beside it, what was rejected; returns where that is.

    Raises:
        StoreUnavailableError: the disk refused; what was there is as before.
    """
    rejected = file.with_name(f"{file.stem}.refused.jsonl")
    width = found.vectors.shape[1]
    ends = pa.array(np.arange(len(found.item_ids) + 1, dtype=np.int32) * width)
    vectors = pa.ListArray.from_arrays(ends, pa.array(found.vectors.ravel()))
    table = pa.table([pa.array(found.item_ids, pa.string()), vectors], schema=SCHEMA)
    lines = "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in found.rejected)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as draft:
            pq.write_table(table.replace_schema_metadata({"encoder": encoder}), draft, compression="zstd")
        if found.rejected:
            rejected.write_text(lines, "utf-8")
        else:
            rejected.unlink(missing_ok=True)  # of a run before this one
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
    return rejected if found.rejected else None


def _encoded(
    files: dict[bytes, Path],
    encoder: PictureEncoder,
    shards: VectorShards,
    settings: ImageSettings,
    progress: Progress,
) -> tuple[dict[bytes, UnreadablePicture], dict[bytes, FloatArray]]:
    """What is broken and the vectors of the rest, by content; shards are written as they fill."""
    broken: dict[bytes, UnreadablePicture] = {}
    fresh: dict[bytes, FloatArray] = {}
    waiting: list[bytes] = []
    try:
        with progress("encode images", len(files)) as advance:
            for batch in prefetch(_batches(files, settings)):
                pictures = {
                    key: each for key, each in batch.items() if not isinstance(each, UnreadablePicture)
                }
                broken |= {key: each for key, each in batch.items() if isinstance(each, UnreadablePicture)}
                if pictures:
                    fresh.update(zip(pictures, encoder.encode(list(pictures.values())), strict=True))
                    waiting += pictures
                if len(waiting) >= SHARD_ROWS:
                    shards.add(waiting, np.stack([fresh[key] for key in waiting]))
                    waiting = []
                advance(len(batch))
    finally:
        if waiting:  # also when interrupted
            shards.add(waiting, np.stack([fresh[key] for key in waiting]))
    return broken, fresh


def _batches(
    files: dict[bytes, Path], settings: ImageSettings
) -> Iterator[dict[bytes, Picture | UnreadablePicture]]:
    """Decoded pictures, `batch_size` at a time."""
    keys = list(files)
    for start in range(0, len(keys), settings.batch_size):
        part = keys[start : start + settings.batch_size]
        yield {key: _decoded(key, files[key], settings) for key in part}


def _decoded(key: bytes, path: Path, settings: ImageSettings) -> Picture | UnreadablePicture:
    content = _content(path, settings.max_bytes)
    if isinstance(content, UnreadablePicture):
        return content
    if content_hash(content) != key:
        return UnreadablePicture("unreadable_file", "it was changed while being read")
    return decode_picture(content, settings.max_pixels)


def _content(path: Path | None, max_bytes: int) -> bytes | UnreadablePicture:
    if path is None:
        return UnreadablePicture("no_path", "the cell is empty")
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = "no_file" if isinstance(error, FileNotFoundError) else "unreadable_file"
        return UnreadablePicture(reason, getattr(error, "strerror", None) or str(error))
    if len(content) > max_bytes:
        return UnreadablePicture("too_many_bytes", f"more than {max_bytes}")
    return content
