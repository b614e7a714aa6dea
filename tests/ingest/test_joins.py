"""Files joined by a key: lines with the columns of their orders, products with those of their categories."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import ConfigError, DataError, SchemaMismatchError
from recsys.ingest.mapping.row_sources import Join
from recsys.ingest.readers.joins import read_joined
from tests.ingest.shop_folder import HEAD, imported

LINES = "line,order_id,sku,price\n1,o1,tea,2.50\n2,o1,mug,9.00\n3,o2,tea,2.50\n4,o9,tea,2.50\n5,,tea,2.50\n"
ORDERS = "order_id,customer_id,created\no1,7,2026-03-01\no2,8,2026-03-01\no2,8,2026-03-02\n,9,2026-03-02\n"
MAPPING = (
    HEAD
    + """
[[events]]
files = "lines.csv"
user = "orders.customer_id"
item = "sku"
session = "order_id"
kind = "purchase"
time = "orders.created"
value = "price"

[events.join.orders]
files = "orders.csv"
on = "order_id"
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lines.csv").write_text(LINES)
    (tmp_path / "orders.csv").write_text(ORDERS)
    return tmp_path


def test_a_line_has_the_user_and_the_instant_of_its_order(folder: Path) -> None:
    found = imported(folder, MAPPING)
    told = [(user, item, f"{at:%d}") for user, item, at in found.told("user_id", "item_id", "at")]
    assert told == [("7", "tea", "01"), ("7", "mug", "01"), ("8", "tea", "02")]  # of o2 the last row counts


def test_lines_without_an_order_and_rows_of_orders_are_accounted_for(folder: Path) -> None:
    found = imported(folder, MAPPING)
    assert found.reasons() == [
        ("lines.csv", 5, "unknown_key"),
        ("lines.csv", 6, "missing_key"),
        ("orders.csv", 3, "duplicate"),
        ("orders.csv", 5, "missing_key"),
    ]
    unknown = next(row for row in found.rejected if row["reason"] == "unknown_key")
    assert unknown["detail"] == "order_id = 'o9' is in no row of orders.csv"
    lines, orders = found.report["events"], found.report["joined"]
    assert (lines["rows"], lines["kept"], lines["quarantined"]) == (5, 3, 2)
    assert (orders["rows"], orders["kept"], orders["duplicates"], orders["quarantined"]) == (4, 2, 1, 1)


def test_a_key_has_another_name_and_another_type_in_the_joined_file(folder: Path) -> None:
    lines = pa.table({"order": [1, 1, 2], "sku": ["tea", "mug", "tea"], "price": [1.0, 2.0, 3.0]})
    pq.write_table(lines, folder / "lines.parquet")
    (folder / "orders.csv").write_text("id,customer_id,created\n1,7,2026-03-01\n2,8,2026-03-02\n")
    mapping = MAPPING.replace("lines.csv", "lines.parquet").replace('session = "order_id"', "")
    mapping = mapping.replace('on = "order_id"', 'on = "order"\nid = "id"')
    assert imported(folder, mapping).told("user_id", "item_id") == [("7", "tea"), ("7", "mug"), ("8", "tea")]


def test_a_left_join_keeps_rows_without_a_match_and_joins_follow_each_other(folder: Path) -> None:
    (folder / "products.csv").write_text("sku,name,cat\ntea,Tea,c1\nmug,Mug,c9\n")
    (folder / "cats.csv").write_text("id,label,parent\nc1,Green tea,p1\n")
    (folder / "parents.csv").write_text("id,label\np1,Tea and coffee\n")
    catalog = """
[items]
files = "products.csv"
id = "sku"
title = "name"
category = "{parent.label}: {cat.label}"

[items.join.cat]
files = "cats.csv"
on = "cat"
id = "id"
how = "left"

[items.join.parent]
files = "parents.csv"
on = "cat.parent"
id = "id"
how = "left"
"""
    items = imported(folder, MAPPING + catalog).items
    assert items["tea"]["category"] == "Tea and coffee: Green tea"
    assert items["mug"]["category"] is None


