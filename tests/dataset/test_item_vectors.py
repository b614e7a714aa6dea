"""Ready vectors: from cells to maps, to matrices, and to one row an item."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.catalog import Item
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.dataset.item_vectors import layout_of, layout_text, ready_matrix, ready_row, vector_rows
from recsys.features.item_content import item_vectors
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.raw.vector_cells import as_vectors
from recsys.ingest.tables.catalog import canonical_items

SOURCE = ItemSource.model_validate(
    {"files": "i", "id": "id", "vectors": {"image": "pixels", "speech": "sound"}}
)
RAW = {
    "id": ["a", "b", "c"],
    "pixels": [[3.0, 4.0], None, [0.0, 2.0]],
    "sound": ["[1, 0, 0]", "0 0 1", None],
}


@pytest.mark.parametrize(
    "cells",
    [
        [[1.0, 2.0], None],
        ["[1, 2.0]", None],
        ["1 2", " "],
        ["1,2", "[]"],
        ["1e0;2", ""],
        ["1\x1f2", None],
    ],
)
def test_lists_json_and_numbers_in_a_row_are_vectors(cells: list[object]) -> None:
    vectors, blanked = as_vectors(pa.array(cells))
    assert vectors[0] is not None
    assert vectors[0].tolist() == [1, 2]
    assert vectors[1] is None
    assert blanked == (1 if cells[1] == "[]" else 0)


def test_a_cell_of_another_width_or_without_sense_is_blanked_and_counted() -> None:
    vectors, blanked = as_vectors(pa.array(["1 2", "3 4", "1 2 3", "1 x", "nan 1", "0 0"]))
    assert [vector is not None for vector in vectors] == [True, True, False, False, False, False]
    assert blanked == 4
    halves = pa.array([[1.0, 2.0], [1.0, None]], pa.list_(pa.float64(), 2))
    assert as_vectors(halves)[1] == 1


def test_vectors_of_files_become_one_row_an_item_with_zeros_for_what_lacks() -> None:
    items, _, notes = canonical_items(pa.table(RAW), SOURCE)
    assert notes.blanked == {"image": 0, "speech": 0}
    assert layout_text(layout_of(items["vectors"])) == "image:2 speech:3"
    items = items.append_column("at", pa.nulls(3, pa.timestamp("us", "UTC")))
    rows = item_vectors(items, 0, 0).to_pylist()
    assert [row["ready_vector"] for row in rows] == [[3, 4, 1, 0, 0], [0, 0, 0, 0, 1], [0, 2, 0, 0, 0]]
    assert {row["vector_layout"] for row in rows} == {"image:2 speech:3"}


def test_a_shop_without_vectors_has_no_rows() -> None:
    source = ItemSource.model_validate({"files": "i", "id": "id"})
    items, _, _ = canonical_items(pa.table({"id": ["a", "b"]}), source)
    items = items.append_column("at", pa.nulls(2, pa.timestamp("us", "UTC")))
    assert len(item_vectors(items, 0, 0)) == 0


def test_rows_of_several_layouts_meet_in_one_and_have_unit_length() -> None:
    rows = [np.array([3.0, 4.0]), np.array([0.0, 2.0, 5.0]), np.array([1.0, 1.0, 1.0])]
    layout = (("image", 2), ("speech", 1))
    found = ready_matrix(rows, ["image:2", "image:2 speech:1", "image:3"], layout)
    np.testing.assert_allclose(found, [[0.6, 0.8, 0], [0, 1, 1], [0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(ready_row({"speech": (2.0,), "image": (3.0, 4.0)}, layout), [0.6, 0.8, 1])
    assert ready_row({"image": ()}, layout).tolist() == [0, 0, 0]


def test_vectors_of_an_item_survive_the_log() -> None:
    items = [Item("a", "A", "A", vectors={"image": (0.5, 1.5)}), Item("b", "B", "B")]
    table = items_table(items)
    assert [item.vectors for item in items_of(table)] == [{"image": (0.5, 1.5)}, {}]
    assert vector_rows(table["vectors"], (("image", 2),)).tolist() == [[0.5, 1.5], [0, 0]]


def test_vectors_that_an_upsert_takes_away_are_gone_for_the_feature_store_too() -> None:
    rows = item_vectors(
        items_table([Item("a", "A", "A"), Item("b", "B", "B", vectors={"image": (1.0,)})]), 0, 0
    )
    assert dict(zip(rows["item_id"].to_pylist(), rows["ready_vector"].to_pylist(), strict=True)) == {
        "a": [0.0],
        "b": [1.0],
    }


def test_lists_of_texts_are_read_as_numbers_or_blanked() -> None:
    vectors, blanked = as_vectors(pa.array([["1", "2.5"], ["a", "b"], None, []], pa.list_(pa.string())))
    assert [None if vector is None else vector.tolist() for vector in vectors] == [
        [1.0, 2.5],
        None,
        None,
        None,
    ]
    assert blanked == 1


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (0, 4), (1, 5), (1, 3), (4, 5), (2, 2)])
def test_a_slice_of_a_column_has_the_vectors_of_its_rows(start: int, stop: int) -> None:
    a, b = [("image", [1.0, 2.0])], [("image", [3.0, 4.0]), ("speech", [5.0])]
    kind = pa.map_(pa.string(), pa.list_(pa.float32()))
    column = pa.chunked_array([pa.array([a, None, b, a, []], kind)])
    layout = layout_of(column)
    assert layout == (("image", 2), ("speech", 1))
    rows = vector_rows(column, layout)
    assert rows.tolist() == [[1, 2, 0], [0, 0, 0], [3, 4, 5], [1, 2, 0], [0, 0, 0]]
    part = column.slice(start, stop - start)
    assert vector_rows(part, layout).tolist() == rows[start:stop].tolist()
    assert layout_of(part) == layout_of(pa.array(part.to_pylist(), kind))
