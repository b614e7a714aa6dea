"""Several rows with one id, what stands in for what is missing, and what templates find."""

import json
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys.ingest.mapping.catalog_sources import ItemSource, UserSource, VectorSource
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.raw.cells import LIST_MARK, as_list_cells
from recsys.ingest.readers.long_table import long_columns, pivot_long_table
from recsys.ingest.tables.catalog import canonical_items, canonical_users, item_columns, lent_columns
from recsys.ingest.tables.vector_files import joined_vectors


def source_of(**source: Any) -> ItemSource:
    return ItemSource.model_validate({"files": "i.csv", "id": "id", **source})


VARIANTS = {  # a catalog that lists what is sold of an item below it, and pictures below that
    "id": ["cap", "cap", "cap", "sock"],
    "name": ["Wool cap", None, "", "Sock"],
    "cost": ["19.50", "21.00", None, "4.00"],
    "labels": [f"warm{LIST_MARK}wool", None, "", None],
    "state": ["draft", None, None, "active"],
}
SOURCE: dict[str, Any] = {
    "title": "name",
    "price": "cost",
    "attributes": {"labels": {"column": "labels", "type": "list"}},
}


@pytest.mark.parametrize(
    ("rows", "titles", "prices", "reason"),
    [
        ("merge", ["Wool cap", "Sock"], [21_000_000, 4_000_000], "merged"),
        ("last", ["cap", "Sock"], [None, 4_000_000], "duplicate"),
        ("first", ["Wool cap", "Sock"], [19_500_000, 4_000_000], "duplicate"),
    ],
)
def test_several_rows_of_an_item_make_one_by_the_rule_of_the_mapping(
    rows: str, titles: list[str], prices: list[int | None], reason: str
) -> None:
    found, rejections, _ = canonical_items(pa.table(VARIANTS), source_of(**SOURCE, rows=rows))
    assert found["title"].to_pylist() == titles
    assert found["price_micros"].to_pylist() == prices
    assert rejections.counts() == {reason: 2}


def test_by_default_the_last_value_of_each_column_counts() -> None:
    found, rejections, _ = canonical_items(pa.table(VARIANTS), source_of(**SOURCE))
    assert json.loads(found["attributes"][0].as_py()) == {"labels": ["warm", "wool"]}
    assert rejections.kept.tolist() == [False, False, True, True]


def test_columns_of_all_types_are_merged() -> None:
    raw = pa.table(
        {
            "id": [1, 1, 1],
            "cost": [2.5, None, float("nan")],
            "tags": pa.array([["a"], [], None], pa.list_(pa.string())),
            "v": pa.array([None, [1.0, 2.0], None], pa.list_(pa.float32())),
            "sold": [False, None, None],
        }
    )
    attributes = {"tags": {"column": "tags", "type": "list"}, "sold": {"column": "sold", "type": "number"}}
    source = source_of(price="cost", attributes=attributes, vectors={"v": "v"})
    found = canonical_items(raw, source)[0].to_pylist()
    assert [(row["item_id"], row["price_micros"], row["vectors"]) for row in found] == [
        ("1", 2_500_000, [("v", [1.0, 2.0])])
    ]
    assert json.loads(found[0]["attributes"]) == {"tags": ["a"], "sold": 0}


def test_a_rule_that_rejects_an_item_rejects_its_further_rows_too() -> None:
    reject = [{"reason": "draft", "when": [{"column": "state", "in": ["draft"]}]}]
    found, rejections, _ = canonical_items(pa.table(VARIANTS), source_of(**SOURCE, reject=reject))
    assert found["item_id"].to_pylist() == ["sock"]
    assert rejections.counts() == {"draft": 3}


def test_a_rule_about_a_row_of_its_own_leaves_the_others() -> None:
    raw = {"id": ["cap", "cap"], "name": ["Cap", "Mütze"], "language": ["en", "de"]}
    reject = [{"reason": "translation", "when": [{"column": "language", "not_in": ["en"]}]}]
    found, rejections, _ = canonical_items(pa.table(raw), source_of(title="name", reject=reject))
    assert found["title"].to_pylist() == ["Cap"]
    assert rejections.counts() == {"translation": 1}


