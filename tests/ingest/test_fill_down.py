"""Cells that only the first row of a group has reach its other rows, and no others."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.errors import ConfigError
from recsys.ingest.mapping.row_sources import FillDown
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.readers.fill_down import filled_down
from tests.ingest.shop_folder import HEAD, imported

MAPPING = (
    HEAD
    + """
[[events]]
files = "o.csv"
fill_down = { by = "order", columns = ["mail", "at"] }
user = "mail"
item = "sku"
kind = "purchase"
time = "at"
"""
)
RULE = FillDown(by="order", columns=("mail", "at"))


def batches(*tables: pa.Table) -> Iterator[RawBatch]:
    first = 2
    for table in tables:
        yield RawBatch(table, (("o.csv", 0),), np.arange(first, first + len(table)))
        first += len(table)


def rows(**cells: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in cells.items()})


def test_a_blank_cell_takes_the_value_of_its_group_only() -> None:
    table = rows(
        order=["1", "1", "2", "2", "3"], mail=["a", "", None, "b", None], at=["x", None, "y", "", "z"]
    )
    (filled,) = filled_down(batches(table), RULE)
    assert filled.table["mail"].to_pylist() == ["a", "a", None, "b", None]
    assert filled.table["at"].to_pylist() == ["x", "x", "y", "y", "z"]


def test_a_group_goes_on_in_the_next_batch() -> None:
    first = rows(order=["1", "1"], mail=["a", None], at=["x", None])
    second = rows(order=["1", "2"], mail=[None, None], at=[None, "y"])
    empty = rows(order=[], mail=[], at=[])
    found = list(filled_down(batches(first, empty, second), RULE))
    assert found[2].table["mail"].to_pylist() == ["a", None]
    assert found[2].table["at"].to_pylist() == ["x", "y"]
    assert found[2].rows.tolist() == [4, 5]


def test_rows_without_a_key_are_no_group() -> None:
    table = rows(order=[None, None], mail=["a", None], at=["x", None])
    (filled,) = filled_down(batches(table), RULE)
    assert filled.table["mail"].to_pylist() == ["a", None]


def test_a_key_that_only_the_first_row_has_is_filled_where_that_is_said() -> None:
    first = rows(order=["1", None], mail=["a", None], at=["x", "y"])
    second = rows(order=[None, "2", None], mail=[None, None, None], at=[None, None, None])
    rule = FillDown(by="order", columns=("order", "mail"))
    found = list(filled_down(batches(first, second), rule))
    assert found[1].table["order"].to_pylist() == ["1", "2", "2"]
    assert found[1].table["mail"].to_pylist() == ["a", None, None]


def test_a_column_that_is_not_read_cannot_be_filled(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("order,mail,at,sku\n1,a@x,2026-03-01,tea\n")
    with pytest.raises(ConfigError, match=r"`fill_down` names 'Mail'.*mean 'mail'"):
        imported(tmp_path, MAPPING.replace('["mail", "at"]', '["Mail", "at"]'))


def test_an_export_with_the_order_in_its_first_row_only(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text(
        "order,mail,at,sku\n1,a@x,2026-03-01,tea\n1,,,mug\n2,,2026-03-02,tea\n3,b@x,2026-03-03,tea\n"
    )
    found = imported(tmp_path, MAPPING)
    assert found.told("user_id", "item_id") == [("a@x", "tea"), ("a@x", "mug"), ("b@x", "tea")]
    assert found.reasons() == [("o.csv", 4, "missing_user")]


def test_parts_of_other_types_are_filled_and_nan_is_blank() -> None:
    first = pa.table({"order": [1, 1], "mail": [7.0, float("nan")], "at": ["x", None]})
    second = rows(order=["1", "2"], mail=[None, "b"], at=["", "y"])
    found = list(filled_down(batches(first, second), RULE))
    assert [part.table["mail"].to_pylist() for part in found] == [[7.0, 7.0], ["7", "b"]]
    assert found[1].table["at"].to_pylist() == ["x", "y"]
