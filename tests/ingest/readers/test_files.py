"""Files as shops deliver them: packed, in folders, misnamed, empty, from spreadsheets, too large."""

import bz2
import gzip
import lzma
import os
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import ConfigError, DataError, SchemaMismatchError
from recsys.ingest.mapping.catalog_sources import ItemSource
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.readers import text_stream
from recsys.ingest.readers.files import find_files, read_batches
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits


def read(
    folder: Path, columns: list[str], files: str, limits: ReadLimits = DEFAULT_LIMITS, **source: Any
) -> RawBatch:
    batches = read_batches(Source.model_validate({"files": files, **source}), folder, columns, limits)
    return concat_batches(list(batches), columns)


def cells(batch: RawBatch) -> list[tuple[Any, ...]]:
    return list(zip(batch.rows.tolist(), *batch.table.to_pydict().values(), strict=True))


def packed(how: str, content: bytes) -> bytes:
    if how in ("zstd", "lz4"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, how) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()
    return {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[how](content)


@pytest.mark.parametrize("name", ["a.csv", "a.dat"])
@pytest.mark.parametrize("how", ["gzip", "bz2", "xz", "zstd", "lz4"])
def test_packed_files_are_known_by_their_contents(tmp_path: Path, how: str, name: str) -> None:
    (tmp_path / name).write_bytes(packed(how, b"id,n\n1,2\n"))
    assert cells(read(tmp_path, ["id"], name)) == [(2, "1")]


@pytest.mark.parametrize("how", ["gzip", "bz2", "xz", "zstd", "lz4"])
def test_a_packed_file_that_is_cut_off_is_told(tmp_path: Path, how: str) -> None:
    whole = packed(how, b"id\n" + os.urandom(30_000).hex().encode())
    (tmp_path / "a.csv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"a.csv is cut off or damaged"):
        read(tmp_path, ["id"], "a.csv")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst", ".lz4"])
def test_the_suffix_of_a_packed_file_may_be_left_out(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.csv{suffix}").write_bytes(gzip.compress(b"id\n1\n"))
    assert [path.name for path in find_files(Source(files=("a.csv",)), tmp_path)] == [f"a.csv{suffix}"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "an Excel workbook .*CSV"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 9, "a 7z archive. Unpack"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (b"Obj\x01" + b"\x04", "an Avro file"),
        (b"ORC" + b"\x08\x03\x00", "an ORC file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"a" * 257 + b"ustar\x00", "a tar archive"),
        (gzip.compress(gzip.compress(b"id\n", mtime=0), mtime=0), "packed twice"),
        (gzip.compress(b"a" * 257 + b"ustar\x00", mtime=0), "a tar archive"),
    ],
)
def test_files_that_are_no_tables_are_told_by_name(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"a.csv is {told}"):
        read(tmp_path, ["id"], "a.csv")


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("orders.csv", r"a zip archive \(inside: orders.csv\). Unpack"),
        ("xl/workbook.xml", "an Excel workbook ..xlsx.*CSV UTF-8"),
        ("content.xml", "a spreadsheet ..ods"),
    ],
)
def test_zip_archives_and_workbooks_are_told_apart(tmp_path: Path, member: str, told: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.csv", "w") as archive:
        archive.writestr(member, "id\n1\n")
    with pytest.raises(DataError, match=f"a.csv is {told}"):
        read(tmp_path, ["id"], "a.csv")


@pytest.mark.parametrize("name", ["ORCHID", "PARENT", "PAR1", "BZh9"])
def test_a_column_name_that_begins_like_a_binary_file_is_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"{name},n\n1,2\n")
    assert cells(read(tmp_path, [name], "a.csv")) == [(2, "1")]


@pytest.mark.parametrize("name", ["", ".", "orders**.csv"])
def test_what_is_not_a_glob_is_refused_with_an_example(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"is not a name or a glob\. Write for example 'orders\.csv'"):
        find_files(Source(files=(name,)), tmp_path)


def test_a_file_name_with_brackets_is_found(tmp_path: Path) -> None:
    for name in ("orders[1].csv", "orders2.csv", "orders3.csv"):
        (tmp_path / name).write_text("a\n")
    assert [path.name for path in find_files(Source(files=("orders[1].csv",)), tmp_path)] == ["orders[1].csv"]
    globbed = find_files(Source(files=("orders[23].csv",)), tmp_path)
    assert [path.name for path in globbed] == ["orders2.csv", "orders3.csv"]


def test_a_parquet_file_of_another_name_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.csv")
    assert cells(read(tmp_path, ["id"], "a.csv")) == [(1, 1)]
    with pytest.raises(DataError, match=r"a.csv is a Parquet file, but the mapping says format = 'csv'"):
        read(tmp_path, ["id"], "a.csv", format="csv")


def test_json_lines_of_another_name_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('{"id": 1}\n')
    assert cells(read(tmp_path, ["id"], "a.txt")) == [(1, "1")]


@pytest.mark.parametrize(("content", "told"), [(b"", "is empty"), (b"id,n\n1,2\n", "begins with b'id,n")])
def test_a_file_named_parquet_that_is_none_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=f"a.parquet is not a readable Parquet file: it {told}"):
        read(tmp_path, ["id"], "a.parquet")


