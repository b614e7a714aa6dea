"""The canonical tables as Arrow schemas: what an import writes and everything after it reads."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.amounts import earlier_quantities
from recsys.arrays import true_rows
from recsys.errors import SchemaMismatchError

INSTANT = pa.timestamp("us", "UTC")

VECTOR_MAP = pa.map_(pa.string(), pa.list_(pa.float32()))
_TYPES: dict[str, pa.DataType] = {
    columns.VECTORS: VECTOR_MAP,
    columns.AT: INSTANT,
    columns.SEQUENCE: pa.int64(),
    columns.POSITION: pa.int32(),
    columns.QUANTITY: pa.int64(),
    columns.VALUE_MICROS: pa.int64(),
    columns.WEIGHT: pa.float32(),
    columns.PRICE_MICROS: pa.int64(),
    columns.AVAILABLE: pa.bool_(),
    columns.FIRST_AT: INSTANT,
    columns.RESULTS: pa.int64(),
    columns.PAGE: pa.int32(),
    columns.VISIBLE_MS: pa.int32(),
    columns.VIEWABLE: pa.bool_(),
}


def _schema(names: tuple[str, ...], required: frozenset[str]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, _TYPES.get(name, pa.string()), nullable=name not in required) for name in names]
    )


# A search has no item and a view no value: those columns may be null, the required ones never are.
EVENT_SCHEMA = _schema(
    columns.EVENT_COLUMNS,
    frozenset(
        {
            columns.EVENT_ID,
            columns.KIND,
            columns.USER_ID,
            columns.AT,
            columns.SEQUENCE,
            columns.WEIGHT,
        }
    ),
)
ITEM_SCHEMA = _schema(
    columns.ITEM_COLUMNS,
    frozenset(
        {
            columns.ITEM_ID,
            columns.TITLE,
            columns.AVAILABLE,
            columns.ATTRIBUTES,
            columns.AT,
        }
    ),
)
USER_SCHEMA = _schema(columns.USER_COLUMNS, frozenset({columns.USER_ID, columns.ATTRIBUTES, columns.AT}))


def upgrade_events(events: pa.Table) -> pa.Table:
    """`events` with quantities in thousandths; an earlier version had them in pieces, in another column.

    Args:
        events: with the column of kinds where they are of an earlier version.
    """
    if columns.EVENT_QUANTITY not in events.column_names:
        return events
    place = events.column_names.index(columns.EVENT_QUANTITY)
    found = events[columns.EVENT_QUANTITY].combine_chunks()
    cancels = true_rows(pc.equal(events[columns.KIND], columns.CANCEL))
    quantities = earlier_quantities(found.cast(pa.int64()).fill_null(0).to_numpy(), cancels)
    column = pa.array(quantities, mask=quantities == 0)
    return events.set_column(place, columns.QUANTITY, column)


def conform_table(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """`table` with exactly the columns and types of `schema`; columns that may be null may be absent.

    Args:
        name: what to call the table in an error.

    Raises:
        SchemaMismatchError: a column is unknown, lacks, does not cast, or has nulls it must not have.
    """
    unknown = [column for column in table.column_names if column not in schema.names]
    if unknown:
        raise SchemaMismatchError(
            f"{name} have no column {unknown[0]!r}. They take: {', '.join(schema.names)}."
        )
    arrays = []
    for field in schema:
        if field.name not in table.column_names:
            arrays.append(pa.chunked_array([pa.nulls(len(table), field.type)]))
        else:
            arrays.append(_cast(table[field.name], field, name))
        if not field.nullable and arrays[-1].null_count:
            missing = field.name not in table.column_names
            what = "lack" if missing else f"have {arrays[-1].null_count} empty values in"
            raise SchemaMismatchError(f"{name} {what} column {field.name!r}. Fill it and try again.")
    return pa.Table.from_arrays(arrays, schema=schema)


def _cast(array: "pa.ChunkedArray[Any]", field: "pa.Field[Any]", name: str) -> "pa.ChunkedArray[Any]":
    try:
        return array.cast(field.type)
    except pa.ArrowException as error:
        raise SchemaMismatchError(
            f"{name}: column {field.name!r} is {array.type} and cannot become {field.type}: {error}. "
            "Write the type that the canonical table has."
        ) from error
