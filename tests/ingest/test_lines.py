"""Lists inside rows: each element becomes an event or an item beside the columns of its row."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError, SchemaMismatchError
from tests.ingest.shop_folder import HEAD, imported, json_lines

ORDERS: list[dict[str, Any]] = [
    {
        "id": "o1",
        "customer": {"id": 7},
        "at": "2026-03-01T10:00:00Z",
        "lines": [{"sku": "tea", "price": 2.5, "count": 2}, {"sku": "mug", "price": 9.0, "count": 1}],
    },
    {"id": "o2", "customer": {"id": 8}, "at": "2026-03-02T10:00:00Z", "lines": []},
    {
        "id": "o3",
        "customer": {"id": 8},
        "at": "2026-03-03T10:00:00Z",
        "lines": [{"sku": "tea", "price": 2.75}],
    },
    {"id": "o4", "customer": {"id": 9}, "at": "2026-03-03T11:00:00Z"},
]
MAPPING = (
    HEAD
    + """
[[events]]
files = "orders.jsonl"
lines = "lines"
user = "customer.id"
item = "lines.sku"
session = "id"
kind = "purchase"
time = "at"
value = { column = "lines.price", per = "unit" }
quantity = "lines.count"
"""
)
TOLD = ("user_id", "item_id", "session_id", "value_micros")


def test_each_line_of_an_order_is_an_event_of_its_user(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", *ORDERS)
    found = imported(tmp_path, MAPPING)
    assert found.told(*TOLD) == [
        ("7", "tea", "o1", 5_000_000),  # 2 x 2.50
        ("7", "mug", "o1", 9_000_000),
        ("8", "tea", "o3", 2_750_000),
    ]


def test_an_order_without_lines_is_counted_with_a_reason_and_its_row(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", *ORDERS)
    found = imported(tmp_path, MAPPING)
    assert found.reasons() == [("orders.jsonl", 2, "missing_item"), ("orders.jsonl", 4, "missing_item")]
    counts = found.report["events"]
    assert (counts["rows"], counts["kept"], counts["quarantined"]) == (5, 3, 2)  # 2 + 1 + 1 + 1 rows


def test_parquet_says_the_same_as_json_lines(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ORDERS), tmp_path / "orders.parquet")
    found = imported(tmp_path, MAPPING.replace("orders.jsonl", "orders.parquet"))
    assert found.told(*TOLD) == [
        ("7", "tea", "o1", 5_000_000),
        ("7", "mug", "o1", 9_000_000),
        ("8", "tea", "o3", 2_750_000),
    ]
    assert [row for _, row, _ in found.reasons()] == [2, 4]


def test_repeated_fields_as_bigquery_writes_them_are_lists(tmp_path: Path) -> None:
    element = pa.struct([("sku", pa.string())])
    kind = pa.struct([("list", pa.list_(pa.struct([("element", element)])))])
    lines = pa.array([{"list": [{"element": {"sku": "tea"}}, {"element": {"sku": "mug"}}]}, None], kind)
    table = pa.table({"user": ["a", "b"], "at": ["2026-03-01", "2026-03-02"], "lines": lines})
    pq.write_table(table, tmp_path / "orders.parquet")
    mapping = (
        HEAD
        + """
[[events]]
files = "orders.parquet"
lines = "lines"
user = "user"
item = "lines.sku"
kind = "purchase"
time = "at"
"""
    )
    assert imported(tmp_path, mapping).told("user_id", "item_id") == [("a", "tea"), ("a", "mug")]


def test_a_csv_column_of_json_lists_is_taken_apart(tmp_path: Path) -> None:
    rows = [f"{o['customer']['id']},{o['at']},{quoted(o.get('lines'))}" for o in ORDERS]
    (tmp_path / "o.csv").write_text("user,at,lines\n" + "\n".join(rows) + '\n1,2026-03-03,"{broken"\n')
    mapping = (
        MAPPING.replace("orders.jsonl", "o.csv").replace("customer.id", "user").replace('session = "id"', "")
    )
    found = imported(tmp_path, mapping)
    assert [item for (item,) in found.told("item_id")] == ["tea", "mug", "tea"]
    assert ("o.csv", 6, "bad_lines") in found.reasons()
    assert found.report["events"]["reasons"] == {"missing_item": 2, "bad_lines": 1}


def quoted(value: object) -> str:
    return "" if value is None else '"' + json.dumps(value).replace('"', '""') + '"'


def test_a_list_of_ids_is_taken_apart_too(tmp_path: Path) -> None:
    (tmp_path / "baskets.csv").write_text("who,at,items\na,2026-03-01,tea|mug\nb,2026-03-02,tea\n")
    mapping = (
        HEAD
        + """
[[events]]
files = "baskets.csv"
lists = { items = "|" }
lines = "items"
user = "who"
item = "items"
kind = "purchase"
time = "at"
"""
    )
    assert imported(tmp_path, mapping).told("user_id", "item_id") == [
        ("a", "tea"),
        ("a", "mug"),
        ("b", "tea"),
    ]
    json_lines(
        tmp_path / "baskets.jsonl",
        {"who": "a", "at": "2026-03-01", "items": ["tea", "mug"]},
        {"who": "b", "at": "2026-03-02", "items": ["tea"]},
    )
    mapping = mapping.replace("baskets.csv", "baskets.jsonl").replace('lists = { items = "|" }', "")
    assert imported(tmp_path, mapping).told("user_id", "item_id") == [
        ("a", "tea"),
        ("a", "mug"),
        ("b", "tea"),
    ]


def test_the_variants_of_a_product_are_items(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", *ORDERS)
    json_lines(
        tmp_path / "products.jsonl",
        {"name": "Tea", "variants": [{"sku": "tea", "size": "100 g"}, {"sku": "tea-l", "size": "1 kg"}]},
        {"name": "Mug", "variants": [{"sku": "mug"}]},
    )
    catalog = """