def test_rows_of_a_user_are_merged_alike() -> None:
    source = UserSource.model_validate(
        {"files": "u", "id": "id", "attributes": {"town": "town", "plan": "plan"}}
    )
    raw = pa.table({"id": ["7.0", "7"], "town": ["Ulm", None], "plan": ["free", "paid"]})
    users, rejections, notes = canonical_users(raw, source)
    assert users.to_pylist() == [{"user_id": "7", "attributes": '{"town":"Ulm","plan":"paid"}'}]
    assert (rejections.counts(), notes.cast_ids) == ({"merged": 1}, {"id": 1})


def test_an_empty_vector_does_not_replace_one() -> None:
    source = VectorSource(files=("v.parquet",), column="v", id="id")
    table = pa.table({"id": ["a", "a", "b", "b"], "v": [[1.0], None, [2.0], [3.0]]})
    batch = RawBatch(table, (("v.parquet", 0),), np.arange(1, 5))
    found = joined_vectors([batch], source, pa.array(["b", "a", "c"]))
    assert found.cells.to_pylist() == [[3.0], [1.0], None]
    assert found.rejections.counts() == {"duplicate": 2}


def test_what_stands_in_for_a_missing_title_or_text_is_counted() -> None:
    raw = {"id": ["a", "b", "c"], "name": ["Cap", "Sock", None], "body": ["Of wool", None, None]}
    found, _, notes = canonical_items(pa.table(raw), source_of(title="name", text="{body}"))
    assert found["title"].to_pylist() == ["Cap", "Sock", "c"]
    assert found["text"].to_pylist() == ["Of wool", "Sock", None]
    assert notes.fallbacks == {"title_from_id": 1, "text_from_title": 1, "no_text": 1}


def test_an_attribute_does_not_hide_the_column_of_its_name() -> None:
    attributes = {
        "group": {"column": "labels", "type": "list"},
        "kind": {"flags": ["warm"]},
    }
    source = source_of(category="group", text="{kind}", attributes=attributes)
    assert sorted(lent_columns(source)) == ["group", "kind"]
    assert set(item_columns(source)) == {"id", "group", "kind", "labels", "warm"}
    raw = {"id": ["a"], "group": ["Caps"], "kind": ["hat"], "labels": [f"x{LIST_MARK}y"], "warm": ["1"]}
    found = canonical_items(pa.table(raw), source)[0].to_pylist()[0]
    assert (found["category"], found["text"]) == ("Caps", "hat")
    assert json.loads(found["attributes"]) == {"group": ["x", "y"], "kind": ["warm"]}
    del raw["group"], raw["kind"]  # files without such columns: the attributes lend their names
    found = canonical_items(pa.table(raw), source)[0].to_pylist()[0]
    assert (found["category"], found["text"]) == ("x, y", "warm")


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([["a ", None, " b"], [], None, [None]], pa.list_(pa.string())),
        pa.array([["a ", None, " b"], [], None, [None]], pa.large_list(pa.large_string())),
        pa.array([f"a {LIST_MARK}{LIST_MARK} b{LIST_MARK}", "", None, LIST_MARK]),
        pa.array([f"a {LIST_MARK}{LIST_MARK} b{LIST_MARK}", "", None, LIST_MARK]).dictionary_encode(),
    ],
)
def test_elements_are_trimmed_and_an_empty_one_loses_only_itself(cells: Any) -> None:
    found, empty = as_list_cells(cells)
    assert found.to_pylist() == [f"a{LIST_MARK}b", None, None, None]
    assert empty == 2


def test_lists_of_a_fixed_length_are_lists() -> None:
    cells = pa.array([["a", None], None], pa.list_(pa.string(), 2))
    assert as_list_cells(cells)[0].to_pylist() == ["a", None]


