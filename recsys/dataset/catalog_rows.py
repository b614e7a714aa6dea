"""Items and users of the domain as canonical rows, and back."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.catalog import AttributeValue, Item, User
from recsys.dataset.schemas import ITEM_SCHEMA, USER_SCHEMA


def items_table(items: Iterable[Item]) -> pa.Table:
    """One row an item, as `ITEM_SCHEMA` has it."""
    rows = [
        {
            columns.ITEM_ID: item.item_id,
            columns.TITLE: item.title,
            columns.TEXT: item.text,
            columns.CATEGORY: item.category,
            columns.BRAND: item.brand,
            columns.PRICE_MICROS: item.price_micros,
            columns.AVAILABLE: item.available,
            columns.ATTRIBUTES: attributes_json(item.attributes),
            columns.VECTORS: list(item.vectors.items()),
            columns.PRODUCT_ID: item.product_id,
            columns.CATEGORY_PATH: item.category_path,
            columns.FIRST_AT: item.first_at,
            columns.AT: item.at,
        }
        for item in items
    ]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def items_of(table: pa.Table) -> list[Item]:
    """The items of rows of `ITEM_SCHEMA`, in their order; other columns are passed over."""
    names = ITEM_SCHEMA.names
    return [
        Item(
            **(
                row
                | {
                    columns.ATTRIBUTES: attributes_of(row[columns.ATTRIBUTES]),
                    columns.VECTORS: {name: tuple(vector) for name, vector in row[columns.VECTORS] or ()},
                }
            )
        )
        for row in table.select(names).to_pylist()
    ]


def without_ids_as_text(table: pa.Table) -> pa.Table:
    """Stored rows of items, where a text that is nothing but the id becomes null.

    Before a text could be null, an item without one got its id for title and text. Rows that were written
    since say themselves whether there is a text, an id that the shop's own title repeats included.
    """
    if columns.TEXT not in table.column_names or table.schema.field(columns.TEXT).nullable:
        return table
    item_id, title, text = (table[name] for name in (columns.ITEM_ID, columns.TITLE, columns.TEXT))
    only_id = pc.and_(pc.equal(title, item_id), pc.equal(text, item_id))
    texts = pc.if_else(only_id, pa.scalar(None, text.type), text)
    place = table.column_names.index(columns.TEXT)
    return table.set_column(place, columns.TEXT, texts)


def users_table(users: Iterable[User]) -> pa.Table:
    """One row a user, as `USER_SCHEMA` has it."""
    rows = [
        {
            columns.USER_ID: user.user_id,
            columns.ATTRIBUTES: attributes_json(user.attributes),
            columns.AT: user.at,
        }
        for user in users
    ]
    return pa.Table.from_pylist(rows, schema=USER_SCHEMA)


def users_of(table: pa.Table) -> list[User]:
    """The users of rows of `USER_SCHEMA`, in their order; other columns are passed over."""
    return [
        User(row[columns.USER_ID], attributes_of(row[columns.ATTRIBUTES]), row[columns.AT])
        for row in table.select(USER_SCHEMA.names).to_pylist()
    ]


def attributes_json(attributes: Mapping[str, AttributeValue]) -> str:
    """`attributes` as the import writes them.

    >>> attributes_json({"size": 500.0, "tags": ("red", "green")})
    '{"size":500,"tags":["red","green"]}'
    """
    return json.dumps(
        {name: _plain(value) for name, value in attributes.items()}, ensure_ascii=False, separators=(",", ":")
    )


def attributes_of(document: str) -> dict[str, AttributeValue]:
    """What `attributes_json` wrote: numbers as floats, lists as tuples.

    >>> attributes_of('{"size":500,"tags":["red","green"]}')
    {'size': 500.0, 'tags': ('red', 'green')}
    """
    return {name: _domain(value) for name, value in json.loads(document or "{}").items()}


def _plain(value: AttributeValue) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def _domain(value: Any) -> AttributeValue:
    if isinstance(value, list):
        return tuple(str(each) for each in value)
    return value if isinstance(value, str) else float(value)
