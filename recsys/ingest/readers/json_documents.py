"""Files that are one JSON document: an array of objects, or an object that holds the list of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import Malformed, RawBatch
from recsys.ingest.readers.contents import byte_order_mark
from recsys.ingest.readers.json_lines import BATCH_LINES, JsonFields, json_batch, json_text, parse_json
from recsys.ingest.readers.limits import ReadLimits
from recsys.ingest.readers.text_stream import first_bytes, line_blocks


def begins_with_array(path: Path) -> bool:
    """Whether the first character of a file, packed or not, is `[`."""
    _, head = first_bytes(path)
    mark = byte_order_mark(head)
    return head[len(mark[0]) if mark else 0 :].replace(b"\x00", b"").lstrip().startswith(b"[")


def read_json_document(
    path: Path,
    file: str,
    source: Source,
    columns: Sequence[str],
    fields: JsonFields,
    limits: ReadLimits,
    nested: str | None = None,
) -> Iterator[RawBatch]:
    """Batches of the objects in the list that `source.records` names, or in the array that the file is.

    A row's number is its place in the list, from 1. A file may have several documents, one a line, as pages
    of an API are kept; their lists follow one another. Arguments as `read_json_lines`.

    Raises:
        DataError: the file is damaged, not JSON, larger than `limits` allows, or has no such list.
    """
    elements = [
        element
        for document in _documents(path, file, source.encoding, limits)
        for element in _records(document, source.records, file)
    ]
    for start in range(0, len(elements), BATCH_LINES):
        objects: list[JsonObject] = []
        rows: list[int] = []
        malformed: list[Malformed] = []
        for number, element in enumerate(elements[start : start + BATCH_LINES], start=start + 1):
            if isinstance(element, dict):
                objects.append(element)
                rows.append(number)
            else:
                malformed.append(
                    Malformed(file, number, json_text(element) or "null", "is not a JSON object")
                )
        yield json_batch(objects, rows, malformed, file, columns, fields, nested)


def _documents(path: Path, file: str, encoding: str, limits: ReadLimits) -> list[Any]:
    blocks: list[bytes] = []
    size = 0
    for block in line_blocks(path, file, encoding, replace(limits, line_bytes=limits.document_bytes)):
        blocks.append(block.data)
        size += len(block.data)
        if size > limits.document_bytes:
            raise DataError(
                f"{file} is one JSON document of more than {limits.document_bytes >> 20} MiB. Write one "
                "object a line, for example with `jq -c '.[]'`, or raise most_document_bytes in the "
                "[import] settings."
            )
    text = b"".join(blocks)
    try:
        return [parse_json(text)] if text.strip() else []
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [parse_json(line) for line in lines]
        except (ValueError, RecursionError):
            raise DataError(f"{file} is not a JSON document: {error}. Copy or download it again.") from error


def _records(document: Any, path: str | None, file: str) -> list[Any]:
    found = document
    for key in path.split(".") if path else ():
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, list):
        return found
    if path is None:
        raise DataError(
            f"{file} has a JSON array in one line and something else in another. Write one object a line."
        )
    keys = ", ".join(list(document)[:20]) if isinstance(document, dict) else "no keys: it is not an object"
    raise DataError(
        f"{file} has no list under `records = {path!r}` (it has: {keys}). Name the key of the list of rows."
    )
