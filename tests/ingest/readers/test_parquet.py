"""Parquet: every type is read as plain values or refused by name with the remedy; sizes judged beforehand."""

import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError, SchemaMismatchError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.cells import as_text
from recsys.ingest.readers.files import read_batches
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits
from recsys.ingest.readers.parquet_columns import plain_column


def read(
    folder: Path,
    columns: list[str],
    files: str = "*.parquet",
    limits: ReadLimits = DEFAULT_LIMITS,
    **source: Any,
) -> RawBatch:
    batches = read_batches(Source.model_validate({"files": files, **source}), folder, columns, limits)
    return concat_batches(list(batches), columns)


def texts(column: pa.Array) -> list[str | None]:
    """What the import's texts of a column are."""
    found: list[str | None] = as_text(plain_column("c", column).values).to_pylist()
    return found


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.large_string(), ["a", None], ["a", None]),
        (pa.string_view(), ["a", None], ["a", None]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", "b"], ["a", "b"]),
        (pa.dictionary(pa.int8(), pa.int64()), [7, None], ["7", None]),
        (pa.binary(), [b"caf\xc3\xa9"], ["café"]),
        (pa.large_binary(), [b"a"], ["a"]),
        (pa.binary_view(), [b"a"], ["a"]),
        (pa.binary(2), [b"ab"], ["ab"]),
        (pa.int8(), [-3], ["-3"]),
        (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
        (pa.float16(), [1.5], ["1.5"]),
        (pa.decimal128(38, 0), [Decimal(10**37 + 1)], [str(10**37 + 1)]),
        (pa.decimal256(60, 0), [Decimal(10**50)], [str(10**50)]),
        (pa.time32("s"), [time(9, 30)], ["09:30:00"]),
        (pa.time64("us"), [time(9, 30, 0, 5)], ["09:30:00.000005"]),
        (pa.duration("s"), [timedelta(minutes=2)], ["120"]),
        (pa.bool_(), [True, False], ["true", "false"]),
        (pa.null(), [None], [None]),
        (pa.date32(), [date(2024, 1, 5)], ["2024-01-05"]),
    ],
    ids=str,
)
def test_types_that_have_a_text(kind: pa.DataType, values: list[Any], expected: list[str | None]) -> None:
    assert texts(pa.array(values, kind)) == expected


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()),
        pa.large_list(pa.string()),
        pa.list_(pa.string(), 2),
        pa.list_view(pa.string()),
        pa.large_list_view(pa.string()),
        pa.list_(pa.dictionary(pa.int8(), pa.string())),
        pa.list_(pa.binary()),
    ],
    ids=str,
)
def test_every_kind_of_list_is_a_list(kind: pa.DataType) -> None:
    array = pa.array([["z", "z"], ["a", "b"], None, ["c", "d"]], kind).slice(1)
    assert plain_column("c", array).values.to_pylist() == [["a", "b"], None, ["c", "d"]]


def test_a_list_of_lists_is_one_list() -> None:
    array = pa.array([[["a"], ["b", "c"]], [], None, [["d"]]], pa.list_(pa.list_(pa.string())))
    assert plain_column("c", array).values.to_pylist() == [["a", "b", "c"], [], None, ["d"]]


@pytest.mark.parametrize("stored", [True, False], ids=["by Arrow", "by another writer"])
def test_a_uuid_is_its_canonical_text(tmp_path: Path, stored: bool) -> None:
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([UUID.bytes, None], pa.binary(16)))
    pq.write_table(pa.table({"id": column}), tmp_path / "a.parquet", store_schema=stored)
    assert read(tmp_path, ["id"]).table["id"].to_pylist() == [str(UUID), None]


def test_bytes_that_are_no_text_set_their_row_aside(tmp_path: Path) -> None:
    ids = pa.array([b"a", b"\xff\x00", None, b"d"], pa.binary())
    pq.write_table(pa.table({"id": ids, "n": [1, 2, 3, 4]}), tmp_path / "a.parquet")
    batch = read(tmp_path, ["id", "n"])
    assert batch.table.to_pydict() == {"id": ["a", None, "d"], "n": [1, 3, 4]}
    assert batch.rows.tolist() == [1, 3, 4]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(2, r"id = b'\xff\x00'")]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([b"\xff"], pa.binary()), "bytes that are not UTF-8 text.*Write it as text"),
        (pa.array([{"id": "x"}]), r"holds objects \(fields: c.id\).*dotted path, such as 'c.id'"),
        (pa.array([[{"id": "x"}]]), "lists of objects.*lines = 'c'"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "a map.*dotted path, such as 'c.key'"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "type month_day_nano_interval"),
    ],
    ids=["bytes", "struct", "list of structs", "map", "interval"],
)
def test_what_has_no_text_is_refused_by_name(tmp_path: Path, column: pa.Array, told: str) -> None:
    if pa.types.is_interval(column.type):
        with pytest.raises(SchemaMismatchError, match=told):
            plain_column("c", column)
        return
    pq.write_table(pa.table({"c": column}), tmp_path / "a.parquet")
    with pytest.raises(SchemaMismatchError, match=f"a.parquet: column 'c' .*{told}"):
        read(tmp_path, ["c"])


