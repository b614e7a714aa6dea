"""Items and users from their files."""

import json
from typing import Any

import pyarrow as pa
import pytest

from recsys import catalog
from recsys.errors import DataError
from recsys.ingest.mapping.catalog_sources import ItemSource, UserSource
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.tables import catalog as catalog_tables
from recsys.ingest.tables.catalog import canonical_items, canonical_users, item_columns, reject_key_collisions


def items(raw: dict[str, list[Any]], **source: Any) -> pa.Table:
    found, _, _ = canonical_items(
        pa.table(raw), ItemSource.model_validate({"files": "i.csv", "id": "id", **source})
    )
    return found


def test_an_item_without_a_title_is_shown_by_its_id_and_has_no_text() -> None:
    found = items({"id": ["1", "2"], "t": ["Tea", None]}, title="t")
    assert found["title"].to_pylist() == ["Tea", "2"]
    assert found["text"].to_pylist() == ["Tea", None]
    assert found["available"].to_pylist() == [True, True]


def test_attributes_are_one_json_object_with_types() -> None:
    raw = {
        "id": ["1", "2"],
        "colour": ['red "wine"', None],
        "weight": ["1.50", "heavy"],
        "tags": [f"a{LIST_MARK}b", None],
        "vegan": ["1", "0"],
        "organic": ["1", "1"],
    }
    attributes = {
        "colour": "colour",
        "weight": {"column": "weight", "type": "number"},
        "tags": {"column": "tags", "type": "list"},
        "labels": {"flags": ["vegan", "organic"]},
    }
    found = items(raw, attributes=attributes)
    assert [json.loads(text) for text in found["attributes"].to_pylist()] == [
        {"colour": 'red "wine"', "weight": 1.5, "tags": ["a", "b"], "labels": ["vegan", "organic"]},
        {"labels": ["organic"]},
    ]


def test_a_template_may_name_a_list_that_is_an_attribute() -> None:
    source = {"text": "{t}: {labels}", "attributes": {"labels": {"flags": ["vegan", "organic"]}}}
    raw = {"id": ["1"], "t": ["Tea"], "vegan": ["1"], "organic": ["1"]}
    assert items(raw, **source)["text"].to_pylist() == ["Tea: vegan, organic"]
    wanted = item_columns(ItemSource.model_validate({"files": "i", "id": "id", **source}))
    assert sorted(wanted) == ["id", "labels", "organic", "t", "vegan"]


def test_a_price_that_cannot_be_read_is_blank_and_counted() -> None:
    source = ItemSource.model_validate({"files": "i", "id": "id", "price": {"column": "p", "strip": "$"}})
    raw = pa.table({"id": ["1", "2", "3", "4"], "p": ["$1.99", "see shop", None, "-1"]})
    found, rejections, notes = canonical_items(raw, source)
    assert found["price_micros"].to_pylist() == [1_990_000, None, None, None]
    assert notes.blanked["price_micros"] == 2
    assert rejections.kept.all()


def test_of_rows_with_one_id_the_last_counts_where_the_mapping_says_so() -> None:
    source = ItemSource.model_validate({"files": "i", "id": "id", "title": "t", "rows": "last"})
    raw = pa.table({"id": ["1", "2", "1", None], "t": ["old", "x", "new", "?"]})
    found, rejections, _ = canonical_items(raw, source)
    assert found["title"].to_pylist() == ["x", "new"]
    assert rejections.counts() == {"missing_item": 1, "duplicate": 1}


def test_any_condition_makes_an_item_unavailable() -> None:
    conditions = [{"column": "stock", "at_most": 0}, {"column": "kind", "in": ["fuel"]}]
    raw = {"id": ["1", "2", "3"], "stock": ["0", "5", None], "kind": ["tea", "fuel", "tea"]}
    assert items(raw, unavailable=conditions)["available"].to_pylist() == [False, False, True]


def test_users_keep_what_they_told_the_shop() -> None:
    source = UserSource.model_validate(
        {"files": "u", "id": "id", "attributes": {"age": {"column": "age", "type": "number"}}}
    )
    found, _, _ = canonical_users(pa.table({"id": [7, 8], "age": [24, None]}), source)
    assert found.to_pydict() == {"user_id": ["7", "8"], "attributes": ['{"age":24}', "{}"]}


def test_two_items_with_one_key_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    reject_key_collisions(["a", "b"])
    # A real collision of 64 bits cannot be made to order.
    monkeypatch.setattr(catalog_tables, "stable_key", lambda text: catalog.stable_key(text[0]))
    with pytest.raises(DataError, match="'a1' and 'a2' share"):
        reject_key_collisions(["a1", "b1", "a2"])
