"""A small shop from its files to canonical tables, every row accounted for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.errors import ConfigError, DataError
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping
from recsys.ingest.spill import MEMORY_ROWS
from tests.ingest.shop_folder import NOW, Rows

MAPPING = """
name = "tea-shop"
currency = "EUR"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "orders.csv"
user = "customer"
item = "sku"
session = "order"
kind = { column = "what", values = { buy = "purchase", look = "view", back = "cancel" } }
time = { column = "at", zone = "UTC" }
value = { column = "price", per = "unit" }
quantity = { column = "qty", most = 50 }
[[events.reject]]
reason = "test_order"
when = [{ column = "customer", in = ["tester"] }]
[items]
files = "products.csv"
id = "sku"
title = "name"
price = { from = "events" }
[users]
files = "customers.csv"
id = "customer"
[users.attributes]
town = "town"
"""
ORDERS = """customer,sku,order,what,at,price,qty
ann,tea,o1,buy,2026-03-01 10:00:00,2.50,2
ann,tea,o1,buy,2026-03-01 10:00:00,2.50,2
bob,jam,o2,buy,2026-03-02 10:00:00,4.10,1
bob,tea,o2,buy,2026-03-02 10:00:00,2.70,1
bob,jam,o3,back,2026-03-03 10:00:00,4.10,1
cat,mug,,look,2026-03-03 11:00:00,,
,tea,o4,buy,2026-03-03 11:00:00,2.50,1
cat,,o4,buy,2026-03-03 11:00:00,2.50,1
cat,tea,o4,sell,2026-03-03 11:00:00,2.50,1
cat,tea,o4,buy,soon,2.50,1
cat,tea,o4,buy,2026-03-03 11:00:00,cheap,1
cat,tea,o4,buy,2026-03-03 11:00:00,2.50,0
tester,tea,o4,buy,2026-03-03 11:00:00,2.50,1
cat,tea,o4,buy,2027-01-01 11:00:00,2.50,1
one cell
cat,oil,o5,buy,2026-03-03 12:00:00,0.01,300
"""
PRODUCTS = "sku,name\ntea,Green tea\nmug,Mug\njam,Jam\ncup,Cup\n"
CUSTOMERS = "customer,town\nann,Ulm\ndan,Bonn\n"


def shop(folder: Path, mapping: str = MAPPING, orders: str = ORDERS) -> ShopFiles:
    files = {"orders.csv": orders, "products.csv": PRODUCTS, "customers.csv": CUSTOMERS}
    for name, text in files.items():
        (folder / name).write_text(text)
    return ShopFiles(parse_mapping(mapping, "shop.toml"), "0" * 64, folder)


def run(
    files: ShopFiles, now: datetime = NOW, memory_rows: int = MEMORY_ROWS
) -> tuple[ImportedShop, list[dict[str, Any]], list[dict[str, Any]]]:
    lake, quarantine = Rows(), Rows()
    scratch = files.folder / "scratch"
    imported = import_shop(files, now, lake, quarantine, scratch, memory_rows=memory_rows)
    return imported, lake.rows(), quarantine.rows()


def test_each_bad_row_has_its_reason_and_its_place(tmp_path: Path) -> None:
    _, _, refused = run(shop(tmp_path))
    assert {row["row"]: row["reason"] for row in refused if row["table"] == "events"} == {
        3: "duplicate",
        4: "cancelled",
        6: "cancellation",
        8: "missing_user",
        9: "missing_item",
        10: "unknown_kind",
        11: "bad_time",
        12: "bad_value",
        13: "bad_quantity",
        14: "test_order",
        15: "future_time",
        16: "malformed_row",
    }
    bad_time = next(row for row in refused if row["row"] == 11)
    assert bad_time["file"] == "orders.csv"
    assert bad_time["detail"] == "at = 'soon' is not an instant (iso)"
    assert json.loads(bad_time["raw"])["customer"] == "cat"


def test_rows_in_are_kept_or_accounted_for(tmp_path: Path) -> None:
    report = run(shop(tmp_path))[0].report["events"]
    assert report["rows"] == 16
    assert (report["kept"], report["duplicates"], report["cancelled"], report["quarantined"]) == (4, 1, 2, 9)
    assert report["files"] == {"orders.csv": 16}


def test_events_are_canonical(tmp_path: Path) -> None:
    _, events, _ = run(shop(tmp_path))
    first = events[0]
    assert (first["user_id"], first["item_id"], first["kind"], first["session_id"]) == (
        "ann",
        "tea",
        "purchase",
        "o1",
    )
    assert first["at"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (first["quantity_thousandths"], first["value_micros"], first["weight"]) == (2000, 5_000_000, 1.0)
    oil = events[-1]
    assert (oil["quantity_thousandths"], oil["value_micros"]) == (
        1000,
        10_000,
    )  # 300 is a measure, not a count
    view = next(row for row in events if row["kind"] == "view")
    assert (view["quantity_thousandths"], view["value_micros"]) == (None, None)
    assert [row["sequence"] for row in events] == sorted(row["sequence"] for row in events)


def test_the_catalog_takes_in_what_only_events_know_and_the_prices_paid(tmp_path: Path) -> None:
    items = run(shop(tmp_path))[0].items
    assert items["item_id"].to_pylist() == ["cup", "jam", "mug", "oil", "tea"]
    assert items["title"].to_pylist() == ["Cup", "Jam", "Mug", "oil", "Green tea"]
    # tea was sold at 2.50 and 2.70: of two the lower is the median; jam was given back
    assert items["price_micros"].to_pylist() == [None, None, None, 10_000, 2_500_000]


def test_what_is_known_is_known_before_the_first_event(tmp_path: Path) -> None:
    imported, events, _ = run(shop(tmp_path))
    start = min(row["at"] for row in events)
    assert set(imported.items["at"].to_pylist()) == {start - timedelta(seconds=1)}
    assert (imported.info.start, imported.info.end) == (start, max(row["at"] for row in events))


def test_users_are_everybody(tmp_path: Path) -> None:
    users = run(shop(tmp_path))[0].users
    assert dict(zip(users["user_id"].to_pylist(), users["attributes"].to_pylist(), strict=True)) == {
        "ann": '{"town":"Ulm"}',
        "bob": "{}",
        "cat": "{}",
        "dan": '{"town":"Bonn"}',
    }


def test_unlisted_and_untouched_items_can_be_refused(tmp_path: Path) -> None:
    rules = 'title = "name"\nunknown = "quarantine"\nwithout_events = "quarantine"'
    imported, events, refused = run(shop(tmp_path, MAPPING.replace('title = "name"', rules)))
    assert imported.items["item_id"].to_pylist() == ["mug", "tea"]
    assert "oil" not in {row["item_id"] for row in events}
    assert imported.report["events"]["reasons"]["unknown_item"] == 1
    assert imported.report["items"]["reasons"] == {"no_events": 2}
    assert {json.loads(row["raw"])["item_id"] for row in refused if row["table"] == "items"} == {"jam", "cup"}


def test_a_historic_year_can_end_this_week(tmp_path: Path) -> None:
    mapping = MAPPING + '\n[time]\nshift = "weeks-to-now"\n'
    later = NOW + timedelta(days=1000)
    imported, events, _ = run(shop(tmp_path, mapping), now=later)
    last = max(row["at"] for row in events)
    # The row of 2027 lies before `later`, so it is the last one.
    assert later - timedelta(weeks=1) < last <= later
    assert (last - datetime(2027, 1, 1, 11, tzinfo=UTC)).total_seconds() % (7 * 86_400) == 0
    assert imported.report["shift_days"] % 7 == 0


def test_event_ids_do_not_depend_on_the_shift(tmp_path: Path) -> None:
    mapping = MAPPING + '\n[time]\nshift = "weeks-to-now"\n'
    files = shop(tmp_path, mapping)
    ids = [{row["event_id"] for row in run(files, now)[1]} for now in (NOW, NOW + timedelta(days=50))]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("time", ['{ column = "qty", unit = "order" }', '{ unit = "order" }'])
def test_an_order_becomes_seconds_from_2000(tmp_path: Path, time: str) -> None:
    mapping = MAPPING.replace('{ column = "at", zone = "UTC" }', time)
    orders = "customer,sku,order,what,at,price,qty\nann,tea,o,buy,,1,1\nann,jam,o,buy,,1,2\n"
    imported, events, _ = run(shop(tmp_path, mapping, orders))
    assert imported.info.clock == "order"
    first = 1 if "column" in time else 0
    start = datetime(2000, 1, 1, tzinfo=UTC)
    assert [row["at"] for row in events] == [start + timedelta(seconds=first + step) for step in (0, 1)]


def test_an_order_that_is_a_clock_is_pointed_out(tmp_path: Path) -> None:
    mapping = MAPPING.replace('{ column = "at", zone = "UTC" }', '{ column = "qty", unit = "order" }')
    orders = "customer,sku,order,what,at,price,qty\nann,tea,o,buy,,1,1700000000000\n"
    with pytest.raises(DataError, match="Is 'qty' a Unix time"):
        run(shop(tmp_path, mapping, orders))


def test_nothing_left_says_why(tmp_path: Path) -> None:
    orders = "customer,sku,order,what,at,price,qty\nann,tea,o1,sell,2026-03-01 10:00:00,2.50,2\n"
    with pytest.raises(DataError, match=r"none of 1 rows is an event \(unknown_kind 1\)"):
        run(shop(tmp_path, orders=orders))


def test_what_does_not_fit_in_memory_gives_the_same_shop(tmp_path: Path) -> None:
    lines = ["customer,sku,order,what,at,price,qty"]
    for number in range(400):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=37 * number)
        kind = ("buy", "look", "back")[number % 3]
        lines.append(f"u{number % 23},s{number % 7},o{number},{kind},{at:%Y-%m-%d %H:%M:%S},{number % 5}.5,1")
    files = shop(tmp_path, orders="\n".join(lines) + "\n")
    whole, spilled = run(files), run(files, memory_rows=50)
    assert spilled[0].report == whole[0].report
    assert spilled[0].items.equals(whole[0].items)
    assert spilled[0].users.equals(whole[0].users)
    assert sorted(spilled[1], key=lambda row: row["sequence"]) == whole[1]
    assert not list((tmp_path / "scratch").glob("*"))


CELL = st.sampled_from(
    ["", "a", "b", "buy", "look", "back", "1", "-1", "2026-03-01 10:00:00", "x,y", '"', "9e99"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELL, min_size=5, max_size=8), max_size=12))
def test_whatever_a_file_says_every_row_is_accounted_for(tmp_path: Path, rows: list[list[str]]) -> None:
    good = "ann,tea,o1,buy,2026-03-01 10:00:00,2.50,2"
    quoted = [",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
    files = shop(tmp_path, orders="\n".join(["customer,sku,order,what,at,price,qty", *quoted, good]) + "\n")
    imported, events, refused = run(files)
    report = imported.report["events"]
    assert (
        report["rows"] == len(rows) + 1 == len(events) + len([r for r in refused if r["table"] == "events"])
    )
    assert all(pa.Table.from_pylist([row], schema=EVENT_SCHEMA).validate() is None for row in events)


def test_long_tables_take_the_latest_value_of_each_property(tmp_path: Path) -> None:
    mapping = MAPPING[: MAPPING.index("[items]")] + (
        '[items]\nfiles = "long.csv"\nid = "sku"\n'
        'long = { name = "p", value = "v", time = "t" }\ntitle = "name"\ncategory = "kind"\n'
        '[[items.unavailable]]\ncolumn = "stock"\nin = ["0"]\n'
    )
    files = shop(tmp_path, mapping)
    (tmp_path / "long.csv").write_text(
        "t,sku,p,v\n5,tea,name,New\n1,tea,name,Old\n1,tea,kind,drink\n2,mug,stock,0\n3,tea,colour,green\n"
    )
    items = run(files)[0].items
    rows = {row["item_id"]: row for row in items.to_pylist()}
    assert (rows["tea"]["title"], rows["tea"]["category"]) == ("New", "drink")
    assert (rows["mug"]["title"], rows["mug"]["available"]) == ("mug", False)
    assert pc.sum(items["available"]).as_py() == len(items) - 1


def test_ready_vectors_of_a_file_of_their_own_are_joined_by_id_and_accounted_for(tmp_path: Path) -> None:
    rows = [
        ("tea", [1.0, 0.0]),
        ("ghost", [1.0, 1.0]),
        ("jam", [0.0, 1.0]),
        ("tea", [2.0, 0.0]),
        (None, [3.0, 3.0]),
    ]
    table = pa.table({"item_id": [row[0] for row in rows], "vector": [row[1] for row in rows]})
    pq.write_table(table, tmp_path / "images.parquet")
    (tmp_path / "sound.csv").write_text("sku,sound\nmug,0.5 0.5 0.5\n")
    vectors = """[items.vectors]
image = { files = "images.parquet", column = "vector" }
sound = { files = "sound.csv", id = "sku", column = "sound" }
"""
    imported, _, refused = run(shop(tmp_path, MAPPING.replace("[users]\n", f"{vectors}[users]\n")))
    found = {row["item_id"]: dict(row["vectors"] or ()) for row in imported.items.to_pylist()}
    assert found["tea"] == {"image": [2, 0]}
    assert found["mug"] == {"sound": [0.5, 0.5, 0.5]}
    assert found["cup"] == {}
    account = imported.report["vectors"]
    assert (account["rows"], account["kept"], account["duplicates"], account["quarantined"]) == (6, 3, 1, 2)
    assert account["files"] == {"images.parquet": 5, "sound.csv": 1}
    assert {(row["row"], row["reason"]) for row in refused if row["table"] == "vectors"} == {
        (1, "duplicate"),
        (2, "unknown_item"),
        (5, "missing_item"),
    }


def test_a_vector_that_has_a_key_for_files_but_no_files_is_refused() -> None:
    text = MAPPING.replace("[users]\n", '[items.vectors]\nimage = { column = "v", id = "sku" }\n[users]\n')
    with pytest.raises(ConfigError, match="names no `files`"):
        parse_mapping(text, "shop.toml")
