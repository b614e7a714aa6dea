"""A mapping is tried on the first rows: raw cells beside what they mean; nothing is written."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError, SchemaMismatchError
from recsys.home import HomePaths
from recsys.jobs.data.check import ImportCheck, check_files

NOW = datetime(2026, 3, 4, tzinfo=UTC)
MAPPING = """
name = "tea"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "orders.csv"
user = "customer"
item = "sku"
kind = "purchase"
time = "at"
value = { column = "price", per = "unit" }
quantity = "qty"
[items]
files = "products.csv"
id = "sku"
title = "name"
"""
ORDERS = """customer,sku,at,price,qty
ann,tea,2026-03-01 10:00:00,2.50,2
,tea,2026-03-01 11:00:00,2.50,1
bob,tea,2026-03-01 12:00:00,2.50,1.5
cat,mug,2026-03-01 13:00:00,9.00,1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.toml").write_text(MAPPING)
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "products.csv").write_text("sku,name\ntea,Tea\n,Nothing\nmug,Mug\n")
    return tmp_path


def checked(folder: Path, rows: int) -> ImportCheck:
    return check_files(HomePaths(folder / "home"), str(folder / "m.toml"), folder, rows, NOW)


def test_cells_stand_beside_what_they_mean(folder: Path) -> None:
    events = checked(folder, 3).sample.events
    assert [(event.file, event.row) for event in events] == [("orders.csv", 2), ("orders.csv", 4)]
    assert events[1].raw == {
        "customer": "bob",
        "sku": "tea",
        "at": "2026-03-01 12:00:00",
        "price": "2.50",
        "qty": "1.5",
    }
    understood = events[1].understood
    assert (understood["user_id"], understood["item_id"]) == ("bob", "tea")
    assert understood["value_micros"] == 3_750_000  # 1.5 x 2.50
    assert "session_id" not in understood  # what the shop lacks is left out


def test_columns_that_the_mapping_does_not_read_are_shown(folder: Path) -> None:
    (folder / "orders.csv").write_text(ORDERS.replace("qty\n", "qty,coupon\n").replace("1\n", "1,\n"))
    sample = checked(folder, 1).sample
    assert sample.columns["events"] == ["customer", "sku", "at", "price", "qty"]
    assert sample.unused == {"events": ["coupon"], "items": []}
    assert dict(checked(folder, 1).tables())["Columns"][1]["not read"] == "coupon"


@pytest.mark.parametrize("name", ["o.jsonl", "o.json", "o.parquet"])
def test_columns_of_every_format_are_known(folder: Path, name: str) -> None:
    order = {"u": {"id": "a", "mail": "x"}, "at": "2026-03-01", "lines": [{"sku": "tea"}], "note": "n"}
    if name == "o.parquet":
        pq.write_table(pa.Table.from_pylist([order]), folder / name)
    else:
        (folder / name).write_text(json.dumps([order] if name == "o.json" else order) + "\n")
    table = """
[[events]]
files = "NAME"
lines = "lines"
user = "u.id"
item = "lines.sku"
kind = "view"
time = "at"
"""
    (folder / "m.toml").write_text(MAPPING.split("[[events]]")[0] + table.replace("NAME", name))
    sample = checked(folder, 1).sample
    assert sample.problem is None
    assert sample.unused["events"] == (["note"] if name == "o.parquet" else ["u.mail", "note"])


def test_rejected_rows_are_shown_with_their_reason(folder: Path) -> None:
    rejected = checked(folder, 3).sample.rejected
    assert [(row.table, row.file, row.row, row.reason) for row in rejected] == [
        ("items", "products.csv", 3, "missing_item"),
        ("events", "orders.csv", 3, "missing_user"),
    ]


def test_only_the_first_rows_of_events_are_read(folder: Path) -> None:
    found = checked(folder, 1)
    assert [event.row for event in found.sample.events] == [2]
    assert found.problem is None


def test_the_catalog_is_compared_as_a_whole_and_shown_in_part(folder: Path) -> None:
    sample = checked(folder, 1).sample
    assert [item.understood["title"] for item in sample.items] == ["Tea"]
    assert sample.warnings == []


def test_nothing_is_written(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    checked(folder, 10)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_rows_that_are_no_events_are_a_problem_with_its_remedy(folder: Path) -> None:
    (folder / "orders.csv").write_text("customer,sku,at,price,qty\nann,tea,soon,1,1\n")
    found = checked(folder, 5)
    assert found.problem is not None
    assert "orders.csv, row 2: at = 'soon' is not an instant" in found.problem
    assert [row.reason for row in found.sample.rejected if row.table == "events"] == ["bad_time"]
    assert found.to_json()["problem"] == found.problem


def test_files_that_do_not_fit_are_an_error(folder: Path) -> None:
    (folder / "orders.csv").write_text("customer,sku\n")
    with pytest.raises(SchemaMismatchError, match="no column 'at'"):
        checked(folder, 5)
    (folder / "orders.csv").unlink()
    with pytest.raises(DataError, match="has no file"):
        checked(folder, 5)


def test_old_data_are_no_problem_of_the_first_rows(folder: Path) -> None:
    (folder / "orders.csv").write_text("customer,sku,at,price,qty\nann,tea,2019-01-01,1,1\n")
    assert checked(folder, 5).sample.warnings == []


def test_people_read_money_and_counts_in_plain_units(folder: Path) -> None:
    (folder / "orders.csv").write_text(ORDERS + "dan,mug,2026-03-01 14:00:00,0.01,1234567.8\n")
    tables = dict(checked(folder, 9).tables())
    told = [row["understood as"] for row in tables["Events"]]
    assert "quantity=1.5, value=3.75" in told[1]
    assert "quantity=1234567.8, value=12345.68" in told[3]  # 1,234,567.8 x 0.01 = 12,345.678
    assert tables["Rejected"][0]["row"] == "products.csv:3"
    assert json.dumps(checked(folder, 9).to_json(), default=str)


def test_what_only_all_events_can_tell_is_left_out(folder: Path) -> None:
    mapping = MAPPING + 'without_events = "quarantine"\n[time]\nshift = "weeks-to-now"\n'
    (folder / "m.toml").write_text(mapping)
    (folder / "orders.csv").write_text("customer,sku,at,price,qty\nann,tea,2019-01-01,1,1\n")
    sample = checked(folder, 5).sample
    assert sample.events[0].understood["at"].year == 2019
    assert [item.understood["item_id"] for item in sample.items] == ["tea", "mug"]
