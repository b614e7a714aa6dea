"""What an import must not do in silence: rounded ids, reused ids, times and properties that nothing reads."""

from pathlib import Path

import pytest

from recsys.errors import DataError, SchemaMismatchError
from tests.ingest.shop_folder import HEAD, imported, json_lines

EVENTS = HEAD + '[[events]]\nfiles = "e.csv"\nuser = "u"\nitem = "i"\nkind = "purchase"\ntime = "t"\n'
LONG = (
    EVENTS
    + '[items]\nfiles = "p.csv"\nid = "id"\ntitle = "name"\nlong = { name = "p", value = "v", time = "at" }\n'
)


def said(folder: Path, mapping: str, code: str, **files: str) -> list[str]:
    """The warnings of one kind after an import of CSV files."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return [w["message"] for w in imported(folder, mapping).report["warnings"] if w["code"] == code]


ONE = "u,i,t\nann,cap,2026-03-01\n"


def test_ids_that_a_spreadsheet_shortened_are_said(tmp_path: Path) -> None:
    events = "u,i,t\nann,4.00638E+12,2026-03-01\nann,4e2+10,2026-03-02\n"
    (message,) = said(tmp_path, EVENTS, "rounded_ids", e=events)
    assert "1 ids in column 'i'" in message
    assert "4.00638E+12" in message


def test_lines_that_share_the_id_of_their_order_are_said(tmp_path: Path) -> None:
    events = (
        "no,u,i,t\n7,ann,cap,2026-03-01\n7,ann,hat,2026-03-01\n8,bob,cap,2026-03-01\n8,bob,cap,2026-03-01\n"
    )
    mapping = EVENTS + 'event_id = "no"\n'
    (message,) = said(tmp_path, mapping, "reused_event_ids", e=events)
    assert message.startswith("1 rows have the `event_id` of another row, such as '7'")


def test_a_left_join_whose_keys_do_not_meet_is_said(tmp_path: Path) -> None:
    join = 'session = "o.day"\n[events.join.o]\nfiles = "o.csv"\non = "no"\nhow = "left"\n'
    events = "no,u,i,t\n7,ann,cap,2026-03-01\n8,ann,hat,2026-03-01\n"
    (message,) = said(tmp_path, EVENTS + join, "ids_do_not_meet", e=events, o="no,day\n007,mon\n008,tue\n")
    assert message.startswith("none of the 2 keys in 'no' (not found: '7', '8') stand in the joined file 'o'")
    assert "leading zeros" in message
    assert said(tmp_path, EVENTS + join, "ids_do_not_meet", e=events, o="no,day\n7,mon\n") == []


def test_a_key_that_is_empty_is_said_to_be(tmp_path: Path) -> None:
    mapping = EVENTS.replace('"i"', '"o.sku"') + '[events.join.o]\nfiles = "o.csv"\non = "no"\n'
    (tmp_path / "e.csv").write_text("no,u,t\n,ann,2026-03-01\n7,ann,2026-03-01\n")
    (tmp_path / "o.csv").write_text("no,sku\n7,cap\n")
    assert [row["detail"] for row in imported(tmp_path, mapping).rejected] == ["no is empty"]


def test_times_of_a_long_table_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    table = "id,p,v,at\ncap,name,New,2026-02-01\ncap,name,Odd,soon\n"
    (message,) = said(tmp_path, LONG, "unreadable_cells", e=ONE, p=table)
    assert "1 times in column 'at' cannot be read, such as 'soon'" in message
    (tmp_path / "p.csv").write_text("id,p,v,at\ncap,name,New,05.02.2026\ncap,name,Old,06.01.2026\n")
    with pytest.raises(DataError, match=r"none of the 2 times in 'at'.*'05\.02\.2026'.*format"):
        imported(tmp_path, LONG)


def test_a_property_that_no_row_of_a_long_table_has_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(ONE)
    (tmp_path / "p.csv").write_text("id,p,v,at\ncap,name,Cap,2026-02-01\ncap,colour,red,2026-02-01\n")
    mapping = LONG + 'category = "color"\n'
    with pytest.raises(SchemaMismatchError, match=r"no property 'color'. Did you mean 'colour'"):
        imported(tmp_path, mapping)
    assert imported(tmp_path, mapping + 'optional = ["color"]\n').items["cap"]["category"] is None


def test_vectors_that_cannot_be_read_are_not_said_to_be_numbers(tmp_path: Path) -> None:
    mapping = EVENTS + '[items]\nfiles = "p.jsonl"\nid = "id"\n[items.vectors]\nlook = "v"\n'
    json_lines(tmp_path / "p.jsonl", {"id": "cap", "v": [1, None]}, {"id": "hat", "v": [1, 2]})
    (message,) = said(tmp_path, mapping, "unreadable_cells", e=ONE)
    assert "1 cells of 'look'" in message
    assert "a vector has finite numbers" in message


def test_amounts_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    mapping = EVENTS + 'quantity = "q"\nvalue = "v"\n'
    rows = ("-1,5", "1,3000000000", "1,NULL", "1,NaN")
    text = "u,i,t,q,v\n" + "".join(f"ann,i{n},2026-03-01,{row}\n" for n, row in enumerate(rows))
    (tmp_path / "e.csv").write_text(text)
    found = imported(tmp_path, mapping)
    details = [row["detail"] for row in found.rejected]
    assert "is negative; give returns the kind `cancel`" in details[0]
    assert "too much for one line" in details[1]
    assert "`nulls` what means nothing" in details[2]
    assert found.told("item_id", "value_micros") == [("i3", None)]


def test_points_of_one_file_beside_decimal_commas_of_another_are_said(tmp_path: Path) -> None:
    mapping = EVENTS.replace("e.csv", "e*.csv") + 'delimiter = ";"\nvalue = "v"\n'
    head = "u;i;t;v\n"
    files = {"e1": f"{head}ann;cap;2026-03-01;12,99\n", "e2": f"{head}ann;hat;2026-03-01;1.299\n"}
    commas, points = said(tmp_path, mapping, "decimal_commas", **files)
    assert "'12,99'" in commas
    assert "1 other numbers in column 'v', such as '1.299', were read with a decimal point" in points
    (tmp_path / "e1.csv").unlink()
    assert said(tmp_path, mapping, "decimal_commas") == []


def test_days_of_a_spreadsheet_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("u,i,t\nann,cap,45296.5\n")
    for time in ('"t"', '{ column = "t", unit = "s" }'):
        with pytest.raises(DataError, match="spreadsheet's count of days"):
            imported(tmp_path, EVENTS.replace('"t"', time))


def test_positions_between_two_whole_ones_are_between_them(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("u,i,t\nann,c,2\nann,b,1.5\nann,a,1\n")
    found = imported(tmp_path, EVENTS.replace('"t"', '{ column = "t", unit = "order" }'))
    assert [event["item_id"] for event in sorted(found.events, key=lambda e: e["at"])] == ["a", "b", "c"]
    assert len({event["at"] for event in found.events}) == 3
