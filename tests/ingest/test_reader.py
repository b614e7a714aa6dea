"""Reading a shop's files: every format, right row numbers, and errors that say where."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import ConfigError, DataError, SchemaMismatchError
from recsys.ingest.background import prefetch
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.readers import text_stream
from recsys.ingest.readers.files import find_files, read_batches
from recsys.ingest.readers.limits import ReadLimits


def read(folder: Path, columns: list[str], **source: Any) -> RawBatch:
    return concat_batches(list(read_batches(Source.model_validate(source), folder, columns)), columns)


def rows(batch: RawBatch) -> list[tuple[Any, ...]]:
    return list(zip(batch.rows.tolist(), *batch.table.to_pydict().values(), strict=True))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv_cells_are_texts_with_the_row_numbers_of_the_file(tmp_path: Path, name: str) -> None:
    content = b'id,title\n007,"Tea, green"\n8,"two\nlines"\n9,\n'
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    batch = read(tmp_path, ["title", "id"], files="a.csv")
    assert batch.table.to_pydict() == {"title": ["Tea, green", "two\nlines", None], "id": ["007", "8", "9"]}
    assert batch.rows.tolist() == [2, 3, 5]  # as an editor counts: the second is lines 3 and 4
    assert batch.rows_by_file() == [(name, 3)]


def test_rows_of_another_width_are_set_aside_and_the_numbering_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1,1\n2\n3,3\n4,4,4\n")
    batch = read(tmp_path, ["id"], files="a.csv")
    assert rows(batch) == [(2, "1"), (4, "3")]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(3, "2"), (5, "4,4,4")]
    assert batch.malformed[0].detail == "1 columns instead of 2"
    assert batch.seen == 4


def test_numbering_holds_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_stream, "BLOCK_BYTES", 64)
    bad = {30, 31, 77}
    lines = ["only" if number in bad else f"{number},x" for number in range(2, 101)]
    (tmp_path / "a.csv").write_text("\n".join(["id,n", *lines]) + "\n")
    batch = read(tmp_path, ["id"], files="a.csv")
    assert [str(row) for row in batch.rows] == batch.table["id"].to_pylist()
    assert sorted(found.row for found in batch.malformed) == sorted(bad)


def test_pipes_latin_1_no_header_and_no_quotes(tmp_path: Path) -> None:
    (tmp_path / "u.item").write_bytes('1|Am\xe9lie "x|0\n'.encode("latin-1"))
    source = {"delimiter": "|", "header": False, "quote": "", "encoding": "latin-1"}
    batch = read(tmp_path, ["t"], files="u.item", names=["i", "t", "n"], **source)
    assert rows(batch) == [(1, 'Amélie "x')]


def test_a_long_delimiter(tmp_path: Path) -> None:
    (tmp_path / "m.dat").write_bytes("1::Sabrina (1995): a film::Am\xe9\n".encode("latin-1"))
    source = {"delimiter": "::", "header": False, "quote": "", "encoding": "latin-1"}
    batch = read(tmp_path, ["b", "c"], files="m.dat", names=["a", "b", "c"], **source)
    assert rows(batch) == [(1, "Sabrina (1995): a film", "Amé")]


def test_tabs_by_the_file_name_and_texts_that_mean_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("id\tn\n1\tNULL\n")
    assert rows(read(tmp_path, ["n"], files="a.tsv", nulls=["", "NULL"])) == [(2, None)]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("\ufeffid,n\n1,2\n".encode())
    assert rows(read(tmp_path, ["id"], files="a.csv")) == [(2, "1")]


def test_json_lines_reach_into_objects_and_join_lists(tmp_path: Path) -> None:
    documents = [
        {"id": 1, "details": {"Brand": "A"}, "tags": ["x", ["y"]], "price": 2.0, "ok": True},
        {"id": 2, "details": None, "a.b": "flat"},
    ]
    text = "\n".join([json.dumps(documents[0]), "", "{broken", json.dumps(documents[1]), "[1]"])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    batch = read(tmp_path, ["id", "details.Brand", "tags", "price", "ok", "a.b"], files="*.jsonl.gz")
    assert rows(batch) == [
        (1, "1", "A", f"x{LIST_MARK}y{LIST_MARK}", "2", "true", None),
        (4, "2", None, None, None, None, "flat"),
    ]
    assert [bad.row for bad in batch.malformed] == [3, 5]


def test_a_json_array_is_read_with_the_places_of_its_elements(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '\ufeff[\n{"id": 1, "d": {"b": "x"}},\n 7,\n{"id": 12345678901234567890123}\n]\n'
    )
    batch = read(tmp_path, ["id", "d.b"], files="a.json")
    assert rows(batch) == [(1, "1", "x"), (3, "12345678901234567890123", None)]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(2, "7")]


def test_the_list_of_a_json_document_is_named_by_records(tmp_path: Path) -> None:
    document = {"count": 2, "data": {"orders": [{"id": "a"}, {"id": "b"}]}}
    (tmp_path / "a.json").write_text(json.dumps(document, indent=2))
    assert rows(read(tmp_path, ["id"], files="a.json", records="data.orders")) == [(1, "a"), (2, "b")]
    pages = "\n".join(json.dumps({"orders": [{"id": page}]}) for page in ("a", "b"))  # a page a line
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(pages.encode()))
    assert rows(read(tmp_path, ["id"], files="b.json", records="orders")) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("text", "source", "said"),
    [
        ('{\n "orders": []\n}', {}, "Name the list of its rows as `records`"),
        ('{"orders": []}', {"records": "order"}, r"no list under `records = 'order'` \(it has: orders\)"),
        ('{"orders": {}}', {"records": "orders"}, "no list under"),
        ('[{"id": 1}', {}, "not a JSON document"),
        ('[{"id": 1}]\n{"id": 2}\n', {}, "something else"),
        ('[{"name": 1}]', {}, "none of 1 objects has a field 'id'"),
    ],
)
def test_a_json_document_that_cannot_be_read_says_why(
    tmp_path: Path, text: str, source: dict[str, str], said: str
) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read(tmp_path, ["id"], files="a.json", **source)


def test_a_large_json_document_is_refused_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[\n" + ",\n".join(['{"id": 1}'] * 500) + "\n]")
    limits = ReadLimits(document_bytes=4096)
    with pytest.raises(DataError, match="most_document_bytes"):
        list(read_batches(Source(files=("a.json",)), tmp_path, ["id"], limits))


def test_records_mean_nothing_for_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    with pytest.raises(ConfigError, match="'records' means nothing"):
        read(tmp_path, ["id"], files="a.csv", records="orders")


def test_parquet_keeps_types_and_reaches_into_structs(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "d": [{"b": "x"}, None], "unused": [0, 0]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert rows(read(tmp_path, ["id", "d.b"], files="a.parquet")) == [(1, 1, "x"), (2, 2, None)]


def test_cells_with_lists_are_split(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("g\nA|B\n")
    assert rows(read(tmp_path, ["g"], files="a.csv", lists={"g": "|"})) == [(2, f"A{LIST_MARK}B")]


def test_several_files_come_in_order_each_with_its_own_numbers(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text(f"id\n{name}1\n{name}2\n")
    batch = read(tmp_path, ["id"], files="*.csv")
    assert rows(batch) == [(2, "a1"), (3, "a2"), (2, "b1"), (3, "b2")]
    assert batch.rows_by_file() == [("a.csv", 2), ("b.csv", 2)]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"user_id,item\n1,2\n"), ("a.parquet", None)],
)
def test_a_missing_column_names_file_column_and_the_nearest(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        pq.write_table(pa.table({"user_id": [1]}), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SchemaMismatchError, match=rf"{name} has no column 'userid'. Did you mean 'user_id'"):
        read(tmp_path, ["userid"], files=name)


def test_another_encoding_names_row_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\nplain\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"a.csv, row 3: b'caf\\xe9' is not utf-8.*encoding = 'latin-1'"):
        read(tmp_path, ["id"], files="a.csv")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz", "a.parquet"])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, name: str) -> None:
    import random

    numbers = [random.Random(0).random() for _ in range(5000)]
    if name.endswith("parquet"):
        pq.write_table(pa.table({"id": numbers}), tmp_path / name)
        whole_file = (tmp_path / name).read_bytes()
    elif "jsonl" in name:
        whole_file = gzip.compress("".join(f'{{"id": {number}}}\n' for number in numbers).encode())
    else:
        whole_file = gzip.compress(("id\n" + "".join(f"{number}\n" for number in numbers)).encode())
    (tmp_path / name).write_bytes(whole_file[: len(whole_file) // 2])
    with pytest.raises(DataError, match=name):
        read(tmp_path, ["id"], files=name)


def test_a_file_that_is_not_there_lists_what_is(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("id\n")
    with pytest.raises(DataError, match=r"no file 'a.csv' \(there is: other.csv\)"):
        find_files(Source.model_validate({"files": "a.csv"}), tmp_path)


@pytest.mark.parametrize("name", ["../a.csv", "/etc/passwd"])
def test_files_outside_the_source_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="leaves the source folder"):
        find_files(Source.model_validate({"files": name}), tmp_path)


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\n")
    assert read(tmp_path, ["id"], files="a.csv").seen == 0


def test_an_error_of_the_reading_thread_reaches_the_caller(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    batches = prefetch(read_batches(Source.model_validate({"files": "a.csv"}), tmp_path, ["x"]))
    with pytest.raises(SchemaMismatchError):
        list(batches)


def test_no_batches_make_one_without_rows() -> None:
    nothing = concat_batches([], ["id"])
    assert (len(nothing.table), nothing.rows_by_file()) == (0, [])