def test_a_dotted_path_reaches_into_structs_and_maps(tmp_path: Path) -> None:
    tags = pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string()))
    table = pa.table({"a": [{"b": {"c": 1}}, None], "tags": tags})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path, ["a.b.c", "tags.k"]).table.to_pydict() == {
        "a.b.c": [1, None],
        "tags.k": ["v", None],
    }


@pytest.mark.parametrize(
    ("path", "told"),
    [("user.idd", "no field 'idd'. Did you mean 'user.id'"), ("n.id", "type int64, so it has no field 'id'")],
)
def test_a_wrong_dotted_path_is_not_a_damaged_file(tmp_path: Path, path: str, told: str) -> None:
    pq.write_table(pa.table({"user": [{"id": 1}], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(SchemaMismatchError, match=told):
        read(tmp_path, [path])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (pa.array([5]), pa.array([5.5]), ["5", "5.5"]),
        (pa.array([2**53 + 1]), pa.array([0.5]), ["9007199254740993", "0.5"]),
        (pa.array([1]), pa.array(["1"]), ["1", "1"]),
        (pa.array([1.0]), pa.array(["1"]), ["1", "1"]),
        (pa.array([2**63], pa.uint64()), pa.array([-1]), ["9223372036854775808", "-1"]),
        (pa.array(["a"]), pa.nulls(1), ["a", None]),
        (pa.array([True]), pa.array(["no"]), ["true", "no"]),
        (pa.array([Decimal("7.5")]), pa.array([7]), ["7.5", "7"]),
        (pa.array([["a"]]), pa.array(["b"]), ["a", "b"]),
        (pa.array([["a"]]), pa.array([["b"]], pa.list_(pa.string(), 1)), ["a", "b"]),
        (pa.array(["x"]).dictionary_encode(), pa.array(["y"], pa.large_string()), ["x", "y"]),
    ],
    ids=str,
)
def test_parts_of_other_types_are_one_column(
    tmp_path: Path, first: pa.Array, second: pa.Array, expected: list[str | None]
) -> None:
    if pa.types.is_decimal(first.type):
        first = first.cast(pa.decimal128(9, 2))
    pq.write_table(pa.table({"c": first}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"c": second}), tmp_path / "2.parquet")
    assert as_text(read(tmp_path, ["c"]).table["c"]).to_pylist() == expected


def test_instants_of_parts_keep_their_meaning(tmp_path: Path) -> None:
    noon = datetime.fromisoformat("2024-01-05T12:00:00")
    for name, kind in (("1", pa.timestamp("ms")), ("2", pa.timestamp("ns")), ("3", pa.date32())):
        pq.write_table(pa.table({"at": pa.array([noon], kind)}), tmp_path / f"{name}.parquet")
    found = read(tmp_path, ["at"]).table["at"]
    assert found.to_pylist() == [noon, noon, datetime.fromisoformat("2024-01-05")]
    pq.write_table(pa.table({"at": pa.array([noon], pa.timestamp("us", "UTC"))}), tmp_path / "4.parquet")
    mixed = read(tmp_path, ["at"]).table["at"].to_pylist()  # those without a zone stay without one
    assert [text.endswith("Z") for text in mixed] == [False, False, False, True]


def test_a_csv_part_beside_a_parquet_part(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,price\n007,2\n")
    pq.write_table(pa.table({"id": [8], "price": [2.5]}), tmp_path / "2.parquet")
    table = read(tmp_path, ["id", "price"], files="[12].*").table
    assert table.to_pydict() == {"id": ["007", "8"], "price": ["2", "2.5"]}


def test_many_rows_of_few_bytes_are_refused_by_the_footer(tmp_path: Path) -> None:
    table = pa.table({"id": pa.repeat(pa.scalar(1), 1_000_000), "n": pa.repeat(pa.scalar("x"), 1_000_000)})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000  # 200 times that is under 4 MB
    with pytest.raises(DataError, match=r"unpacks to 7 MiB or more.* raise most_unpacked_ratio"):
        read(tmp_path, ["id", "n"], limits=ReadLimits(free_bytes=0))  # 2 x 1,000,000 x 4 bytes
    assert read(tmp_path, ["id"]).seen == 1_000_000  # by default 64 MiB are never too many


def test_a_long_text_repeated_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    table = pa.table({"id": pa.DictionaryArray.from_arrays([0] * 100_000, ["x" * 10_000])})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(DataError, match=r"a.parquet unpacks to 953 MiB or more"):  # 100,000 x 10,000 bytes
        read(tmp_path, ["id"])
