"""JSON Lines: exact numbers, marks and encodings, fields that no object has."""

import json
from pathlib import Path
from typing import Any

import pytest

from recsys.errors import DataError, SchemaMismatchError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.cells import LIST_MARK
from recsys.ingest.readers.files import read_batches


def read(folder: Path, columns: list[str], files: str = "*.jsonl", **source: Any) -> RawBatch:
    batches = read_batches(Source.model_validate({"files": files, **source}), folder, columns)
    return concat_batches(list(batches), columns)


def cells(batch: RawBatch) -> list[tuple[Any, ...]]:
    return list(zip(batch.rows.tolist(), *batch.table.to_pydict().values(), strict=True))


def test_whole_numbers_are_exact_whatever_their_size(tmp_path: Path) -> None:
    ids = [2**63 - 1, 2**64 - 1, 2**64, 10**30 + 1, -(2**70)]
    (tmp_path / "a.jsonl").write_text("".join(f'{{"id": {number}, "in": [{number}]}}\n' for number in ids))
    assert cells(read(tmp_path, ["id", "in"])) == [
        (row, str(number), f"{number}{LIST_MARK}") for row, number in enumerate(ids, start=1)
    ]


def test_what_is_no_number_is_missing(tmp_path: Path) -> None:
    values = ("NaN", "-Infinity", "1e999", '"NaN"', "[NaN, 1]")
    (tmp_path / "a.jsonl").write_text("".join(f'{{"p": {value}}}\n' for value in values))
    assert [row[1] for row in cells(read(tmp_path, ["p"]))] == [
        *(None, None, None, "NaN"),
        f"{LIST_MARK}1{LIST_MARK}",  # an empty element, counted where the list is used
    ]


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, name: str, encoding: str, mark: bytes) -> None:
    text = '{"id": "é"}\n{"id": "b"}\n' if name == "a.jsonl" else "id\né\nb\n"
    (tmp_path / name).write_bytes(mark + text.encode(encoding))
    assert [row[1] for row in cells(read(tmp_path, ["id"], files=name))] == ["é", "b"]


def test_another_encoding_is_told_by_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"t": "Thé"}\n'.encode("cp1252"))
    assert cells(read(tmp_path, ["t"], encoding="cp1252")) == [(1, "Thé")]
    assert [bad.row for bad in read(tmp_path, ["t"]).malformed] == [1]


def test_a_field_that_no_object_has_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "details": {"brand": "A"}}\n')
    with pytest.raises(SchemaMismatchError, match=r"field 'details.brnd'. Did you mean 'details.brand'"):
        read(tmp_path, ["id", "details.brnd"])


def test_a_field_that_one_object_of_one_file_has_is_enough(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
    (tmp_path / "2.jsonl").write_text('{"id": 3, "qty": null}\n')
    (tmp_path / "3.jsonl").write_text("")
    assert [row[2] for row in cells(read(tmp_path, ["id", "qty"]))] == [None, None, None]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv"])
def test_an_optional_column_may_be_absent(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"id": "1"}\n' if name == "a.jsonl" else "id\n1\n")
    batch = read(tmp_path, ["qty", "id"], files=name, optional=["qty"])
    assert batch.table.to_pydict() == {"qty": [None], "id": ["1"]}


def test_objects_where_a_text_is_expected_name_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"user": {"id": 1}, "items": [{"sku": 2}]}\n')
    with pytest.raises(SchemaMismatchError, match=r"row 1: 'user' is an object \(it has: user.id\)"):
        read(tmp_path, ["user"])
    with pytest.raises(SchemaMismatchError, match=r"'items' is a list of objects.*lines = 'items'"):
        read(tmp_path, ["items"])
    assert cells(read(tmp_path, ["user.id"])) == [(1, "1")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_numbers_of_lines_are_an_editors(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.jsonl").write_bytes('\n{"id": 1}\n\n{broken\n{"id": 2}'.replace("\n", end).encode())
    batch = read(tmp_path, ["id"])
    assert cells(batch) == [(2, "1"), (5, "2")]
    assert [bad.row for bad in batch.malformed] == [4]


@pytest.mark.parametrize("text", ['{"id": "\\ud800"}', '{"id": NaN, "x": "\\ud800"}', "[" * 3000, "1" * 5000])
def test_a_line_that_no_reader_takes_is_malformed(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n' + text + "\n")
    batch = read(tmp_path, ["id"])
    assert (len(batch.table), [bad.row for bad in batch.malformed]) == (1, [2])


def test_one_document_over_many_lines_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": 1}, indent=1))
    with pytest.raises(DataError, match="one JSON document over many lines"):
        read(tmp_path, ["id"])


def test_texts_that_mean_nothing_are_missing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "NULL", "n": -1}\n{"id": "a", "n": 2}\n')
    assert cells(read(tmp_path, ["id", "n"], nulls=["", "NULL", "-1"])) == [(1, None, None), (2, "a", "2")]
