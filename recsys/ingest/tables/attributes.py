"""Attributes of items and users: one JSON object a row, out of texts, numbers, lists and flags."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys.arrays import Column, combined
from recsys.ingest.mapping.catalog_sources import Attribute
from recsys.ingest.raw.cells import LIST_MARK, as_list_cells, as_number
from recsys.ingest.tables.cell_notes import CellNotes


def attribute_columns(attributes: dict[str, Attribute]) -> list[str]:
    """The raw columns that `attributes` read."""
    return [
        name
        for attribute in attributes.values()
        for name in (*(attribute.column.columns if attribute.column else ()), *attribute.flags)
    ]


def list_names(attributes: dict[str, Attribute]) -> list[str]:
    """The attributes that are lists: a template may name them where the files have no such column."""
    return [name for name, attribute in attributes.items() if attribute.type == "list" or attribute.flags]


def attribute_objects(
    rows: pa.Table, attributes: dict[str, Attribute], notes: CellNotes
) -> tuple[Column, dict[str, Column]]:
    """JSON objects, one a row, and the list attributes as columns for templates."""
    pieces: list[Column] = []
    lists: dict[str, Column] = {}
    for name, attribute in attributes.items():
        if attribute.type == "list" or attribute.flags:
            lists[name] = _list_cells(rows, name, attribute, notes)
            pieces.append(_json_members(name, lists[name], lambda text: text.split(LIST_MARK)))
        elif attribute.type == "number" and attribute.column:
            column = attribute.column.columns[0]
            numbers = as_number(rows[column], attribute.strip, attribute.decimal)
            notes.add_numbers(column, numbers, rows[column])
            notes.add_blanked(name, rows[column], numbers.bad)
            values = pa.array(numbers.values, mask=~numbers.ok)
            pieces.append(_json_members(name, values, lambda x: int(x) if x == int(x) else x))
        elif attribute.column:
            pieces.append(_json_members(name, attribute.column.render(rows), str))
    if not pieces:
        return pa.array(["{}"] * len(rows), pa.string()), lists
    joined = _joined(pieces, ",")
    return pc.binary_join_element_wise("{", joined, "}", ""), lists


def _json_members(name: str, cells: Column, plain: Any) -> Column:
    """`"name":value` of each cell, null where there is nothing; each distinct value is written once."""
    encoded = combined(cells).dictionary_encode()
    texts = []
    for value in encoded.dictionary.to_pylist():
        shown = None if value is None else json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
        texts.append(None if shown is None else f"{json.dumps(name)}:{shown}")
    return pa.array(texts, pa.string()).take(encoded.indices)


def _list_cells(rows: pa.Table, name: str, attribute: Attribute, notes: CellNotes) -> Column:
    if attribute.flags:
        return _flagged(rows, attribute.flags)
    if attribute.column is None:
        return pa.nulls(len(rows), pa.string())
    cells, empty = as_list_cells(rows[attribute.column.columns[0]])
    notes.empty_elements[name] += empty
    return cells


def _flagged(rows: pa.Table, flags: Iterable[str]) -> Column:
    """Names of the columns that say 1 or true, as one list cell."""
    pieces = []
    for name in flags:
        flag = as_number(rows[name]).values == 1
        pieces.append(pc.if_else(pa.array(flag), name, pa.scalar(None, pa.string())))
    joined = _joined(pieces, LIST_MARK)
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)


def _joined(pieces: list[Column], mark: str) -> Column:
    """The pieces that are there, `mark` between them. (Arrow's own skipping drops rows of nulls whole.)"""
    ended = [pc.binary_join_element_wise(piece, mark, "").fill_null("") for piece in pieces]
    return pc.utf8_rtrim(pc.binary_join_element_wise(*ended, ""), mark)
