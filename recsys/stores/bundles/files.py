"""The kinds of file in a bundle: safetensors for arrays and weights, Parquet for the catalog."""

import hashlib
import json
import math
import mmap
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.arrays import Column, combined
from recsys.columns import (
    ATTRIBUTES,
    AVAILABLE,
    BRAND,
    CATEGORY,
    CATEGORY_PATH,
    FIRST_AT,
    ITEM_ID,
    PRICE_MICROS,
    PRODUCT_ID,
    TITLE,
)
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import ArtifactMismatchError
from recsys.versions.text_rows import TextRows

if TYPE_CHECKING:
    from torch import Tensor

# Only what bundles hold; see the safetensors format for the names.
_DTYPES = {
    "F32": np.float32,
    "F64": np.float64,
    "I32": np.int32,
    "I64": np.int64,
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
    "I8": np.int8,
    "I16": np.int16,
    "BOOL": np.bool_,
}
TITLED = "titled"  # a column of the catalog in a bundle
_COPY_BYTES = 1 << 20
_HEADER_LENGTH = 8  # bytes: a little-endian integer, then that many bytes of JSON, then the data


def write_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Writes named arrays as safetensors."""
    from safetensors.numpy import save_file

    with _write_errors(path):
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def read_arrays(path: Path, digest: str | None = None) -> dict[str, npt.NDArray[Any]]:
    """Named arrays of a safetensors file, from a copy that is private to this process.

    They are mapped from a copy without a name, so that pages are read when used and may be let go of; where
    the disk takes none, they are in memory. What happens to `path` later does not reach them: a process that
    maps a file which is cut short in place is killed by the next access to it.

    Args:
        digest: the SHA-256 that the copy must have.
    """
    try:
        content, found = _private_copy(path)
        if digest not in (None, found):
            raise ArtifactMismatchError(f"{path} was changed while it was read. Try again.")
        length = int.from_bytes(content[:_HEADER_LENGTH], "little")
        start = _HEADER_LENGTH + length
        header = json.loads(content[_HEADER_LENGTH:start])
        header.pop("__metadata__", None)
        return {name: _view(content, entry, start) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactMismatchError(
            f"{path} is not a valid safetensors file: {error!r}. Run `recsys train`."
        ) from error


def _view(content: mmap.mmap | bytearray, entry: Mapping[str, Any], start: int) -> npt.NDArray[Any]:
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    shape = tuple(entry["shape"])
    offset = start + entry["data_offsets"][0]
    return np.frombuffer(content, dtype, math.prod(shape), offset).reshape(shape)


def _private_copy(path: Path) -> tuple[mmap.mmap | bytearray, str]:
    """The content of a file, which nobody else can write to, and its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        try:
            with tempfile.TemporaryFile(dir=path.parent) as copy:  # it never has a name
                while part := source.read(_COPY_BYTES):  # hashed here, so that no page of it is mapped yet
                    digest.update(part)
                    copy.write(part)
                copy.flush()
                return mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_COPY), digest.hexdigest()
        except OSError:  # the folder is read-only, or the disk is full
            source.seek(0)
            content = bytearray(source.read())
    return content, hashlib.sha256(content).hexdigest()


def write_tensors(tensors: Mapping[str, "Tensor"], path: Path) -> None:
    """Writes a network's state as safetensors; tied weights are written once each."""
    from safetensors.torch import save_file

    with _write_errors(path):
        save_file(
            {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}, path
        )


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:  # a full disk too
        raise OSError(f"{path.name}: {error}") from error


def read_tensors(path: Path, digest: str | None = None) -> dict[str, "Tensor"]:
    """A network's state, on the CPU; of the memory of `read_arrays`."""
    import torch

    return {name: torch.from_numpy(array) for name, array in read_arrays(path, digest).items()}


def write_items(items: ItemTable, path: Path) -> None:
    """Writes the catalog by item index, padding row included."""
    titled = np.ones(len(items), bool) if items.titled is None else items.titled
    table = pa.table(
        {
            ITEM_ID: pa.array(items.vocabulary.ids, pa.string()),
            TITLE: pa.array(items.titles, pa.string()),
            CATEGORY: pa.array(items.categories, pa.string()),
            BRAND: pa.array(items.brands, pa.string()),
            PRICE_MICROS: pa.array(items.price_micros, pa.int64()),
            AVAILABLE: pa.array(items.available, pa.bool_()),
            ATTRIBUTES: pa.array(items.attributes, pa.string()),
            TITLED: pa.array(titled, pa.bool_()),
            PRODUCT_ID: pa.array(items.products, pa.string()),
            CATEGORY_PATH: pa.array(items.category_paths, pa.string()),
            FIRST_AT: pa.array(items.first_at, pa.int64()),
        }
    )
    pq.write_table(table, path, compression="zstd")


def read_items(path: Path) -> ItemTable:
    """The catalog that `write_items` wrote, also before it knew of products, paths and first instants."""
    try:
        table = pq.read_table(path)
        texts = {name: _texts(table[name]) for name in (ITEM_ID, TITLE, CATEGORY, BRAND, ATTRIBUTES)}
        items = ItemTable(
            vocabulary=Vocabulary(texts[ITEM_ID]),
            titles=texts[TITLE],
            categories=texts[CATEGORY],
            brands=texts[BRAND],
            price_micros=table[PRICE_MICROS].to_numpy().copy(),  # ours to write, as before saving
            available=table[AVAILABLE].to_numpy().copy(),
            attributes=texts[ATTRIBUTES],
            # Bundles of earlier versions do not know of items without a title.
            titled=table[TITLED].to_numpy().copy() if TITLED in table.column_names else None,
        )
        if FIRST_AT not in table.column_names:  # a bundle of an earlier version
            return items
        return replace(
            items,
            products=_texts(table[PRODUCT_ID]),
            category_paths=_texts(table[CATEGORY_PATH]),
            first_at=table[FIRST_AT].to_numpy().copy(),
        )
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise ArtifactMismatchError(f"{path} cannot be read: {error}. Run `recsys train`.") from error


def _texts(column: Column) -> TextRows:
    """The texts of a column; equal ones are one object, where there are many."""
    coded = combined(column).dictionary_encode()
    if 2 * len(coded.dictionary) > len(coded):
        return TextRows.of(column.to_pylist())
    names = coded.dictionary.to_pylist()
    return TextRows.of(map(names.__getitem__, coded.indices.to_pylist()))


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
