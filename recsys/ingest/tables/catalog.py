"""Item and user files -> canonical items and users; pure, all rows of a table at once."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column
from recsys.catalog import stable_key
from recsys.dataset.item_vectors import vector_map
from recsys.dataset.schemas import VECTOR_MAP
from recsys.errors import DataError
from recsys.ingest.mapping.catalog_sources import Attribute, ItemSource, UserSource
from recsys.ingest.raw.cells import LIST_MARK, as_micros, as_number, as_text
from recsys.ingest.raw.vector_cells import as_vectors
from recsys.ingest.tables.conditions import any_holds, apply_reject_rules
from recsys.ingest.tables.rejections import RowRejections, overwritten_rows


def item_columns(source: ItemSource) -> list[str]:
    """The raw columns that `source` reads, or that a long table names as properties."""
    templates = (source.title, source.text, source.category, source.brand)
    names = [source.id]
    names += [name for template in templates if template for name in template.columns]
    names += [source.price.column] if source.price and source.price.column else []
    names += [vector.column for vector in source.vectors.values() if not vector.files]
    names += [condition.column for condition in source.unavailable]
    names += [condition.column for rule in source.reject for condition in rule.when]
    given = dict.fromkeys([*names, *_attribute_columns(source.attributes)])
    # A list or flag attribute may lend its name to a template.
    made = {name for name, attribute in source.attributes.items() if _is_list(attribute)}
    return [name for name in given if name not in made or name in _attribute_columns(source.attributes)]


def user_columns(source: UserSource) -> list[str]:
    """The raw columns that `source` reads."""
    return list(dict.fromkeys([source.id, *_attribute_columns(source.attributes)]))


def canonical_items(
    raw: pa.Table, source: ItemSource, joined: Mapping[str, Column] | None = None
) -> tuple[pa.Table, RowRejections, dict[str, int]]:
    """Items of `raw` (without `at`), the fate of each raw row, and how many cells were blanked by column.

    Of rows with one id the last counts. A price or number that cannot be read is blanked, not rejected:
    one bad cell must not take an item out of the shop.

    Args:
        joined: ready vectors that files of their own hold, by name; a cell for each row of `raw`.
    """
    rejections = RowRejections(len(raw))
    apply_reject_rules(source.reject, raw, rejections)
    ids = as_text(raw[source.id])
    rejections.reject(np.asarray(ids.is_null()), "missing_item", source.id, "names no item")
    rejections.reject(
        overwritten_rows(ids, rejections.kept), "duplicate", source.id, "comes again further down"
    )
    kept = rejections.kept
    rows, ids = raw.filter(pa.array(kept)), ids.filter(pa.array(kept))
    cells = {name: raw[vector.column] for name, vector in source.vectors.items() if not vector.files}
    cells = {name: cell.filter(pa.array(kept)) for name, cell in (cells | dict(joined or {})).items()}
    blanked: dict[str, int] = {}
    attributes, lists = _attributes(rows, source.attributes, blanked)
    for name, values in lists.items():
        rows = rows.drop_columns([name]) if name in rows.column_names else rows
        rows = rows.append_column(name, values)
    title = pc.coalesce(source.title.render(rows), ids) if source.title else ids
    none = pa.nulls(len(rows), pa.string())
    table = pa.table(
        {
            columns.ITEM_ID: ids,
            columns.TITLE: title,
            columns.TEXT: pc.coalesce(source.text.render(rows), title) if source.text else title,
            columns.CATEGORY: source.category.render(rows) if source.category else none,
            columns.BRAND: source.brand.render(rows) if source.brand else none,
            columns.PRICE_MICROS: _prices(rows, source, blanked),
            columns.AVAILABLE: pa.array(~any_holds(source.unavailable, rows)),
            columns.ATTRIBUTES: attributes,
            columns.VECTORS: _vectors(cells, len(rows), blanked),
        }
    )
    return table, rejections, blanked


def canonical_users(raw: pa.Table, source: UserSource) -> tuple[pa.Table, RowRejections, dict[str, int]]:
    """Users of `raw` (without `at`); otherwise as `canonical_items`."""
    rejections = RowRejections(len(raw))
    ids = as_text(raw[source.id])
    rejections.reject(np.asarray(ids.is_null()), "missing_user", source.id, "names no user")
    rejections.reject(
        overwritten_rows(ids, rejections.kept), "duplicate", source.id, "comes again further down"
    )
    kept = pa.array(rejections.kept)
    blanked: dict[str, int] = {}
    attributes, _ = _attributes(raw.filter(kept), source.attributes, blanked)
    return pa.table({columns.USER_ID: ids.filter(kept), columns.ATTRIBUTES: attributes}), rejections, blanked


def items_without_rows(ids: Iterable[str]) -> pa.Table:
    """Items that only events know: the id is shown as the title, and there is no text."""
    names = pa.array(sorted(ids), pa.string())
    none = pa.nulls(len(names), pa.string())
    return pa.table(
        {
            columns.ITEM_ID: names,
            columns.TITLE: names,
            columns.TEXT: none,
            columns.CATEGORY: none,
            columns.BRAND: none,
            columns.PRICE_MICROS: pa.nulls(len(names), pa.int64()),
            columns.AVAILABLE: pa.array(np.ones(len(names), bool)),
            columns.ATTRIBUTES: pa.array(["{}"] * len(names), pa.string()),
            columns.VECTORS: pa.nulls(len(names), VECTOR_MAP),
        }
    )


def reject_key_collisions(ids: Iterable[str]) -> None:
    """Makes sure that no two items share a stable key.

    Raises:
        DataError: two do; the message names them.
    """
    seen: dict[int, str] = {}
    for identifier in ids:
        other = seen.setdefault(stable_key(identifier), identifier)
        if other != identifier:
            raise DataError(
                f"items {other!r} and {identifier!r} share the 64-bit key {stable_key(identifier)}. "
                "Rename one of them in the shop's files, for example by a prefix."
            )


def _attribute_columns(attributes: dict[str, Attribute]) -> list[str]:
    return [
        name
        for attribute in attributes.values()
        for name in (*(attribute.column.columns if attribute.column else ()), *attribute.flags)
    ]


def _is_list(attribute: Attribute) -> bool:
    return attribute.type == "list" or bool(attribute.flags)


def _attributes(
    rows: pa.Table, attributes: dict[str, Attribute], blanked: dict[str, int]
) -> tuple[Column, dict[str, Column]]:
    """JSON objects, one a row, and the list attributes as columns for templates."""
    pieces: list[Column] = []
    lists: dict[str, Column] = {}
    for name, attribute in attributes.items():
        if _is_list(attribute):
            cells = _flagged(rows, attribute.flags) if attribute.flags else _list_cells(rows, attribute)
            lists[name] = cells
            pieces.append(_json_members(name, cells, lambda text: [x for x in text.split(LIST_MARK) if x]))
        elif attribute.type == "number" and attribute.column:
            numbers = as_number(rows[attribute.column.columns[0]])
            blanked[name] = int(numbers.bad.sum())
            values = pa.array(numbers.values, mask=~numbers.ok)
            pieces.append(_json_members(name, values, lambda x: int(x) if x == int(x) else x))
        elif attribute.column:
            pieces.append(_json_members(name, attribute.column.render(rows), str))
    if not pieces:
        return pa.array(["{}"] * len(rows), pa.string()), lists
    joined = _joined(pieces, ",")
    return pc.binary_join_element_wise("{", joined, "}", ""), lists


def _json_members(name: str, cells: Column, plain: Any) -> Column:
    """`"name": value` of each cell, null where there is nothing; each distinct value is written once."""
    encoded = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    encoded = encoded.dictionary_encode()
    texts = []
    for value in encoded.dictionary.to_pylist():
        shown = None if value is None else plain(value)
        empty = shown is None or shown == []
        texts.append(None if empty else f"{json.dumps(name)}:{json.dumps(shown, ensure_ascii=False)}")
    return pa.array(texts, pa.string()).take(encoded.indices)


def _list_cells(rows: pa.Table, attribute: Attribute) -> Column:
    if attribute.column is None:
        return pa.nulls(len(rows), pa.string())
    return as_text(rows[attribute.column.columns[0]])


def _flagged(rows: pa.Table, flags: Iterable[str]) -> Column:
    """Names of the columns that say 1, as one list cell."""
    pieces = []
    for name in flags:
        flag = as_number(rows[name]).values == 1
        pieces.append(pc.if_else(pa.array(flag), name, pa.scalar(None, pa.string())))
    return _joined(pieces, LIST_MARK)


def _joined(pieces: list[Column], mark: str) -> Column:
    """The pieces that are there, `mark` between them. (Arrow's own skipping drops rows of nulls whole.)"""
    ended = [pc.binary_join_element_wise(piece, mark, "").fill_null("") for piece in pieces]
    return pc.utf8_rtrim(pc.binary_join_element_wise(*ended, ""), mark)


def _vectors(cells: dict[str, Column], rows: int, blanked: dict[str, int]) -> Column:
    """Ready vectors by name, one map a row, null where a row has none."""
    found = {}
    for name, column in cells.items():
        found[name], blanked[name] = as_vectors(column)
    return vector_map(found, rows)


def _prices(rows: pa.Table, source: ItemSource, blanked: dict[str, int]) -> Column:
    if source.price is None or source.price.column is None:
        return pa.nulls(len(rows), pa.int64())
    money = as_micros(rows[source.price.column], source.price.scale, source.price.strip)
    negative = money.values < 0
    blanked[columns.PRICE_MICROS] = int((money.bad | negative).sum())
    return pa.array(money.values, mask=~money.ok | negative)