def test_a_template_takes_trimmed_elements() -> None:
    raw = pa.table({"id": ["a"], "path": [f"Home {LIST_MARK} Caps "]})
    found = canonical_items(raw, source_of(category="{path[-1]}", text="{path}"))[0]
    assert (found["category"][0].as_py(), found["text"][0].as_py()) == ("Caps", "Home, Caps")


@pytest.mark.parametrize(
    ("old", "new", "time"),
    [
        ("2026-01-01 00:00:00", "2026-02-01T00:00:00Z", "at"),
        ("2026-01-31 23:00:00 UTC", "2026-02-01 00:00:00 +0000", "at"),
        ("31.01.2026", "01.02.2026", {"column": "at", "format": "%d.%m.%Y"}),
        ("999999999", "1000000001", {"column": "at", "unit": "s"}),
        ("999999999", "1000000001", "at"),
        (999_999_999, 1_000_000_001, "at"),
        (None, "2026-01-01", "at"),
        ("soon", "2026-01-01", "at"),
    ],
)
def test_the_latest_value_of_a_long_table_is_found_by_every_form_of_time(
    old: Any, new: Any, time: Any
) -> None:
    source = source_of(long={"name": "what", "value": "is", "time": time}, title="name")
    assert source.long is not None
    raw = {"id": ["1.0", "1"], "what": ["name", "name"], "is": ["New", "Old"], "at": [new, old]}
    table = pa.table(raw).select(long_columns("id", source.long))
    for rows in (table, table.take([1, 0])):
        batches = [RawBatch(rows.slice(place, 1), (("f", 0),), np.array([place + 1])) for place in (0, 1)]
        items, _, notes = canonical_items(
            pivot_long_table(batches, "id", source.long, ["id", "name"])[0].table, source
        )
        assert items.select(["item_id", "title"]).to_pylist() == [{"item_id": "1", "title": "New"}]
        assert notes.cast_ids["id"] == (1 if rows is table else 0)


@pytest.mark.parametrize("ids", [pa.array([f"x{LIST_MARK}"]), pa.array([["x"]]), pa.array(["x\x00"])])
def test_an_id_of_a_long_table_is_judged_as_any_other(ids: Any) -> None:
    source = source_of(long={"name": "what", "value": "is"}, title="name")
    assert source.long is not None
    batch = RawBatch(pa.table({"id": ids, "what": ["name"], "is": ["Cap"]}), (("f", 0),), np.array([1]))
    wide = pivot_long_table([batch], "id", source.long, ["id", "name"])[0].table
    assert canonical_items(wide, source)[1].counts() == {"bad_id": 1}


def test_parts_of_a_long_table_with_other_types_of_time_are_read_alike() -> None:
    source = source_of(long={"name": "what", "value": "is", "time": "at"}, title="name")
    assert source.long is not None
    typed = pa.array([datetime(2026, 2, 1), None], pa.timestamp("ms"))  # noqa: DTZ001 - as Parquet has it
    parts = [("New", typed), ("Old", pa.array(["2026-01-31T23:00:00Z", None])), ("Older", pa.nulls(2))]
    for order in (parts, parts[::-1]):
        batches = []
        for value, at in order:
            table = pa.table({"id": ["1", "2"], "what": ["name"] * 2, "is": [value] * 2, "at": at})
            batches.append(RawBatch(table, (("f", 0),), np.array([1, 2])))
        table = pivot_long_table(batches, "id", source.long, ["id", "name"])[0].table
        assert table["name"].to_pylist() == ["New", order[-1][0]]  # without a time the last row counts


def test_a_property_without_a_value_replaces_none() -> None:
    source = source_of(long={"name": "what", "value": "is"}, title="name")
    assert source.long is not None
    raw = {"id": ["1", "1"], "what": ["name", "name"], "is": ["Cap", None]}
    batch = RawBatch(pa.table(raw), (("f", 0),), np.array([1, 2]))
    assert pivot_long_table([batch], "id", source.long, ["id", "name"])[0].table["name"].to_pylist() == [
        "Cap"
    ]