def test_a_folder_is_its_files_and_what_their_folders_say(tmp_path: Path) -> None:
    for day, number in (("2024-01-05", 1), ("a%2Fb", 2), ("__HIVE_DEFAULT_PARTITION__", 3)):
        part = tmp_path / "events.parquet" / f"day={day}"
        part.mkdir(parents=True)
        pq.write_table(pa.table({"id": [number]}), part / "part-0.snappy.parquet")
        (part / ".part-0.crc").write_bytes(b"crc")
    (tmp_path / "events.parquet" / "_SUCCESS").write_bytes(b"")
    batch = read(tmp_path, ["day", "id"], "events.parquet")
    assert sorted(batch.table["id"].to_pylist()) == [1, 2, 3]
    assert dict(zip(batch.table["id"].to_pylist(), batch.table["day"].to_pylist(), strict=True)) == {
        1: "2024-01-05",
        2: "a/b",
        3: None,
    }


@pytest.mark.parametrize("log", ["_delta_log/0.json", "metadata/v1.metadata.json"])
def test_a_folder_with_a_log_of_its_own_is_refused(tmp_path: Path, log: str) -> None:
    (tmp_path / "events" / log).parent.mkdir(parents=True)
    (tmp_path / "events" / log).write_text("{}")
    with pytest.raises(DataError, match="events is a Delta or Iceberg table"):
        read(tmp_path, ["id"], "events")


def test_a_folder_of_csv_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    for part in (1, 2):
        (tmp_path / "out.csv" / f"part-0000{part}").write_text(f"id,n\n{part},x\n")
    assert cells(read(tmp_path, ["id"], "out.csv")) == [(2, "1"), (2, "2")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty is a folder without files"):
        read(tmp_path, ["id"], "empty")


@pytest.mark.parametrize("empty", [b"", b"\n\n", b"id,n\n", b"\xef\xbb\xbf", b"gz"])
@pytest.mark.parametrize("name", ["b.csv", "b.csv.gz"])
def test_an_empty_file_among_several_has_no_rows_and_is_counted(
    tmp_path: Path, name: str, empty: bytes
) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1,2\n")
    (tmp_path / name).write_bytes(gzip.compress(b"") if empty == b"gz" else empty)
    batches = list(read_batches(Source(files=("*.csv*",)), tmp_path, ["id"]))
    counts = dict(pair for batch in batches for pair in batch.rows_by_file())
    assert counts == {"a.csv": 1, name: 0}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id,n,,\n1,2,,\n3,4,,\n", [(2, "1"), (3, "3")]),
        ("id,n\n1,2,\n3,4,,\n5,6\n", [(2, "1"), (3, "3"), (4, "5")]),
        ('"id","n"\n"1","2",""\n"3","4", ,""\n"5",", """\n', [(2, "1"), (3, "3"), (4, "5")]),
        ("id,n,,\n1,2\n3,4,\n5,6,,\n", [(2, "1"), (3, "3"), (4, "5")]),
        ("\n\nid,n\n1,2\n", [(4, "1")]),
        (" ,\nid,n\n1,2\n\n3,4\n", [(3, "1"), (5, "3")]),
        ("sep=;\nid;n\n1;2\n", [(3, "1")]),
        ('"sep=;"\r\n\r\nid;n\r\n1;2\r\n', [(4, "1")]),
        ("id,x,x\n1,2,3\n", [(2, "1")]),
        (' id ,"n"\n1,2', [(2, "1")]),
    ],
)
def test_files_as_spreadsheets_write_them(tmp_path: Path, text: str, rows: list[tuple[int, str]]) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    batch = read(tmp_path, ["id"], "a.csv")
    assert (cells(batch), batch.malformed) == (rows, ())


def test_cells_beyond_the_columns_are_no_empty_cells(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,n\n1,2,\n3,4,5\n6\n7,8\n")
    batch = read(tmp_path, ["id"], "a.csv")
    assert cells(batch) == [(2, "1"), (5, "7")]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(3, "3,4,5"), (4, "6")]


def test_two_columns_of_one_name_are_an_error_where_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x,x\n1,2,3\n")
    with pytest.raises(SchemaMismatchError, match="two columns 'x'"):
        read(tmp_path, ["x"], "a.csv")


@pytest.mark.parametrize(
    ("name", "setting", "told"),
    [
        ("a.jsonl", {"delimiter": ";"}, "'delimiter' means nothing for a.jsonl, which is JSON Lines"),
        ("a.jsonl", {"quote": "'"}, "'quote'"),
        ("a.jsonl", {"header": False, "names": ["id"]}, "'header'"),
        ("a.parquet", {"encoding": "latin-1"}, "'encoding' means nothing for a.parquet, which is Parquet"),
        ("a.parquet", {"delimiter": ";"}, "'delimiter'"),
        ("a.parquet", {"cell_lines": 3}, "'cell_lines'"),
        ("a.csv", {"lists": {"tagz": "|"}}, "names 'tagz', a column that the mapping does not read"),
    ],
)
def test_a_setting_that_no_file_uses_is_an_error(
    tmp_path: Path, name: str, setting: dict[str, Any], told: str
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "a.csv").write_text("id,tags\n1,a|b\n")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=told):
        read(tmp_path, ["id"], name, **setting)


