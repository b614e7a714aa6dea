"""Rows that hold a list, such as the lines of an order: each element becomes a row of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column, IntArray, combined
from recsys.errors import DataError
from recsys.ingest.raw.batch import Malformed, RawBatch, missing_column
from recsys.ingest.raw.cells import LIST_MARK, as_text, is_list_type
from recsys.ingest.readers.json_lines import json_text, parse_json
from recsys.ingest.readers.parquet_columns import plain_column


def exploded(
    batches: Iterator[RawBatch], path: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[RawBatch]:
    """`batches` with a row for each element of the lists in the column `path`.

    An element is an object, whose fields are columns `path.field`, or a single value, which is the column
    `path`. A row whose list is empty or absent stays as one row without these. Row numbers are those of the
    rows that hold the lists.

    Args:
        columns: those of elements; each starts with `path`. optional: those that no element need have.

    Raises:
        SchemaMismatchError: a column that no element has; the message names the nearest.
        DataError: a column lies in a list inside the elements.
    """
    fields = _Fields(path, tuple(columns), frozenset(optional))
    file = ""
    for batch in batches:
        file = batch.files[0][0]
        yield _exploded(batch, fields)
    for name in columns:
        if fields.elements and name not in fields.seen and name not in fields.optional:
            raise missing_column(f"each list in {path!r} of {file}", name, sorted(fields.present), "field")


_ABSENT = object()


class _Fields:
    """The columns of elements, and what was seen of them so far."""

    def __init__(self, path: str, columns: tuple[str, ...], optional: frozenset[str]) -> None:
        self.path = path
        self.columns = columns
        self.optional = optional
        self.elements = 0
        self.seen: set[str] = set()  # of `columns`
        self.present: set[str] = set()  # all fields of elements, for a message

    def of_json(self, elements: Sequence[Any]) -> dict[str, Column]:
        """The columns of elements that were read from JSON."""
        self.elements += len(elements)
        for element in elements[: 0 if self.present else 100]:
            self.present.update(f"{self.path}.{key}" for key in element or () if isinstance(element, dict))
        return {name: self._column(name, elements) for name in self.columns}

    def _column(self, name: str, elements: Sequence[Any]) -> Column:
        if name == self.path:
            values = list(elements)
        else:
            key = name.removeprefix(self.path + ".")
            values = [element.get(key, _ABSENT) if type(element) is dict else _ABSENT for element in elements]
            if "." in key:
                values = [
                    _inner(element, key, name) if value is _ABSENT else value
                    for element, value in zip(elements, values, strict=True)
                ]
        if any(value is not _ABSENT for value in values):
            self.seen.add(name)
        texts = [value if type(value) is str else _text(value) for value in values]
        return pa.array(texts, pa.string())


def _text(value: Any) -> str | None:
    return None if value is _ABSENT else json_text(value)


def _inner(element: Any, path: str, name: str) -> Any:
    value = element
    for key in path.split("."):
        if isinstance(value, list):
            raise _nested(name)
        value = value.get(key, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


@dataclass(frozen=True)
class _Elements:
    """Elements of the lists of N rows: how many each row has, and their columns one under the other.

    Attributes:
        bad: rows whose cell is not a list, with their text.
    """

    counts: IntArray
    cells: dict[str, Column]
    bad: dict[int, str]


def _exploded(batch: RawBatch, fields: _Fields) -> RawBatch:
    lists = combined(batch.table[fields.path])
    found = _of_structs(lists, fields) if _holds_lists(lists.type) else _of_texts(as_text(lists), fields)
    kept = np.ones(len(lists), bool)
    kept[list(found.bad)] = False
    counts = np.where(kept, np.maximum(found.counts, 1), 0)
    parents = np.repeat(np.arange(len(lists)), counts)
    starts = np.cumsum(found.counts) - found.counts
    places = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[parents]
    places = pa.array(places, mask=found.counts[parents] == 0)
    own = [name for name in batch.table.column_names if name != fields.path]
    columns = {name: batch.table[name].take(pa.array(parents)) for name in own}
    columns |= {name: cells.take(places) for name, cells in found.cells.items()}
    files = tuple((file, int(np.searchsorted(parents, start))) for file, start in batch.files)
    names = batch.file_names(np.array(list(found.bad), np.int64))
    bad = [
        Malformed(file, int(batch.rows[row]), text, f"{fields.path} is not a list", "bad_lines")
        for file, (row, text) in zip(names, found.bad.items(), strict=True)
    ]
    return RawBatch(pa.table(columns), files, batch.rows[parents], (*batch.malformed, *bad))


def _holds_lists(kind: pa.DataType) -> bool:
    return bool(is_list_type(kind) or _wrapped_list(kind))


def _wrapped_list(kind: pa.DataType) -> bool:
    """Whether `kind` is how BigQuery writes a repeated field to Parquet: `list`, each with an `element`."""
    if not pa.types.is_struct(kind) or kind.num_fields != 1 or kind.field(0).name != "list":
        return False
    inner = kind.field(0).type
    return is_list_type(inner) and pa.types.is_struct(inner.value_type) and inner.value_type.num_fields == 1


def _of_structs(lists: Column, fields: _Fields) -> _Elements:
    wrapped = not is_list_type(lists.type)
    if wrapped:
        lists = pc.struct_field(lists, "list")
    counts = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    elements = combined(pc.list_flatten(lists))
    if wrapped:
        elements = pc.struct_field(elements, [0])
    fields.elements += len(elements)
    return _Elements(counts, {name: _struct_column(elements, name, fields) for name in fields.columns}, {})


def _struct_column(elements: Column, name: str, fields: _Fields) -> Column:
    if len(elements):
        fields.seen.add(name)
    if name == fields.path and not pa.types.is_struct(elements.type):
        return plain_column(name, elements).values
    kind = elements.type
    if pa.types.is_null(kind):  # every list of this file is empty
        return pa.nulls(len(elements), pa.string())
    keys = name.removeprefix(fields.path + ".").split(".")
    for place, key in enumerate(keys):
        before = ".".join([fields.path, *keys[:place]])
        if _holds_lists(kind):
            raise _nested(name)
        names = [kind.field(at).name for at in range(kind.num_fields)] if pa.types.is_struct(kind) else []
        if key not in names and name in fields.optional:
            return pa.nulls(len(elements), pa.string())
        if key not in names:
            raise missing_column(
                f"the column {fields.path!r}", name, [f"{before}.{other}" for other in names], "field"
            )
        kind = kind.field(key).type
    return plain_column(name, combined(pc.struct_field(elements, keys))).values


def _of_texts(texts: Column, fields: _Fields) -> _Elements:
    counts = np.zeros(len(texts), np.int64)
    found: list[Any] = []
    bad: dict[int, str] = {}
    plain = all(name == fields.path for name in fields.columns)
    for place, text in enumerate(texts.to_pylist()):
        elements = _parsed(text, plain)
        if elements is None:
            bad[place] = text
        else:
            counts[place] = len(elements)
            found += elements
    return _Elements(counts, fields.of_json(found), bad)


def _parsed(text: str | None, plain: bool) -> list[Any] | None:
    """The elements that a cell holds: a JSON list, an object, or texts with LIST_MARKs; None if neither.

    Args:
        plain: elements are single values, not objects.
    """
    if text is None:
        return []
    try:
        if text.startswith("["):
            elements = list(parse_json(text.encode()))
        else:
            elements = [_element(part) for part in text.removesuffix(LIST_MARK).split(LIST_MARK)]
    except (ValueError, RecursionError):
        return None
    objects = all(element is None or isinstance(element, dict) for element in elements)
    return elements if plain or objects else None


def _element(text: str) -> Any:
    return parse_json(text.encode()) if text.startswith("{") else text


def _nested(name: str) -> DataError:
    return DataError(
        f"column {name!r} lies in a list inside `lines`: only one list can be taken apart. "
        "Take the inner one apart beforehand, or leave the column out."
    )
