"""JSON Lines in batches: one object a line, nested fields by dotted path, lists as lists of texts."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.ingest.raw.batch import Malformed, RawBatch
from recsys.ingest.raw.cells import LIST_MARK

BATCH_LINES = 100_000


def read_json_lines(path: Path, file: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Batches of `columns` as texts; what an object lacks is null.

    Raises:
        DataError: the file is damaged, or is one JSON array.
    """
    getters = [_getter(name) for name in columns]
    first = 1
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            while batch := list(islice(lines, BATCH_LINES)):
                yield _batch(batch, first, file, columns, getters)
                first += len(batch)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is cut off after row {first - 1}: {error}. Copy it again.") from error


def _batch(
    lines: list[bytes],
    first: int,
    file: str,
    columns: Sequence[str],
    getters: Sequence[Callable[[JsonObject], str | None]],
) -> RawBatch:
    cells: list[list[str | None]] = [[] for _ in columns]
    rows: list[int] = []
    malformed: list[Malformed] = []
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if number == 1 and line.lstrip().startswith(b"["):
                raise _an_array(file) from error
            malformed.append(
                Malformed(file, number, line.decode("utf-8", "replace").rstrip(), f"no JSON: {error}")
            )
            continue
        if not isinstance(document, dict):
            if number == 1 and isinstance(document, list):
                raise _an_array(file)
            malformed.append(Malformed(file, number, line.decode().rstrip(), "no JSON object"))
            continue
        rows.append(number)
        for column, getter in zip(cells, getters, strict=True):
            column.append(getter(document))
    table = pa.table({name: pa.array(c, pa.string()) for name, c in zip(columns, cells, strict=True)})
    return RawBatch(table, ((file, 0),), np.array(rows, np.int64), tuple(malformed))


def _an_array(file: str) -> DataError:
    return DataError(f"{file} is one JSON array. Write one object a line, for example with `jq -c '.[]'`.")


def _getter(name: str) -> Callable[[JsonObject], str | None]:
    path = name.split(".")

    def get(document: JsonObject) -> str | None:
        if name in document:
            return _text(document[name])
        value: Any = document
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return _text(value)

    return get


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)
    if isinstance(value, list):
        elements = [(_text(element) or "").removesuffix(LIST_MARK) for element in value]
        return "".join(f"{element}{LIST_MARK}" for element in elements) or None
    return orjson.dumps(value).decode()