def test_a_setting_that_one_of_several_files_uses_is_used(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "a.csv").write_text("id;n\n2;x\n")
    assert cells(read(tmp_path, ["id"], "a.*", delimiter=";")) == [(2, "2"), (1, "1")]
    items = ItemSource.model_validate({"files": "a.jsonl", "delimiter": ";"})
    with pytest.raises(ConfigError, match="delimiter"):
        list(read_batches(items, tmp_path, ["id"]))


def test_values_that_mean_nothing_are_missing_in_parquet(tmp_path: Path) -> None:
    table = pa.table({"t": ["NULL", "a"], "n": [-1, 2], "f": [-1.0, 0.5], "d": pa.array(["NULL", "b"])})
    table = table.set_column(3, "d", table["d"].dictionary_encode())
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path, ["t", "n", "f", "d"], "a.parquet", nulls=["", "NULL", "-1"]).table.to_pydict() == {
        "t": [None, "a"],
        "n": [None, 2],
        "f": [None, 0.5],
        "d": [None, "b"],
    }


def test_an_unknown_encoding_is_told_by_the_mapping() -> None:
    with pytest.raises(ValueError, match="is not an encoding"):
        Source.model_validate({"files": "a.csv", "encoding": "latin-99"})


@pytest.mark.parametrize("written", ["utf-16-le", "utf-16-be"])
def test_utf_16_that_is_declared_needs_no_byte_order_mark(tmp_path: Path, written: str) -> None:
    (tmp_path / "a.csv").write_bytes("id,title\n1,caf\u00e9\n".encode(written))
    (batch,) = read_batches(Source(files=("a.csv",), encoding="utf-16"), tmp_path, ["title"])
    assert batch.table["title"].to_pylist() == ["caf\u00e9"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "cp1252", "gb18030"])
def test_encodings_hold_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(text_stream, "BLOCK_BYTES", 64)
    (tmp_path / "a.csv").write_bytes(("id,t\n" + "".join(f"{n},é\n" for n in range(50))).encode(encoding))
    batch = read(tmp_path, ["id", "t"], "a.csv", encoding=encoding)
    assert cells(batch) == [(n + 2, str(n), "é") for n in range(50)]


def test_utf_16_without_a_mark_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,title\n1,caf\u00e9\n2,plain tea\n3,plain jam\n".encode("utf-16-le"))
    assert cells(read(tmp_path, ["title"], "a.csv"))[0] == (2, "café")


def test_bytes_of_another_encoding_name_their_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\nplain\ncaf\x81\n")
    with pytest.raises(DataError, match=r"a.csv, row 3: b'caf\\x81' is not cp1252"):
        read(tmp_path, ["id"], "a.csv", encoding="cp1252")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize("block", [100, 1 << 20])
def test_a_line_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, block: int) -> None:
    monkeypatch.setattr(text_stream, "BLOCK_BYTES", block)
    line = '{"id": "x"}\n' if name == "a.jsonl" else "id\n"
    (tmp_path / name).write_text(line + "x" * 5000 + "\n")
    with pytest.raises(DataError, match=r"row 2: the line is longer than 2000 bytes.*most_line_bytes"):
        read(tmp_path, ["id"], name, ReadLimits(line_bytes=2000))


@pytest.mark.parametrize("how", ["gzip", "bz2", "xz", "zstd", "lz4"])
def test_what_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(text_stream, "BLOCK_BYTES", 1 << 16)
    (tmp_path / "a.csv").write_bytes(packed(how, b"id\n" + b"1\n" * 1_500_000))
    limits = ReadLimits(unpacked_ratio=2, free_bytes=2 << 20)
    with pytest.raises(DataError, match=r"a.csv unpacks to more than 2 MiB, over 2 times its size"):
        read(tmp_path, ["id"], "a.csv", limits)
    assert read(tmp_path, ["id"], "a.csv").seen == 1_500_000


@pytest.mark.parametrize("delimiter", ["::", "¦", "\t|\t"])
def test_a_long_or_foreign_delimiter(tmp_path: Path, delimiter: str) -> None:
    text = "id,t\n1,a\n2\n".replace(",", delimiter)
    (tmp_path / "a.dat").write_text(text)
    batch = read(tmp_path, ["t"], "a.dat", delimiter=delimiter)
    assert cells(batch) == [(2, "a")]
    assert [bad.text for bad in batch.malformed] == ["2"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_told(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "a.csv").write_text(f"id{delimiter}n\n1{delimiter}2\n")
    with pytest.raises(SchemaMismatchError, match="Set delimiter = "):
        read(tmp_path, ["n"], "a.csv")
