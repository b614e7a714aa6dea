"""Small shops whose cells are written in unusual ways, from their files to canonical tables."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping
from tests.ingest.shop_folder import NOW, Rows, messages

HEAD = 'name = "s"\nrepeats = true\nlabel_kinds = ["view"]\n[[events]]\nuser = "who"\nitem = "what"\n'
CSV = HEAD + 'files = "log.csv"\n'


def imported(
    folder: Path, mapping: str, files: dict[str, Any]
) -> tuple[ImportedShop, list[dict[str, Any]], list[dict[str, Any]]]:
    for name, content in files.items():
        if isinstance(content, str):
            (folder / name).write_text(content)
        elif name.endswith(".jsonl"):
            (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in content))
        else:
            pq.write_table(pa.table(content), folder / name)
    lake, refused = Rows(), Rows()
    shop = ShopFiles(parse_mapping(mapping, "shop.toml"), "0" * 64, folder)
    try:
        found = import_shop(shop, NOW, lake, refused, folder / "scratch")
    except DataError:
        assert lake.rows() == []  # nothing was written
        raise
    return found, lake.rows(), refused.rows()


def test_a_time_beyond_the_calendar_goes_to_the_quarantine_with_its_reason(tmp_path: Path) -> None:
    far = pa.array([1772366400000, 10**15, -(10**15), 1772366401000]).cast(pa.timestamp("ms"))
    table = {"who": ["a", "b", "c", "d"], "what": ["x"] * 4, "t": far, "paid": [1, 2, 3, 4]}
    mapping = HEAD + 'files = "log.parquet"\nkind = "view"\ntime = "t"\n'
    _, events, refused = imported(tmp_path, mapping, {"log.parquet": table})
    assert [event["user_id"] for event in events] == ["a", "d"]
    assert {row["row"]: row["reason"] for row in refused} == {2: "future_time", 3: "absurd_time"}
    assert "range: 1000000000000000" in refused[0]["raw"]


def test_rows_of_a_catalog_with_far_times_can_be_refused(tmp_path: Path) -> None:
    far = pa.array([10**15, 10**15]).cast(pa.timestamp("ms"))
    mapping = (
        CSV + 'kind = "view"\ntime = "t"\n[items]\nfiles = "i.parquet"\nid = "id"\ntitle = "{since}{n}"\n'
    )
    files = {
        "log.csv": "who,what,t\na,x,2026-03-01\n",
        "i.parquet": {"id": pa.array([None, "x"]), "since": far, "n": ["-", "Cap"]},
    }
    shop, _, refused = imported(tmp_path, mapping, files)
    assert shop.items["title"].to_pylist() == ["Cap"]
    assert [row["reason"] for row in refused] == ["missing_item"]


def test_a_wrong_unit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    log = (
        "who,what,t\n" + "".join(f"a,x,{1772366400000 + place}\n" for place in range(3)) + "a,x,1772366400\n"
    )
    mapping = CSV + 'kind = "view"\ntime = { column = "t", unit = "s" }\n'
    with pytest.raises(DataError, match=r't = 1772366400000 as s is the year 58\d+\. unit = "ms" would fit'):
        imported(tmp_path, mapping, {"log.csv": log})


def test_a_count_without_its_unit_is_explained_in_the_quarantine(tmp_path: Path) -> None:
    log = "who,what,t\na,x,2026-03-01\na,x,1772366400\n"
    _, _, refused = imported(tmp_path, CSV + 'kind = "view"\ntime = "t"\n', {"log.csv": log})
    assert refused[0]["reason"] == "bad_time"
    assert "`unit`" in refused[0]["detail"]


def test_float_ids_meet_the_catalog_and_a_warning_names_their_column(tmp_path: Path) -> None:
    mapping = (
        CSV
        + 'kind = "view"\ntime = "t"\nsession = "visit"\n[items]\nfiles = "i.csv"\nid = "sku"\ntitle = "n"\n'
        + '[users]\nfiles = "u.jsonl"\nid = "uid"\nattributes = { town = "town" }\n'
    )
    files = {
        "log.csv": "who,what,t,visit\n17.0,123.0,2026-03-01,5.0\n18,124.0,2026-03-02,\n",
        "i.csv": "sku,n\n123,Lamp\n124,Chair\n",
        "u.jsonl": [{"uid": 17, "town": "Ulm"}, {"uid": "18.0", "town": "Bonn"}],
    }
    shop, events, _ = imported(tmp_path, mapping, files)
    assert [(e["user_id"], e["item_id"], e["session_id"]) for e in events] == [
        ("17", "123", "5"),
        ("18", "124", None),
    ]
    assert shop.items["item_id"].to_pylist() == ["123", "124"]
    assert shop.users["user_id"].to_pylist() == ["17", "18"]
    warnings = messages(shop, "float_ids")
    assert [warning.split(":")[0] for warning in warnings] == ["events"] * 3 + ["users"]
    assert "2 ids in column 'what'" in warnings[1]


@pytest.mark.parametrize("column", ["who", "what", "visit", "line"])
@pytest.mark.parametrize("value", [["a"], ["a", "b"], {"id": "a"}, "a\x00b", "x" * 257])
def test_what_is_not_an_id_is_refused_as_one(tmp_path: Path, column: str, value: Any) -> None:
    row = {"who": "a", "what": "x", "visit": "v", "line": "1", "t": "2026-03-01"}
    rows = [row, {**row, "line": "2", column: value}]
    mapping = HEAD + 'files = "log.jsonl"\nkind = "view"\ntime = "t"\nsession = "visit"\nevent_id = "line"\n'
    _, events, refused = imported(tmp_path, mapping, {"log.jsonl": rows})
    assert len(events) == 1
    assert [row["reason"] for row in refused] == ["bad_id"]
    assert refused[0]["detail"].startswith(f"{column} = ")


MONEY = """who,what,t,amount
a,x,2026-03-01,"12,99"
a,y,2026-03-02,"1.299,00"
a,z,2026-03-03,"1.299"
"""


def test_decimal_commas_are_read_where_they_are_certain_and_said(tmp_path: Path) -> None:
    shop, events, refused = imported(
        tmp_path, CSV + 'kind = "purchase"\ntime = "t"\nvalue = "amount"\n', {"log.csv": MONEY}
    )
    assert [event["value_micros"] for event in events] == [12_990_000, 1_299_000_000]
    assert [row["reason"] for row in refused] == ["bad_value"]  # 1.299 beside them may be 1299
    commas = messages(shop, "decimal_commas")
    assert "2 numbers in column 'amount' were read with a decimal comma, such as '12,99'" in commas[0]


def test_a_declared_decimal_comma_reads_every_cell(tmp_path: Path) -> None:
    value = 'value = { column = "amount", decimal = ",", strip = "€" }\n'
    log = MONEY + 'a,w,2026-03-04,"€ 5,-"\n'
    shop, events, _ = imported(tmp_path, CSV + 'kind = "purchase"\ntime = "t"\n' + value, {"log.csv": log})
    assert [e["value_micros"] for e in events] == [12_990_000, 1_299_000_000, 1_299_000_000, 5_000_000]
    assert shop.report["warnings"] == []


def test_prices_and_number_attributes_are_written_alike_and_bad_ones_are_shown(tmp_path: Path) -> None:
    mapping = (
        CSV
        + 'kind = "view"\ntime = "t"\n[items]\nfiles = "i.csv"\nid = "id"\n'
        + 'price = { column = "cost", decimal = ",", strip = "€" }\n'
        + '[items.attributes]\nkg = { column = "kg", type = "number" }\n'
    )
    files = {
        "log.csv": "who,what,t\na,x,2026-03-01\n",
        "i.csv": 'id,cost,kg\nx,"€1.000,50","0,25"\ny,on request,heavy\n',
    }
    shop, _, _ = imported(tmp_path, mapping, files)
    assert shop.items["price_micros"].to_pylist() == [1_000_500_000, None]
    assert shop.items["attributes"].to_pylist() == ['{"kg":0.25}', "{}"]
    assert shop.report["items"]["blanked"] == {"kg": 1, "price_micros": 1}
    assert any("'on request'" in line for line in messages(shop, "unreadable_cells"))
    commas = messages(shop, "decimal_commas")
    assert any("column 'kg' were read with a decimal comma" in line for line in commas)


@pytest.mark.parametrize(
    ("position", "expected", "warned"),
    [('"rank"', [None, 1, None], 1), ('{ column = "rank", from = 0 }', [1, 2, None], 0)],
)
def test_positions_from_0_are_kept_and_said(
    tmp_path: Path, position: str, expected: list[int | None], warned: int
) -> None:
    mapping = CSV + f'kind = "impression"\ntime = "t"\nposition = {position}\n'
    log = "who,what,t,rank\na,x,2026-03-01,0\na,y,2026-03-01,1\na,z,2026-03-01,\n"
    shop, events, refused = imported(tmp_path, mapping, {"log.csv": log})
    assert [event["position"] for event in events] == expected
    assert (refused, len(messages(shop, "positions_from_0"))) == ([], warned)


def test_an_empty_weight_is_that_of_the_kind(tmp_path: Path) -> None:
    mapping = CSV + 'kind = "cart"\ntime = "t"\nweight = "w"\n'
    log = "who,what,t,w\na,x,2026-03-01,2\na,y,2026-03-01,\na,z,2026-03-01,0\n"
    _, events, _ = imported(tmp_path, mapping, {"log.csv": log})
    assert [event["weight"] for event in events] == pytest.approx([2.0, 0.6, 0.0])


@pytest.mark.parametrize("time", ['{ column = "pos", unit = "order" }', '{ unit = "order" }'])
def test_positions_in_an_order_are_no_seconds(tmp_path: Path, time: str) -> None:
    rows = [
        f"a,x{place % 2},{place}\n" for place in range(400)
    ]  # 400 in a row: a machine, if these were seconds
    mapping = CSV + f'kind = "view"\ntime = {time}\n[cleaning]\nbot_events_per_day = 50\n'
    mapping += "near_duplicate_seconds = { view = 5.0 }\n"
    _, events, refused = imported(tmp_path, mapping, {"log.csv": "who,what,pos\n" + "".join(rows)})
    assert (len(events), refused) == (400, [])


def test_nulls_in_lists_are_counted_in_every_format(tmp_path: Path) -> None:
    tags = [["a", None, " b "], None]
    mapping = HEAD + 'files = "log.jsonl"\nkind = "view"\ntime = "t"\n[items]\nfiles = "{}"\nid = "id"\n'
    mapping += '[items.attributes]\ntags = { column = "tags", type = "list" }\n'
    log = [{"who": "a", "what": "x", "t": "2026-03-01"}]
    catalogs = {
        "i.jsonl": [{"id": "x", "tags": tags[0]}, {"id": "y", "tags": None}],
        "i.parquet": {"id": ["x", "y"], "tags": tags},
    }
    for name, catalog in catalogs.items():
        files = {"log.jsonl": log, name: catalog}
        shop, _, _ = imported(tmp_path, mapping.replace('"{}"', f'"{name}"'), files)
        assert shop.items["attributes"].to_pylist() == ['{"tags":["a","b"]}', "{}"]
        assert shop.report["items"]["empty_elements"] == {"tags": 1}


@pytest.mark.parametrize("header", ["id,labels,a,b", "id,other,a,b"])
def test_a_template_reads_the_column_of_a_file_before_the_attribute_of_its_name(
    tmp_path: Path, header: str
) -> None:
    mapping = CSV + 'kind = "view"\ntime = "t"\n[items]\nfiles = "i.csv"\nid = "id"\ntitle = "{labels}"\n'
    mapping += '[items.attributes]\nlabels = { flags = ["a", "b"] }\n'
    files = {"log.csv": "who,what,t\nu,x,2026-03-01\n", "i.csv": f"{header}\nx,Own,1,true\n"}
    shop, _, _ = imported(tmp_path, mapping, files)
    assert shop.items["title"].to_pylist() == ["Own" if "labels" in header else "a, b"]
    assert shop.items["attributes"].to_pylist() == ['{"labels":["a","b"]}']


def test_items_that_only_events_know_are_shown_by_their_id_and_counted(tmp_path: Path) -> None:
    log = "who,what,t\na,x,2026-03-01\na,y,2026-03-01\n"
    shop, _, _ = imported(tmp_path, CSV + 'kind = "view"\ntime = "t"\n', {"log.csv": log})
    assert shop.items.select(["title", "text"]).to_pylist() == [
        {"title": "x", "text": None},
        {"title": "y", "text": None},
    ]
    assert shop.report["items"]["fallbacks"] == {"title_from_id": 2, "no_text": 2}
