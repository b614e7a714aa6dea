"""Items and users from their files."""

import json
from datetime import UTC, datetime
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


def test_a_category_path_has_its_levels_in_columns_in_one_text_or_in_a_list() -> None:
    raw = {
        "id": ["1", "2", "3"],
        "dept": ["HOME", None, None],
        "group": ["Pots/Pans", "Tea", None],
        "crumb": ["Home > Kitchen > Pots / Pans", " Food>", None],
        "path": ["/Home//Kitchen/", "Food", "/"],
        "levels": [f"Home{LIST_MARK}Kitchen", f"Food{LIST_MARK}", None],
    }

    def paths(category_path: Any) -> list[str | None]:
        found: list[str | None] = items(raw, category_path=category_path)["category_path"].to_pylist()
        return found

    assert paths(["{dept|title}", "group"]) == ["Home/Pots-Pans", "Tea", None]
    assert paths({"column": "crumb", "separator": ">"}) == ["Home/Kitchen/Pots - Pans", "Food", None]
    assert paths("path") == ["Home/Kitchen", "Food", None]
    assert paths("levels") == ["Home/Kitchen", "Food", None]
    assert paths("{levels[0]}") == ["Home", "Food", None]


def test_products_and_first_instants_that_cannot_be_read_are_blank_and_counted() -> None:
    source = ItemSource.model_validate(
        {
            "files": "i",
            "id": "id",
            "product_id": "parent",
            "first_at": {"column": "since", "format": "%d/%m/%Y", "zone": "Europe/Paris"},
        }
    )
    raw = pa.table(
        {
            "id": ["1", "2", "3"],
            "parent": ["12358.0", "x" * 300, None],
            "since": ["02/01/2026", "soon", None],
        }
    )
    found, rejections, notes = canonical_items(raw, source)
    assert found["product_id"].to_pylist() == ["12358", None, None]
    # midnight in Paris is an hour before midnight UTC
    assert found["first_at"].to_pylist() == [datetime(2026, 1, 1, 23, tzinfo=UTC), None, None]
    assert (notes.blanked["product_id"], notes.blanked["first_at"]) == (1, 1)
    assert rejections.kept.all()
    assert sorted(item_columns(source)) == ["id", "parent", "since"]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"category_path": {"columns": ["a"], "separator": ">"}}, "takes `separator` only with `column`"),
        ({"category_path": {"column": "a", "columns": ["b"]}}, "takes either `column` or `columns`"),
        ({"category_path": []}, "takes either `column` or `columns`"),
        ({"first_at": {"unit": "order"}}, "is an instant"),
        ({"files": (), "product_id": "p"}, "has columns but no `files`"),
    ],
)
def test_a_mapping_that_cannot_mean_a_path_a_product_or_an_instant(
    source: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        ItemSource.model_validate({"files": "i.csv", "id": "id", **source})
