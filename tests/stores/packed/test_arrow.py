"""Arrow columns are packed to the same bytes as Feast's protobuf values of the same cells."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from recsys.errors import DataError, SchemaMismatchError
from recsys.stores.packed.arrow import entity_ids_of_arrow, pack_arrow
from recsys.stores.packed.engine import latest_rows
from recsys.stores.packed.layout import Layout, layout_of
from recsys.stores.packed.protos import entity_id, pack_protos
from recsys.stores.packed.rows import PackedRows

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
CREATED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
KEYS = (("item_id", "STRING"),)
NAN = float("nan")

COLUMNS: dict[str, Any] = {
    "INT32": pa.array([1, -(2**31), 0], pa.int32()),
    "INT64": pa.array([2**53, None, 0], pa.int64()),
    "FLOAT": pa.array([0.1, None, 0.0], pa.float32()),
    "DOUBLE": pa.array([0.1, NAN, 1e300], pa.float64()),
    "BOOL": pa.array([True, False, True]),
    "UNIX_TIMESTAMP": pa.array(
        [AT, datetime(1969, 12, 31, 23, 59, 58, tzinfo=UTC), AT], pa.timestamp("us", "UTC")
    ),
    "STRING": pa.array(["ü", None, ""]),
    "BYTES": pa.array([b"\x00", None, b""]),
    "INT32_LIST": pa.array([[1, 2], [], [3]], pa.list_(pa.int32())),
    "INT64_LIST": pa.array([[1, 2], None, [2**53 + 1]], pa.list_(pa.int64())),
    "FLOAT_LIST": pa.array([[0.1], None, []], pa.list_(pa.float32())),
    "DOUBLE_LIST": pa.array([[0.1], None, []], pa.list_(pa.float64())),
    "BOOL_LIST": pa.array([[True, False], [False], []], pa.list_(pa.bool_())),
    "STRING_LIST": pa.array([["a", ""], None, []], pa.list_(pa.string())),
    "BYTES_LIST": pa.array([[b"a", b""], None, []], pa.list_(pa.binary())),
}


def table_of(kind: str) -> tuple[Layout, pa.Table]:
    stamps = {"at": pa.array([AT] * 3, pa.timestamp("us", "UTC"))}
    stamps["created"] = pa.array([CREATED, None, CREATED], pa.timestamp("ns", "UTC"))
    table = pa.table({"item_id": ["a", "b", "c"], "x": COLUMNS[kind], **stamps})
    return layout_of("v", KEYS, (("x", kind),)), table


def by_feast(layout: Layout, table: pa.Table, kind: str) -> list[bytes]:
    cells = table.column("x").combine_chunks().to_numpy(zero_copy_only=False)
    protos = python_values_to_proto_values(cells, ValueType[kind])
    created = [CREATED, None, CREATED]
    return pack_protos(
        layout, [(None, {"x": each}, AT, made) for each, made in zip(protos, created, strict=True)]
    )


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_give_the_same_bytes_as_values(kind: str) -> None:
    layout, table = table_of(kind)
    assert pack_arrow(layout, table, "at", "created") == by_feast(layout, table, kind)


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_slice_gives_the_bytes_of_its_rows(kind: str) -> None:
    layout, table = table_of(kind)
    whole = pack_arrow(layout, table, "at", "created")
    batches = table.to_batches(max_chunksize=2)
    parts = [pack_arrow(layout, batch, "at", "created") for batch in batches]
    assert [row for part in parts for row in part] == whole


def test_large_whole_numbers_beside_a_null_stay_exact() -> None:
    # Feast's way through numpy makes such a column floats and this number even.
    layout = layout_of("v", KEYS, (("x", "INT64"),))
    table = pa.table({"x": pa.array([2**53 + 1, None], pa.int64()), "at": pa.array([AT] * 2)})
    assert PackedRows(layout, pack_arrow(layout, table, "at", None))["x"].tolist() == [2**53 + 1, 0]


def test_whole_numbers_that_pandas_made_floats_are_whole_again() -> None:
    layout = layout_of("v", KEYS, (("x", "INT64"),))
    table = pa.table({"x": pa.array([1.0, NAN], pa.float64()), "at": pa.array([AT] * 2)})
    found = PackedRows(layout, pack_arrow(layout, table, "at", None))
    assert found["x"].tolist() == [1, 0]
    null = found.null("x")
    assert null is not None
    assert null.tolist() == [False, True]


def test_a_missing_column_and_a_wrong_type_name_view_and_feature() -> None:
    layout = layout_of("v", KEYS, (("x", "INT32"),))
    at = pa.array([AT])
    with pytest.raises(SchemaMismatchError, match=r"'v' declares the feature 'x', but its source has .*at"):
        pack_arrow(layout, pa.table({"at": at}), "at", None)
    with pytest.raises(SchemaMismatchError, match=r"'v', feature 'x': int64 does not fit INT32"):
        pack_arrow(layout, pa.table({"x": pa.array([2**40]), "at": at}), "at", None)
    with pytest.raises(SchemaMismatchError, match=r"'v', feature 'x': string does not fit INT32"):
        pack_arrow(layout, pa.table({"x": pa.array(["one"]), "at": at}), "at", None)


def test_an_array_with_a_null_in_it_is_refused() -> None:
    layout = layout_of("v", KEYS, (("x", "INT64_LIST"),))
    table = pa.table({"x": pa.array([[1, None]], pa.list_(pa.int64())), "at": pa.array([AT])})
    with pytest.raises(SchemaMismatchError, match="an array holds a null"):
        pack_arrow(layout, table, "at", None)


@pytest.mark.parametrize(
    ("keys", "columns", "protos"),
    [
        ((("item_id", "STRING"),), {"item_id": ["é"]}, {"item_id": Value(string_val="é")}),
        ((("item_id", "INT64"),), {"item_id": [-5]}, {"item_id": Value(int64_val=-5)}),
        ((("item_id", "BYTES"),), {"item_id": [b"\xff"]}, {"item_id": Value(bytes_val=b"\xff")}),
        (
            (("item_id", "STRING"), ("user_id", "INT64")),
            {"user_id": [12], "item_id": ["3"]},
            {"user_id": Value(int64_val=12), "item_id": Value(string_val="3")},
        ),
    ],
)
def test_keys_of_columns_and_of_values_are_the_same(keys: Any, columns: Any, protos: dict[str, Any]) -> None:
    layout = layout_of("v", keys, (("x", "INT64"),))
    key = EntityKey(join_keys=list(protos), entity_values=list(protos.values()))
    assert entity_ids_of_arrow(layout, pa.table(columns)) == [entity_id(key)]


def test_a_null_join_key_names_its_row() -> None:
    layout = layout_of("v", KEYS, (("x", "INT64"),))
    with pytest.raises(DataError, match="'item_id' is null in row 1"):
        entity_ids_of_arrow(layout, pa.table({"item_id": ["a", None]}))


def test_latest_keeps_the_last_row_of_each_entity() -> None:
    table = pa.table(
        {
            "user_id": ["a", "a", "b", "a", "b"],
            "item_id": [1, 1, 1, 2, 1],
            "at": pa.array([1, 1, 5, 3, 4], pa.timestamp("us")),
            "created": pa.array([2, 9, None, 1, 1], pa.timestamp("us")),
            "row": np.arange(5),
        }
    )
    assert latest_rows(table, ["user_id", "item_id"], ["at", "created"])["row"].to_pylist() == [1, 2, 3]
    assert latest_rows(table, ["user_id"], ["at"])["row"].to_pylist() == [2, 3]
