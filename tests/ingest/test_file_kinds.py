"""Files as shops have them, imported: catalogs and events of several parts, empty days, row numbers."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError, SchemaMismatchError
from tests.ingest.shop_folder import HEAD, Imported, imported

EVENTS = """
[[events]]
files = "events*"
user = "user"
item = "item"
kind = "purchase"
time = "at"
"""
CATALOG = """
[items]
files = "items*"
id = "sku"
title = "name"
price = "price"
[items.attributes]
tags = { column = "tags", type = "list" }
[items.vectors]
image = "v"
[users]
files = "users*"
id = "user"
[users.attributes]
age = { column = "age", type = "number" }
"""
DAY = "user,item,at\n1,7,2026-01-05T10:00:00\n"


def shop(folder: Path, mapping: str = HEAD + EVENTS, **files: str | pa.Table) -> Imported:
    """Imports files that are given by name, `_` for the dot."""
    for name, content in files.items():
        path = folder / ".".join(name.rsplit("_", 1))
        if isinstance(content, str):
            path.write_text(content)
        else:
            pq.write_table(content, path)
    return imported(folder, mapping)


def items(**columns: Any) -> pa.Table:
    return pa.table({"tags": pa.nulls(1), "price": pa.nulls(1), "v": pa.nulls(1), "name": ["Tea"], **columns})


def test_parts_of_a_catalog_with_other_types_are_one_catalog(tmp_path: Path) -> None:
    found = shop(
        tmp_path,
        HEAD + EVENTS + CATALOG,
        events_csv=DAY,
        items1_parquet=items(sku=[7], price=[5], tags=[["x", "y"]], v=[[1.0, 2.0]]),
        items2_parquet=items(
            sku=["8"],
            price=pa.array([5.5]),
            tags=pa.array([["z", "w"]], pa.list_(pa.string(), 2)),
            v=pa.array([[3.0, 4.0]], pa.list_(pa.float32(), 2)),
        ),
        items3_parquet=items(sku=pa.array(["9"]).dictionary_encode(), price=pa.array([Decimal("2.50")])),
        items4_csv='sku,name,price,tags,v\n010,Jam,3,,"[0.5, 0.5]"\n',
        users1_parquet=pa.table({"user": [1], "age": [40]}),
        users2_parquet=pa.table({"user": ["2"], "age": ["41"]}),
    )
    assert {key: row["price_micros"] for key, row in found.items.items()} == {
        "7": 5_000_000,
        "8": 5_500_000,
        "9": 2_500_000,
        "010": 3_000_000,
    }
    assert found.items["8"]["attributes"] == '{"tags":["z","w"]}'
    assert {key: dict(row["vectors"] or []).get("image") for key, row in found.items.items()} == {
        "7": [1.0, 2.0],
        "8": [3.0, 4.0],
        "9": None,
        "010": [0.5, 0.5],
    }
    ages = {row["user_id"]: row["attributes"] for row in found.shop.users.to_pylist()}
    assert ages == {"1": '{"age":40}', "2": '{"age":41}'}


def test_events_of_parts_with_other_types_name_the_same_users(tmp_path: Path) -> None:
    at = pa.array([1767607200000000], pa.timestamp("us"))  # 2026-01-05 10:00
    found = shop(
        tmp_path,
        events1_csv="user,item,at\n1,7,2026-01-05T10:00:01\n",
        events2_parquet=pa.table({"user": [1], "item": [7.0], "at": at}),
        events3_parquet=pa.table({"user": ["1"], "item": pa.array([b"7"], pa.binary()), "at": at}),
        events4_jsonl='{"user": 1, "item": 7.0, "at": "2026-01-05T10:00:03"}\n',
    )
    assert {(row["user_id"], row["item_id"]) for row in found.events} == {("1", "7")}


def test_an_empty_day_among_others_is_said(tmp_path: Path) -> None:
    found = shop(tmp_path, events1_csv=DAY, events2_csv="", events3_csv="\n")
    assert found.report["events"]["files"] == {"events1.csv": 1, "events2.csv": 0, "events3.csv": 0}
    assert [warning["message"].split(".csv")[0] for warning in found.report["warnings"]][:2] == [
        "events2",
        "events3",
    ]


def test_the_quarantine_has_an_editors_row_numbers(tmp_path: Path) -> None:
    text = 'user,item,at,"note\n(long)"\n1,7,2026-01-05T10:00:00,"a\n\nb"\n\n1,7,soon,c\n1,7,x,"open\n'
    found = shop(tmp_path, events_csv=text)
    assert found.reasons() == [("events.csv", 7, "bad_time"), ("events.csv", 8, "malformed_row")]


def test_a_field_that_no_event_has_fails_the_import(tmp_path: Path) -> None:
    with pytest.raises(
        SchemaMismatchError, match=r"none of 1 objects has a field 'qty'. Did you mean 'qtty'"
    ):
        shop(
            tmp_path,
            HEAD + EVENTS + 'quantity = "qty"\n',
            events_jsonl='{"user": 1, "item": 7, "at": "2026-01-05T10:00:00", "qtty": 1}\n',
        )


def test_a_catalog_that_swallows_rows_fails_the_import(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"items.csv, row 2: a quote opens here"):
        shop(
            tmp_path,
            HEAD + EVENTS + '[items]\nfiles = "items.csv"\nid = "sku"\ntitle = "name"\n',
            events_csv=DAY,
            items_csv='sku,name\nA7,"27 inch\nA8,Mug\nA9,the end"\nA10,Cup\n',
        )
