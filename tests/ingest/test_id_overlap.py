"""Ids of a catalog, a user file or vectors that do not meet those of the events are said with examples."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from recsys.errors import DataError
from recsys.ingest.id_overlap import ITEMS, USERS, ids_do_not_meet
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import parse_mapping
from tests.ingest.shop_folder import Rows, messages

MAPPING = """
name = "s"
repeats = true
label_kinds = ["purchase"]
[[events]]
files = "e.csv"
user = "u"
item = "i"
kind = "purchase"
time = "t"
[items]
files = "p.csv"
id = "sku"
title = "name"
"""
USER_MAPPING = '[users]\nfiles = "c.csv"\nid = "customer"\n'


def imported(folder: Path, mapping: str, now: datetime = datetime(2026, 3, 4, tzinfo=UTC)) -> ImportedShop:
    shop = ShopFiles(parse_mapping(mapping, "m.toml"), "0" * 64, folder)
    return import_shop(shop, now, Rows(), Rows(), folder / "scratch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"u{row},{row},2026-03-01" for row in range(1, 5)]
    (tmp_path / "e.csv").write_text("u,i,t\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_a_catalog_of_other_ids_is_said_with_three_examples_of_each_side(folder: Path) -> None:
    (folder / "p.csv").write_text("sku,name\nA,x\nB,x\nC,x\nD,x\nE,x\n")
    (said,) = messages(imported(folder, MAPPING), "ids_do_not_meet")
    assert "none of the 4 item ids of the events (not found: '1', '2', '3')" in said
    assert "which has 5 ids (such as 'A', 'B', 'C')" in said
    assert "`id` of [items]" in said


@pytest.mark.parametrize(
    ("skus", "how"),
    [
        (["0001", "0002", "0003"], "without leading zeros"),
        (["1.0", "2.0", "3.0"], "without a trailing `.0`"),
        (["shop/1", "shop/2", "shop/3"], "without what stands before the last"),
    ],
)
def test_the_rule_that_would_make_ids_meet_is_named(folder: Path, skus: list[str], how: str) -> None:
    catalog = pa.array(skus)
    said = ids_do_not_meet(catalog, pa.array(["1", "2", "3", "4"]), ITEMS)
    assert said is not None
    assert how in said


def test_one_item_of_many_that_meets_is_said_too() -> None:
    said = ids_do_not_meet(pa.array(["1", "a", "b"]), pa.array(["1", "2", "3", "4"]), ITEMS)
    assert said is not None
    assert said.startswith("only 1 of the 4 item ids of the events")


def test_a_large_catalog_of_which_little_was_sold_is_normal() -> None:
    catalog = pa.array([str(number) for number in range(1000)])
    assert ids_do_not_meet(catalog, pa.array(["3", "5"]), ITEMS) is None


def test_visitors_without_an_account_are_normal() -> None:
    visitors = pa.array(["anna", *[f"cookie{number}" for number in range(99)]])
    assert ids_do_not_meet(pa.array(["anna", "bert"]), visitors, USERS) is None


def test_a_catalog_without_rows_is_said(folder: Path) -> None:
    (folder / "p.csv").write_text("sku,name\n")
    (said,) = messages(imported(folder, MAPPING), "ids_do_not_meet")
    assert said.startswith("the catalog has no rows.")
    assert messages(imported(folder, MAPPING.split("[items]")[0]), "ids_do_not_meet") == []


def test_users_that_do_not_meet_are_said(folder: Path) -> None:
    (folder / "p.csv").write_text("sku,name\n1,x\n2,x\n")
    (folder / "c.csv").write_text("customer\n1\n2\n3\n")
    (said,) = messages(imported(folder, MAPPING + USER_MAPPING), "ids_do_not_meet")
    assert "user ids" in said
    assert "'u1', 'u2', 'u3'" in said


def test_events_that_are_rejected_as_unknown_count_as_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "p.csv").write_text("sku,name\nA,x\nB,x\n")
    with pytest.raises(DataError, match=r"unknown_item 4.*row 2: i = '1' is not in the catalog"):
        imported(folder, MAPPING + 'unknown = "quarantine"\n')
    assert "none of the 4 item ids of the events" in caplog.text


def test_data_older_than_the_longest_window_are_said_with_the_remedy(folder: Path) -> None:
    mapping = MAPPING.split("[items]")[0]
    at_the_edge = imported(folder, mapping, datetime(2026, 5, 30, tzinfo=UTC))  # 90 days after 1 March
    assert messages(at_the_edge, "old_data") == []
    (said,) = messages(imported(folder, mapping, datetime(2026, 5, 31, tzinfo=UTC)), "old_data")
    assert "2026-03-01, 91 days before now" in said
    assert "weeks-to-now" in said


def test_data_with_an_order_only_are_never_old(folder: Path) -> None:
    mapping = MAPPING.split("[items]")[0].replace('time = "t"', 'time = { unit = "order" }')
    assert messages(imported(folder, mapping), "old_data") == []


def test_ready_vectors_of_other_items_are_said(folder: Path) -> None:
    (folder / "p.csv").write_text("sku,name\n1,x\n2,x\n")
    (folder / "v.csv").write_text("item_id,vector\n01,0.1 0.2\n02,0.3 0.4\n")
    vectors = '[items.vectors]\nimage = { files = "v.csv", column = "vector" }\n'
    (said,) = messages(imported(folder, MAPPING + vectors), "ids_do_not_meet")
    assert said.startswith("none of the 2 item ids of the catalog (not found: '1', '2')")
    assert "without leading zeros" in said
