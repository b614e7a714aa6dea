"""JSON Lines in batches: one object a line, nested fields by dotted path, lists as lists of texts."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from recsys.documents import JsonObject
from recsys.errors import DataError, SchemaMismatchError, did_you_mean
from recsys.ingest.raw.batch import Malformed, RawBatch
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.readers.limits import ReadLimits
from recsys.ingest.readers.text_stream import line_blocks

BATCH_LINES = 100_000
_PARSED_LINES = 5_000  # objects that are held at a time: Python looks through them again and again
_SAMPLE_OBJECTS = 100
_LONG_INTEGER = re.compile(rb"\d{19}")  # may not fit in 64 bits


class _Absent:
    """What stands for a field that an object lacks."""


_ABSENT = _Absent()


class JsonFields:
    """Which of the wanted fields the objects of a source have had so far."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.wanted = tuple(columns)
        self.found: set[str] = set()
        self.objects = 0
        self._present: dict[str, None] = {}

    @property
    def present(self) -> list[str]:
        """The names in the first objects, nested ones by dotted path."""
        return list(self._present)

    def saw(self, objects: Sequence[JsonObject]) -> None:
        """Notes the names in the first objects, for what an error suggests."""
        for document in islice(objects, max(0, _SAMPLE_OBJECTS - self.objects)):
            self._present.update(dict.fromkeys(_paths(document)))
        self.objects += len(objects)

    def reject_absent_fields(self, files: str) -> None:
        """Makes sure that each wanted field was in an object, if there were objects.

        Raises:
            SchemaMismatchError: one was in none; the message names the nearest.
        """
        for name in self.wanted:
            if self.objects and name not in self.found:
                names = list(self._present)
                hint = did_you_mean(name, names)
                shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
                raise SchemaMismatchError(
                    f"{files}: none of {self.objects} objects has a field {name!r}.{hint} They have: "
                    f"{shown}. Name another field in the mapping, delete its line, or list it as `optional`."
                )


def read_json_lines(
    path: Path,
    file: str,
    encoding: str,
    columns: Sequence[str],
    fields: JsonFields,
    limits: ReadLimits,
    nested: str | None = None,
) -> Iterator[RawBatch]:
    """Batches of `columns` as texts; what an object lacks is null. `fields` notes what there was.

    Args:
        nested: the one of `columns` whose cells may be lists of objects; it comes as JSON texts.

    Raises:
        DataError: the file is damaged, is one document over many lines, or has objects for texts.
    """
    for block in line_blocks(path, file, encoding, limits):
        lines = block.data.splitlines()  # of bytes: only at \n, \r and \r\n
        checked = _LONG_INTEGER.search(block.data) is not None
        parts: list[RawBatch] = []
        for start in range(0, len(lines), _PARSED_LINES):
            part = lines[start : start + _PARSED_LINES]
            rows, objects, malformed = _parsed(part, block.first + start, file, checked)
            parts.append(json_batch(objects, rows, malformed, file, columns, fields, nested))
            if len(parts) * _PARSED_LINES >= BATCH_LINES:
                yield _joined(parts)
                parts = []
        if parts:
            yield _joined(parts)


def _joined(parts: Sequence[RawBatch]) -> RawBatch:
    return RawBatch(
        pa.concat_tables(part.table for part in parts).combine_chunks(),
        parts[0].files,
        np.concatenate([part.rows for part in parts]),
        tuple(bad for part in parts for bad in part.malformed),
    )


def json_batch(
    objects: Sequence[JsonObject],
    rows: Sequence[int],
    malformed: Sequence[Malformed],
    file: str,
    columns: Sequence[str],
    fields: JsonFields,
    nested: str | None,
) -> RawBatch:
    """A batch of `objects`, the rows with the numbers `rows`; for the rest see `read_json_lines`."""
    fields.saw(objects)
    table = pa.table({name: _column(name, objects, rows, file, fields, nested) for name in columns})
    return RawBatch(table, ((file, 0),), np.array(rows, np.int64), tuple(malformed))


def _parsed(
    lines: Iterable[bytes], first: int, file: str, checked: bool
) -> tuple[list[int], list[JsonObject], list[Malformed]]:
    rows: list[int] = []
    objects: list[JsonObject] = []
    malformed: list[Malformed] = []
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            document = parse_json(line, checked)
        except (ValueError, RecursionError) as error:
            _reject_whole_document(line, number, file)
            text = line.decode("utf-8", "replace").rstrip()
            malformed.append(Malformed(file, number, text, f"is not JSON: {error}"))
            continue
        if isinstance(document, dict):
            rows.append(number)
            objects.append(document)
        else:
            _reject_whole_document(line, number, file)
            malformed.append(Malformed(file, number, line.decode().rstrip(), "is not a JSON object"))
    return rows, objects, malformed


