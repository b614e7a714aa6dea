"""Quantity and money of lines from a shop's files, and what returns and refunds leave of them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.ingest.imported import ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping
from tests.ingest.shop_folder import NOW, Rows

HEAD = """
name = "dairy"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "lines.*"
user = "who"
item = "what"
time = "at"
"""
WEIGHED = HEAD + 'kind = "purchase"\nquantity = "kg"\nvalue = { column = "price", per = "unit" }\n'
SIGNED = """kind = { cases = [{ kind = "cancel", column = "kg", below = 0 }], otherwise = "purchase" }
quantity = "kg"
value = { column = "price", per = "unit" }
"""
REFUNDS = """kind = { column = "type", values = { sale = "purchase", refund = "cancel" } }
quantity = "qty"
value = "amount"
"""


def imported(folder: Path, mapping: str, lines: str | pa.Table) -> tuple[list[Any], list[Any]]:
    """(item, thousandths, micros) of each event that is left, and (row, reason) of the others."""
    if isinstance(lines, str):
        (folder / "lines.csv").write_text(lines)
    else:
        pq.write_table(lines, folder / "lines.parquet")
    lake, quarantine = Rows(), Rows()
    shop = ShopFiles(parse_mapping(mapping, "dairy.toml"), "0" * 64, folder)
    import_shop(shop, NOW, lake, quarantine, folder / "scratch")
    kept = [(row["item_id"], row["quantity_thousandths"], row["value_micros"]) for row in lake.rows()]
    return sorted(kept), sorted((row["row"], row["reason"]) for row in quarantine.rows())


def test_weighed_goods_keep_their_fraction_and_money_follows(tmp_path: Path) -> None:
    lines = "who,what,at,kg,price\nann,brie,2026-01-05,0.125,19.99\nann,milk,2026-01-05,1.5,1.09\n"
    # 0.125 * 19.99 = 2.49875; 1.5 * 1.09 = 1.635
    expected = [("brie", 125, 2_498_750), ("milk", 1500, 1_635_000)]
    assert imported(tmp_path, WEIGHED, lines) == (expected, [])


def test_a_line_is_rounded_once(tmp_path: Path) -> None:
    lines = "who,what,at,kg,price\nann,brie,2026-01-05,0.333,0.000001\nann,milk,2026-01-05,1.5,0.000003\n"
    # 0.333 of a millionth is none; 4.5 millionths are 5: halves go up.
    assert imported(tmp_path, WEIGHED, lines)[0] == [("brie", 333, 0), ("milk", 1500, 5)]


def test_numbers_of_parquet_are_read_like_texts(tmp_path: Path) -> None:
    lines = {"who": ["ann"], "what": ["brie"], "at": ["2026-01-05"], "kg": [0.25], "price": [10]}
    assert imported(tmp_path, WEIGHED, pa.table(lines))[0] == [("brie", 250, 2_500_000)]


@pytest.mark.parametrize("quantity", ["0", "0.0004", "-1", "3e12"])
def test_what_is_no_quantity_is_rejected(tmp_path: Path, quantity: str) -> None:
    lines = f"who,what,at,kg,price\nann,brie,2026-01-05,{quantity},1\nann,milk,2026-01-05,1,1\n"
    assert imported(tmp_path, WEIGHED, lines)[1] == [(2, "bad_quantity")]


@pytest.mark.parametrize(("kg", "price"), [("2000000", "2000"), ("1e9", "1e9"), ("1", "-5"), ("1", "3e9")])
def test_money_beyond_the_bounds_is_rejected(tmp_path: Path, kg: str, price: str) -> None:
    lines = f"who,what,at,kg,price\nann,brie,2026-01-05,{kg},{price}\nann,milk,2026-01-05,1,1\n"
    assert imported(tmp_path, WEIGHED, lines)[1] == [(2, "bad_value")]


def test_a_part_of_a_weighed_line_comes_back(tmp_path: Path) -> None:
    lines = "who,what,at,kg,price\nann,brie,2026-01-05,1.4,10\nann,brie,2026-01-06,-0.4,10\n"
    assert imported(tmp_path, HEAD + SIGNED, lines)[0] == [("brie", 1000, 10_000_000)]


def test_the_sign_of_a_refund_does_not_count(tmp_path: Path) -> None:
    for place, amount in enumerate(("-12.99", "12.99")):
        lines = f"""who,what,at,type,qty,amount
ann,brie,2026-01-05,sale,,12.99
ann,milk,2026-01-05,sale,,3
ann,brie,2026-01-06,refund,,{amount}
"""
        folder = tmp_path / str(place)
        folder.mkdir()
        assert imported(folder, HEAD + REFUNDS, lines)[0] == [("milk", None, 3_000_000)]


def test_a_refund_of_a_part_leaves_the_rest_of_the_money(tmp_path: Path) -> None:
    lines = """who,what,at,type,qty,amount
ann,brie,2026-01-05,sale,2,10
ann,brie,2026-01-06,refund,,-2.50
ann,milk,2026-01-05,sale,4,8
ann,milk,2026-01-06,refund,-1,-2
"""
    expected = [("brie", 2000, 7_500_000), ("milk", 3000, 6_000_000)]
    assert imported(tmp_path, HEAD + REFUNDS, lines)[0] == expected


def test_a_negative_amount_of_a_purchase_is_still_wrong(tmp_path: Path) -> None:
    lines = "who,what,at,type,qty,amount\nann,brie,2026-01-05,sale,1,-5\nann,milk,2026-01-05,sale,1,5\n"
    assert imported(tmp_path, HEAD + REFUNDS, lines)[1] == [(2, "bad_value")]


def test_a_days_return_may_stand_above_its_purchase(tmp_path: Path) -> None:
    lines = """who,what,at,kg,price
ann,brie,2026-01-05,-1,3
ann,brie,2026-01-05,1,3
ann,milk,2026-01-05,-0.5,4
ann,milk,2026-01-05,2,4
"""
    assert imported(tmp_path, HEAD + SIGNED, lines)[0] == [("milk", 1500, 6_000_000)]


def test_prices_from_events_are_those_of_a_whole_unit(tmp_path: Path) -> None:
    lines = "who,what,at,kg,price\nann,brie,2026-01-05,0.2,19.90\nbob,brie,2026-01-06,0.5,20.10\n"
    mapping = WEIGHED + '[items]\nprice = { from = "events" }\n'
    (tmp_path / "lines.csv").write_text(lines)
    shop = ShopFiles(parse_mapping(mapping, "dairy.toml"), "0" * 64, tmp_path)
    found = import_shop(shop, NOW, Rows(), Rows(), tmp_path / "scratch")
    assert found.items["price_micros"].to_pylist() == [19_900_000]  # of two the lower


def test_scans_that_add_up_end_at_the_bounds(tmp_path: Path) -> None:
    row = "ann,gold,2026-01-05,1,2000000000\n"
    lines = "who,what,at,kg,price\n" + row * 5000  # 10^19 micros
    mapping = WEIGHED.replace("[[events]]", '[cleaning]\nrepeated_lines = "sum"\n[[events]]')
    assert imported(tmp_path, mapping, lines)[0] == [("gold", 5_000_000, 2**51)]
