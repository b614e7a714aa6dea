"""The contract of the canonical tables, checked by pandera on whole columns without copying them.

The cleaning has rejected what a shop got wrong; what fails here is a fault of this package or of a caller
who wrote canonical tables by hand.
"""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors
import pandera.pandas as pandera
import pyarrow as pa

from recsys import columns
from recsys.amounts import MOST_MICROS, MOST_THOUSANDTHS
from recsys.dataset.schemas import EVENT_SCHEMA, ITEM_SCHEMA, USER_SCHEMA, conform_table
from recsys.errors import SchemaMismatchError


def validate_events(events: pa.Table) -> pa.Table:
    """`events` in `EVENT_SCHEMA`, checked.

    Raises:
        SchemaMismatchError: the message names the column, the check and a failing value.
    """
    return _validate(events, EVENT_SCHEMA, "events")


def validate_items(items: pa.Table) -> pa.Table:
    """`items` in `ITEM_SCHEMA`, checked. Raises as `validate_events`."""
    return _validate(items, ITEM_SCHEMA, "items")


def validate_users(users: pa.Table) -> pa.Table:
    """`users` in `USER_SCHEMA`, checked. Raises as `validate_events`."""
    return _validate(users, USER_SCHEMA, "users")


def _validate(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    table = conform_table(table, schema, name)
    try:
        _contract(name).validate(table.to_pandas(types_mapper=pd.ArrowDtype))
    except pandera.errors.SchemaError as error:
        raise SchemaMismatchError(f"{name}: {_first_line(error)}. Mend the rows and try again.") from error
    return table


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


def _not_empty(texts: "pd.Series[Any]") -> bool:
    return not (texts == "").any()


def _distinct(texts: "pd.Series[Any]") -> bool:
    return texts.nunique() == len(texts)


def _finite(numbers: "pd.Series[Any]") -> bool:
    return bool(np.isfinite(numbers.to_numpy(np.float32)).all())


def _checks() -> dict[tuple[str, str], list[Any]]:
    text = pandera.Check(_not_empty, error="is an empty text")
    key = [text, pandera.Check(_distinct, error="comes twice")]
    return {
        ("events", columns.EVENT_ID): [text],
        ("events", columns.KIND): [pandera.Check.isin(columns.KINDS)],
        ("events", columns.USER_ID): [text],
        ("events", columns.ITEM_ID): [text],
        ("events", columns.POSITION): [pandera.Check.ge(1)],
        ("events", columns.QUANTITY): [pandera.Check.in_range(1, MOST_THOUSANDTHS)],
        ("events", columns.VALUE_MICROS): [pandera.Check.in_range(0, MOST_MICROS)],
        ("events", columns.WEIGHT): [
            pandera.Check.ge(0),
            pandera.Check(_finite, error="is not a finite number"),
        ],
        ("items", columns.ITEM_ID): key,
        ("items", columns.TITLE): [text],
        ("items", columns.PRICE_MICROS): [pandera.Check.in_range(0, MOST_MICROS)],
        ("users", columns.USER_ID): key,
    }


@cache
def _contract(name: str) -> Any:
    schema = {"events": EVENT_SCHEMA, "items": ITEM_SCHEMA, "users": USER_SCHEMA}[name]
    checks = _checks()
    return pandera.DataFrameSchema(
        {
            field.name: pandera.Column(
                pd.ArrowDtype(field.type), checks=checks.get((name, field.name)), nullable=field.nullable
            )
            for field in schema
        },
        strict=True,
        ordered=True,
    )