def parse_json(text: bytes, checked: bool = True) -> Any:
    """What `text` says, integers exact whatever their size; NaN and infinities, which JSON lacks, are null.

    Args:
        checked: there may be integers beyond 64 bits.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    if checked and _LONG_INTEGER.search(text):
        return _lenient(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _lenient(text)


def _lenient(text: bytes) -> Any:
    document = json.loads(text.decode("utf-8-sig"), parse_constant=lambda _: None)
    json.dumps(document, ensure_ascii=False).encode()  # half a surrogate cannot be written
    return document


def _reject_whole_document(line: bytes, number: int, file: str) -> None:
    """Raises if the first line shows that the file is one JSON document over many lines."""
    if number == 1 and line.strip() == b"{":
        raise DataError(
            f"{file} is one JSON document over many lines. Name the list of its rows as `records`, or write "
            "one object a line, for example with `jq -c .`."
        )


def _column(
    name: str,
    objects: Sequence[JsonObject],
    rows: Sequence[int],
    file: str,
    fields: JsonFields,
    nested: str | None,
) -> pa.Array:
    values = _values(name, objects)
    kinds = set(map(type, values))
    if kinds - {_Absent}:
        fields.found.add(name)
    if name == nested:
        return pa.array([_json_or_text(value) for value in values], pa.string())
    if dict in kinds or list in kinds:
        _reject_objects(name, values, rows, file)
    if not kinds <= {str, NoneType}:
        values = [value if type(value) is str else json_text(value) for value in values]
    return pa.array(values, pa.string())


def _values(name: str, objects: Sequence[JsonObject]) -> list[Any]:
    """The value of each object at a dotted path; a key that has the dots itself comes first."""
    if "." not in name:
        return [document.get(name, _ABSENT) for document in objects]
    path = name.split(".")
    found = []
    for document in objects:
        value: Any = document.get(name, _ABSENT)
        if value is _ABSENT:
            value = document
            for key in path:
                value = value.get(key, _ABSENT) if isinstance(value, dict) else _ABSENT
        found.append(value)
    return found


def _nested(value: Any) -> bool:
    """Whether there is an object where a text, a number or a list of them is expected."""
    return type(value) is dict or (type(value) is list and any(type(element) is dict for element in value))


def _reject_objects(name: str, values: Sequence[Any], rows: Sequence[int], file: str) -> None:
    """Raises if a field holds nothing but objects."""
    given = [
        (value, row) for value, row in zip(values, rows, strict=True) if value not in (_ABSENT, None, [])
    ]
    if not all(_nested(value) for value, _ in given):
        return
    value, row = given[0]
    inner = value if isinstance(value, dict) else next(each for each in value if isinstance(each, dict))
    kind = "an object" if isinstance(value, dict) else "a list of objects"
    paths = [f"{name}.{key}" for key in inner]
    shown = f" (it has: {', '.join(paths[:10])})" if paths else ""
    remedy = (
        "Name one of its fields by a dotted path"
        if isinstance(value, dict)
        else f"Write one object a line for each element, or name the list as `lines = {name!r}`"
    )
    raise SchemaMismatchError(
        f"{file}, row {row}: {name!r} is {kind}{shown}, not a text or a number. {remedy}."
    )


def _paths(value: JsonObject, prefix: str = "") -> Iterator[str]:
    for key, inner in value.items():
        yield prefix + key
        if isinstance(inner, dict):
            yield from _paths(inner, f"{prefix}{key}.")


def _json_or_text(value: Any) -> str | None:
    """Lists and objects as JSON, the rest as text."""
    if not isinstance(value, list | dict):
        return json_text(value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False)


def json_text(value: Any) -> str | None:
    """A value of a JSON document as the text of a cell, a list with a LIST_MARK behind each element."""
    if isinstance(value, str):
        return value
    if value is None or value is _ABSENT:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        elements = [(json_text(element) or "").removesuffix(LIST_MARK) for element in value]
        return "".join(f"{element}{LIST_MARK}" for element in elements) or None
    return orjson.dumps(value, default=str).decode()