[items]
files = "products.jsonl"
lines = "variants"
id = "variants.sku"
title = "{name} {variants.size}"
"""
    items = imported(tmp_path, MAPPING + catalog).items
    assert {name: row["title"] for name, row in items.items()} == {
        "tea": "Tea 100 g",
        "tea-l": "Tea 1 kg",
        "mug": "Mug",
    }


def test_a_field_that_no_line_has_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", *ORDERS)
    with pytest.raises(SchemaMismatchError, match=r"no field 'lines\.skuu'.*mean 'lines\.sku'"):
        imported(tmp_path, MAPPING.replace("lines.sku", "lines.skuu"))
    pq.write_table(pa.Table.from_pylist(ORDERS), tmp_path / "orders.parquet")
    with pytest.raises(SchemaMismatchError, match=r"no field 'lines\.skuu'.*mean 'lines\.sku'"):
        imported(tmp_path, MAPPING.replace("lines.sku", "lines.skuu").replace("jsonl", "parquet"))


def test_an_optional_field_may_be_in_no_line(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", ORDERS[2])
    with pytest.raises(SchemaMismatchError, match=r"lines\.count"):
        imported(tmp_path, MAPPING)
    found = imported(
        tmp_path, MAPPING.replace('lines = "lines"', 'lines = "lines"\noptional = "lines.count"')
    )
    assert found.told("item_id", "quantity_thousandths") == [("tea", None)]


def test_a_list_inside_the_lines_is_refused(tmp_path: Path) -> None:
    order = ORDERS[0] | {"lines": [{"sku": "tea", "parts": [{"sku": "leaf"}]}]}
    json_lines(tmp_path / "orders.jsonl", order)
    mapping = MAPPING.replace('"lines.sku"', '"lines.parts.sku"')
    with pytest.raises(DataError, match="only one list can be taken apart"):
        imported(tmp_path, mapping)


def test_a_search_without_items_stays_a_search(tmp_path: Path) -> None:
    json_lines(
        tmp_path / "log.jsonl",
        {"u": "a", "at": "2026-03-01", "what": "search", "term": "tea", "items": []},
        {"u": "a", "at": "2026-03-02", "what": "buy", "items": [{"sku": "tea"}]},
    )
    mapping = (
        HEAD
        + """
[[events]]
files = "log.jsonl"
lines = "items"
user = "u"
item = "items.sku"
query = "term"
kind = { column = "what", values = { search = "search", buy = "purchase" } }
time = "at"
"""
    )
    assert imported(tmp_path, mapping).told("kind", "item_id", "query") == [
        ("search", None, "tea"),
        ("purchase", "tea", None),
    ]


def test_a_null_among_the_lines_loses_only_itself(tmp_path: Path) -> None:
    order = ORDERS[0] | {"lines": [None, *ORDERS[0]["lines"]]}
    json_lines(tmp_path / "orders.jsonl", order)
    found = imported(tmp_path, MAPPING)
    assert [item for (item,) in found.told("item_id")] == ["tea", "mug"]
    assert found.reasons() == [("orders.jsonl", 1, "missing_item")]


def test_a_single_object_stands_for_a_list_of_one(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", ORDERS[0] | {"lines": ORDERS[0]["lines"][0]})
    assert imported(tmp_path, MAPPING).told("item_id") == [("tea",)]


def test_a_part_whose_lists_are_all_empty_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ORDERS[:1]), tmp_path / "orders-1.parquet")
    empty = [{"id": "o2", "customer": {"id": 8}, "at": "2026-03-02T10:00:00Z", "lines": []}]
    pq.write_table(pa.Table.from_pylist(empty), tmp_path / "orders-2.parquet")
    found = imported(tmp_path, MAPPING.replace("orders.jsonl", "orders-*.parquet"))
    assert [item for (item,) in found.told("item_id")] == ["tea", "mug"]
    assert found.reasons() == [("orders-2.parquet", 1, "missing_item")]


def test_orders_of_an_api_in_one_document(tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_text(json.dumps({"orders": ORDERS}, indent=1))
    mapping = MAPPING.replace("orders.jsonl", "orders.json").replace(
        "lines =", 'records = "orders"\nlines =', 1
    )
    found = imported(tmp_path, mapping)
    assert [item for (item,) in found.told("item_id")] == ["tea", "mug", "tea"]
    assert [row for _, row, _ in found.reasons()] == [2, 4]


def test_texts_that_mean_nothing_and_lists_are_read_in_lines_too(tmp_path: Path) -> None:
    json_lines(tmp_path / "orders.jsonl", ORDERS[0])
    products = [{"v": [{"sku": "tea", "tags": "hot|green", "name": "(none)"}, {"sku": "mug", "tags": ""}]}]
    json_lines(tmp_path / "products.jsonl", *products)
    catalog = """
[items]
files = "products.jsonl"
lines = "v"
nulls = ["", "(none)"]
lists = { "v.tags" = "|" }
id = "v.sku"
title = "v.name"
[items.attributes]
tags = { column = "v.tags", type = "list" }
"""
    tea = imported(tmp_path, MAPPING + catalog).items["tea"]
    assert tea["text"] is None
    assert json.loads(tea["attributes"]) == {"tags": ["hot", "green"]}
