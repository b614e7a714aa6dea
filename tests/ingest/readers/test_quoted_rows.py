"""Quotes in delimited text: cells over several lines are read, a stray quote swallows no row."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.readers import text_stream
from recsys.ingest.readers.files import read_batches
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits


def read(
    folder: Path, text: str, columns: list[str], limits: ReadLimits = DEFAULT_LIMITS, **source: Any
) -> RawBatch:
    name = source.pop("files", "a.csv")
    (folder / name).write_bytes(text.encode())
    batches = read_batches(Source.model_validate({"files": name, **source}), folder, columns, limits)
    return concat_batches(list(batches), columns)


def found(batch: RawBatch) -> list[tuple[Any, ...]]:
    """Each row: its number, then its cells."""
    return list(zip(batch.rows.tolist(), *batch.table.to_pydict().values(), strict=True))


SHOP = "id,price,note\n1,2.50,plain\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_after_a_cell_of_several_lines_have_an_editors_numbers(tmp_path: Path, end: str) -> None:
    text = 'id,note\n1,"first\n\nthird"\n\n2,x\nthree\n4,"a ""b"" c"\n'.replace("\n", end)
    batch = read(tmp_path, text, ["id"])
    assert found(batch) == [(2, "1"), (6, "2"), (8, "4")]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(7, "three")]


def test_a_column_name_of_several_lines_counts_its_lines(tmp_path: Path) -> None:
    assert found(read(tmp_path, 'id,"price\n(gross,\nEUR)"\n1,2\n', ["id"])) == [(4, "1")]


def test_a_quote_that_never_closes_sets_its_own_line_aside(tmp_path: Path) -> None:
    batch = read(tmp_path, SHOP + '2,3.50,"19 inch\n3,1.00,x\n4,1.00,y\n', ["id"])
    assert found(batch) == [(2, "1"), (4, "3"), (5, "4")]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(3, '2,3.50,"19 inch')]
    assert "does not close" in batch.malformed[0].detail


def test_a_stray_quote_before_a_quoted_cell_sets_its_own_line_aside(tmp_path: Path) -> None:
    batch = read(tmp_path, SHOP + '2,3.50,"19 inch\n3,1.00,x\n4,1.00,"y, z"\n', ["id", "note"])
    assert found(batch) == [(2, "1", "plain"), (4, "3", "x"), (5, "4", "y, z")]
    assert [bad.row for bad in batch.malformed] == [3]


@pytest.mark.parametrize(
    "rows",
    [
        '2,3.50,"19 inch\n3,1.00,x\n4,1.00,the end"\n',
        '2,"3.50,a\n3,1.00,x\n4,1.00"\n5,1,y\n'.replace('1.00"', '1.00",z'),
    ],
    ids=["in the last column", "in the middle"],
)
def test_a_quote_that_closes_behind_whole_rows_refuses_the_file(tmp_path: Path, rows: str) -> None:
    with pytest.raises(DataError, match=r"a.csv, row 3: a quote opens here .*row 5.*quote = \"\""):
        read(tmp_path, SHOP + rows + "6,1.00,z\n", ["id"])


def test_rows_that_look_swallowed_are_believed_if_the_mapping_says_so(tmp_path: Path) -> None:
    text = SHOP + '2,3.50,"19 inch\n3,1.00,x\n4,1.00,the end"\n6,1.00,z\n'
    assert found(read(tmp_path, text, ["id"], cell_lines=3)) == [(2, "1"), (3, "2"), (6, "6")]
    assert found(read(tmp_path, text, ["id"], cell_lines=1)) == [(2, "1"), (4, "3"), (5, "4"), (6, "6")]


def test_prose_with_as_many_commas_as_columns_is_a_cell(tmp_path: Path) -> None:
    text = 'sku,text\nA1,plain\nA2,"Soft\nwarm, light\ncosy, too"\nA3,plain\n'
    batch = read(tmp_path, text, ["sku", "text"])
    assert found(batch) == [(2, "A1", "plain"), (3, "A2", "Soft\nwarm, light\ncosy, too"), (6, "A3", "plain")]


def test_a_stray_quote_inside_a_cell_is_a_character(tmp_path: Path) -> None:
    batch = read(tmp_path, 'id,note\n1,27" wide\n2,"ok"\n3,say "x\n', ["note"])
    assert found(batch) == [(2, '27" wide'), (3, "ok"), (4, 'say "x')]


def test_a_row_of_several_lines_and_another_width_is_one_malformed_row(tmp_path: Path) -> None:
    batch = read(tmp_path, SHOP + '2,"a\nb"\n3,1.00,x\n', ["id"])
    assert found(batch) == [(2, "1"), (5, "3")]
    assert [(bad.row, bad.text) for bad in batch.malformed] == [(3, '2,"a\nb"')]


def test_a_cell_of_too_many_lines_names_the_setting(tmp_path: Path) -> None:
    text = SHOP + '2,1.00,"' + "prose\n" * 1500 + '"\n3,1.00,x\n'
    with pytest.raises(DataError, match="row 3: a quote opens here and does not close within 1000 lines"):
        read(tmp_path, text, ["id"])
    assert found(read(tmp_path, text, ["id"], cell_lines=2000)) == [(2, "1"), (3, "2"), (1504, "3")]


def test_a_row_of_several_lines_is_bounded_in_bytes(tmp_path: Path) -> None:
    text = SHOP + '2,1.00,"' + ("x" * 400 + "\n") * 9 + '"\n'
    with pytest.raises(DataError, match="row 3: a quote opens here and spans more than 2000 bytes"):
        read(tmp_path, text, ["id"], ReadLimits(line_bytes=2000))


def test_a_quote_in_the_line_of_names_that_does_not_close_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1: a quote opens in the line of column names"):
        read(tmp_path, 'id,"name\n1,a\n', ["id"])


@pytest.mark.parametrize("name", ["a.tsv", "a.tab", "a.tsv.gz"])
def test_tab_separated_files_have_no_quotes_unless_told(tmp_path: Path, name: str) -> None:
    text = 'id\tn\n1\t"Best" one\n2\t"open\n3\tx\n'
    assert [row[2] for row in found(read(tmp_path, text, ["id", "n"], files=name))] == [
        '"Best" one',
        '"open',
        "x",
    ]
    told = read(tmp_path, '"id"\t"n"\n1\t"a\tb"\n', ["n"], files=name, quote='"')
    assert found(told) == [(2, "a\tb")]


def test_quoted_names_of_a_tab_separated_file_name_the_setting(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Set quote"):
        read(tmp_path, '"id"\t"n"\n1\t2\n', ["id"], files="a.tsv")


CELLS = st.text(st.sampled_from('a1,"\n \r'), max_size=6)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), block=st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_what_a_csv_writer_wrote_is_read_with_its_line_numbers(
    tmp_path: Path, rows: list[tuple[str, str, str]], block: int
) -> None:
    """Every cell and every number is as Python's own reader has them, whatever the blocks."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["x", "y", "z"])
    numbers = []
    for row in rows:
        numbers.append(len(file.getvalue().replace("\r\n", "\n").replace("\r", "\n").split("\n")))
        writer.writerow(row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stream, "BLOCK_BYTES", block)
        batch = read(tmp_path, file.getvalue(), ["x", "y", "z"], cell_lines=100)
    cells = [tuple(cell or None for cell in row) for row in rows]
    assert found(batch) == [(number, *row) for number, row in zip(numbers, cells, strict=True)]


LINES = st.sampled_from(["1,2", '3,"4', '5",6', '"7",8', '9,"x""y"', '"a', 'b"', "c", '1,"2"3', '""'])


@given(lines=st.lists(LINES, max_size=12), block=st.integers(1, 40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_every_line_is_accounted_for_or_the_file_is_refused(
    tmp_path: Path, lines: list[str], block: int
) -> None:
    text = "x,y\n" + "".join(f"{line}\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stream, "BLOCK_BYTES", block)
        try:
            batch = read(tmp_path, text, ["x", "y"])
        except DataError:
            return
    spans = [1 + sum(cell.count("\n") for cell in row[1:] if cell) for row in found(batch)]
    assert sum(spans) + sum(1 + bad.text.count("\n") for bad in batch.malformed) == len(lines)
    starts = sorted([*batch.rows.tolist(), *(bad.row for bad in batch.malformed)])
    assert len(set(starts)) == len(starts)
    assert all(2 <= start <= len(lines) + 1 for start in starts)