def test_reject_rules_see_joined_columns(folder: Path) -> None:
    (folder / "orders.csv").write_text(
        "order_id,customer_id,created,state\no1,7,2026-03-01,void\no2,8,2026-03-02,ok\n"
    )
    rule = '\n[[events.reject]]\nreason = "voided"\nwhen = [{ column = "orders.state", in = ["void"] }]\n'
    found = imported(folder, MAPPING + rule)
    assert found.report["events"]["reasons"] == {"voided": 2, "unknown_key": 1, "missing_key": 1}


def test_a_column_that_the_joined_file_lacks_is_named(folder: Path) -> None:
    with pytest.raises(SchemaMismatchError, match=r"orders\.csv has no column 'customer'.*'customer_id'"):
        imported(folder, MAPPING.replace("orders.customer_id", "orders.customer"))


def test_a_joined_file_beyond_its_memory_is_refused_with_the_remedy(tmp_path: Path) -> None:
    names = pa.array([f"{number:0100d}" for number in range(20_000)])  # 2 MB
    pq.write_table(pa.table({"id": names}), tmp_path / "orders.parquet")
    join = Join(files=("orders.parquet",), on="order", id="id", most_mib=1)
    with pytest.raises(DataError, match=r"more than 1 MiB.*most_mib"):
        read_joined("orders", join, tmp_path, ["id"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('files = "orders.csv"\n', ""), "needs `files`"),
        (("[events.join.orders]", "[events.join.'a b']"), "join"),
        (('how = "left"', 'how = "outer"'), "inner"),
    ],
)
def test_a_wrong_join_is_said(folder: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        imported(folder, (MAPPING + 'how = "left"\n').replace(*change))


def test_keys_are_found_among_many(tmp_path: Path) -> None:
    rows = 5000
    orders = [f"o{number},u{number % 7},2026-03-01" for number in range(rows)]
    (tmp_path / "orders.csv").write_text("order_id,customer_id,created\n" + "\n".join(orders) + "\n")
    lines = [f"{number},o{(number * 37) % rows},i{number % 5},1" for number in range(rows)]
    (tmp_path / "lines.csv").write_text("line,order_id,sku,price\n" + "\n".join(lines) + "\n")
    found = imported(tmp_path, MAPPING)
    told = {session: user for session, user in found.told("session_id", "user_id")}
    assert len(told) == rows
    assert all(told[f"o{number}"] == f"u{number % 7}" for number in range(rows))


def test_rows_of_a_joined_file_that_only_repeat_others_are_counted(folder: Path) -> None:
    (folder / "orders.csv").write_text(
        "order_id,customer_id,created\no1,7,2026-03-01\no1,7,2026-03-01\no2,8,2026-03-02\n"
    )
    found = imported(folder, MAPPING)
    orders = found.report["joined"]
    assert (orders["rows"], orders["kept"], orders["duplicates"]) == (3, 2, 1)
    assert [row for row in found.rejected if row["table"] == "joined"] == []


def test_a_joined_file_without_rows_matches_nothing(folder: Path) -> None:
    (folder / "orders.csv").write_text("order_id,customer_id,created\n")
    with pytest.raises(DataError, match=r"unknown_key 4.*order_id = 'o1' is in no row of orders\.csv"):
        imported(folder, MAPPING)


def test_users_are_joined_too(folder: Path) -> None:
    (folder / "people.csv").write_text("id,town\n7,t1\n8,t2\n")
    (folder / "towns.csv").write_text("code,name\nt1,Ulm\n")
    users = """
[users]
files = "people.csv"
id = "id"
[users.join.place]
files = "towns.csv"
on = "town"
id = "code"
how = "left"
[users.attributes]
town = "place.name"
"""
    found = imported(folder, MAPPING + users).shop.users.to_pylist()
    assert [(row["user_id"], row["attributes"]) for row in found] == [("7", '{"town":"Ulm"}'), ("8", "{}")]
