"""Item and user files -> canonical items and users; pure, all rows of a table at once."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import Column
from recsys.catalog import stable_key
from recsys.dataset.item_vectors import vector_map
from recsys.dataset.schemas import INSTANT, VECTOR_MAP
from recsys.errors import DataError
from recsys.ingest.mapping.catalog_sources import ItemSource, UserSource
from recsys.ingest.raw.cells import as_micros
from recsys.ingest.raw.ids import as_ids
from recsys.ingest.raw.time_cells import FIRST_MICROS, LAST_MICROS, as_instant
from recsys.ingest.raw.vector_cells import as_vectors
from recsys.ingest.tables.attributes import attribute_columns, attribute_objects, list_names
from recsys.ingest.tables.category_paths import category_paths
from recsys.ingest.tables.cell_notes import NO_TEXT, TEXT_FROM_TITLE, TITLE_FROM_ID, CellNotes
from recsys.ingest.tables.conditions import any_holds, apply_reject_rules
from recsys.ingest.tables.merged_rows import merge_rows, with_filled_blanks
from recsys.ingest.tables.rejections import RowRejections, reject_ids


def item_columns(source: ItemSource) -> list[str]:
    """The raw columns that `source` reads, or that a long table names as properties."""
    templates = (source.title, source.text, source.category, source.brand)
    names = [source.id]
    names += [name for template in templates if template for name in template.columns]
    names += [source.price.column] if source.price and source.price.column else []
    names += [source.product_id] if source.product_id else []
    names += _path_columns(source)
    names += [source.first_at.column] if source.first_at and source.first_at.column else []
    names += [vector.column for vector in source.vectors.values() if not vector.files]
    names += [condition.column for condition in source.unavailable]
    names += _rule_columns(source)
    return list(dict.fromkeys([*names, *attribute_columns(source.attributes)]))


def lent_columns(source: ItemSource) -> list[str]:
    """Those of `item_columns` that files may lack: a list attribute stands in for a column of its name."""
    read = {source.id, *attribute_columns(source.attributes), *_rule_columns(source)}
    return [
        name for name in list_names(source.attributes) if name in item_columns(source) and name not in read
    ]


def user_columns(source: UserSource) -> list[str]:
    """The raw columns that `source` reads."""
    return list(dict.fromkeys([source.id, *attribute_columns(source.attributes)]))


def canonical_items(
    raw: pa.Table, source: ItemSource, joined: Mapping[str, Column] | None = None
) -> tuple[pa.Table, RowRejections, CellNotes]:
    """Items of `raw` (without `at`), the fate of each raw row, and what was made of its cells.

    Rows with one id are merged as `source.rows` says. A price or number that cannot be read is blanked,
    not rejected: one bad cell must not take an item out of the shop. What has no text of its own, no
    template and no title, has none: an id is nothing to encode or to search.

    Args:
        joined: ready vectors that files of their own hold, by name; a cell for each row of `raw`.
    """
    rejections, notes = RowRejections(len(raw)), CellNotes()
    cells = as_ids(raw[source.id])
    notes.add_ids(source.id, cells)
    reject_ids(cells, rejections, source.id, "missing_item", "names no item")
    _reject_items(raw, cells.texts, source, rejections)
    rows = merge_rows(raw, cells.texts, source.id, source.rows, rejections)
    kept = pa.array(rejections.kept)
    ids = cells.texts.filter(kept)
    vectors = {name: rows[each.column] for name, each in source.vectors.items() if not each.files}
    vectors |= {name: column.filter(kept) for name, column in (joined or {}).items()}
    attributes, lists = attribute_objects(rows, source.attributes, notes)
    for name, values in lists.items():
        if name not in rows.column_names or rows[name].null_count == len(rows):
            rows = rows.drop_columns([name]) if name in rows.column_names else rows
            rows = rows.append_column(name, values)
    none = pa.nulls(len(rows), pa.string())
    titled = source.title.render(rows) if source.title else none
    text = source.text.render(rows) if source.text else titled
    notes.fallbacks[TITLE_FROM_ID] = titled.null_count
    notes.fallbacks[TEXT_FROM_TITLE] = text.null_count
    text = pc.coalesce(text, titled)
    notes.fallbacks[TEXT_FROM_TITLE] -= text.null_count
    notes.fallbacks[NO_TEXT] = text.null_count
    table = pa.table(
        {
            columns.ITEM_ID: ids,
            columns.TITLE: pc.coalesce(titled, ids),
            columns.TEXT: text,
            columns.CATEGORY: source.category.render(rows) if source.category else none,
            columns.BRAND: source.brand.render(rows) if source.brand else none,
            columns.PRICE_MICROS: _prices(rows, source, notes),
            columns.AVAILABLE: pa.array(~any_holds(source.unavailable, rows)),
            columns.ATTRIBUTES: attributes,
            columns.VECTORS: _vectors(vectors, len(rows), notes),
            columns.PRODUCT_ID: _product_ids(rows, source, notes),
            columns.CATEGORY_PATH: category_paths(rows, source.category_path)
            if source.category_path
            else none,
            columns.FIRST_AT: _first_instants(rows, source, notes),
        }
    )
    return table, rejections, notes


def canonical_users(raw: pa.Table, source: UserSource) -> tuple[pa.Table, RowRejections, CellNotes]:
    """Users of `raw` (without `at`); otherwise as `canonical_items`."""
    rejections, notes = RowRejections(len(raw)), CellNotes()
    cells = as_ids(raw[source.id])
    notes.add_ids(source.id, cells)
    reject_ids(cells, rejections, source.id, "missing_user", "names no user")
    rows = merge_rows(raw, cells.texts, source.id, source.rows, rejections)
    attributes, _ = attribute_objects(rows, source.attributes, notes)
    ids = cells.texts.filter(pa.array(rejections.kept))
    return pa.table({columns.USER_ID: ids, columns.ATTRIBUTES: attributes}), rejections, notes


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
            columns.PRODUCT_ID: none,
            columns.CATEGORY_PATH: none,
            columns.FIRST_AT: pa.nulls(len(names), INSTANT),
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


def _path_columns(source: ItemSource) -> list[str]:
    path = source.category_path
    if path is None:
        return []
    templates = path.columns if path.column is None else (path.column,)
    return [name for template in templates for name in template.columns]


def _product_ids(rows: pa.Table, source: ItemSource, notes: CellNotes) -> Column:
    """Ids of products, null where there is none or one that cannot be an id."""
    if source.product_id is None:
        return pa.nulls(len(rows), pa.string())
    cells = as_ids(rows[source.product_id])
    notes.add_ids(source.product_id, cells)
    notes.add_blanked(columns.PRODUCT_ID, cells.texts, cells.bad)
    return pc.if_else(pa.array(cells.bad), pa.scalar(None, pa.string()), cells.texts)


def _first_instants(rows: pa.Table, source: ItemSource, notes: CellNotes) -> Column:
    """When the items entered the shop, null where that is not told or cannot be read."""
    time = source.first_at
    if time is None or time.column is None:
        return pa.nulls(len(rows), INSTANT)
    read = as_instant(rows[time.column], time.unit, time.format, time.zone)
    beyond = ~read.missing & ((read.values < FIRST_MICROS) | (read.values > LAST_MICROS))
    notes.add_blanked(columns.FIRST_AT, rows[time.column], read.bad | beyond)
    return pa.array(np.where(read.ok, read.values, 0), mask=~read.ok | beyond).cast(INSTANT)


def _rule_columns(source: ItemSource) -> list[str]:
    return [condition.column for rule in source.reject for condition in rule.when]


def _reject_items(raw: pa.Table, ids: Column, source: ItemSource, rejections: RowRejections) -> None:
    """Applies the mapping's rules; where rows are merged, a blank cell is judged by the item's others."""
    names = list(dict.fromkeys(_rule_columns(source)))
    if not names:
        return
    table = raw.select(names)
    if source.rows == "merge":
        table = with_filled_blanks(table, ids, rejections.kept)
    apply_reject_rules(source.reject, table, rejections)


def _vectors(cells: dict[str, Column], rows: int, notes: CellNotes) -> Column:
    """Ready vectors by name, one map a row, null where a row has none."""
    found = {}
    for name, column in cells.items():
        found[name], blanked = as_vectors(column)
        notes.add_blanked_vectors(name, blanked)
    return vector_map(found, rows)


def _prices(rows: pa.Table, source: ItemSource, notes: CellNotes) -> Column:
    price = source.price
    if price is None or price.column is None:
        return pa.nulls(len(rows), pa.int64())
    money = as_micros(rows[price.column], price.scale, price.strip, price.decimal)
    negative = money.values < 0
    notes.add_numbers(price.column, money, rows[price.column])
    notes.add_blanked(columns.PRICE_MICROS, rows[price.column], money.bad | negative)
    return pa.array(money.values, mask=~money.ok | negative)
