"""Judged sets of every kind of file, and what is said of files that cannot be read."""

import doctest
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.errors import DataError, RecsysError, SchemaMismatchError
from recsys.jobs.search.judged_files import click_logs, judged_sets
from recsys.jobs.search.judged_files.judged_sets import (
    JudgedSet,
    ReadingOptions,
    parse_grades,
    read_judged_set,
)

PLAIN = ReadingOptions()


def written(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def triples(found: JudgedSet) -> list[tuple[str, str, float]]:
    pairs = found.pairs
    return [
        (pairs.queries[row], item, grade)
        for row, item, grade in zip(
            pairs.pair_query.tolist(), pairs.pair_item, pairs.grades.tolist(), strict=True
        )
    ]


EXPECTED = [("deck over", "a", 3.0), ("deck over", "b", 1.5), ("l bracket", "a", 2.0)]


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (judged_sets, click_logs):
        assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", ["j.csv", "j.csv.gz"])
def test_a_table_with_queries_items_and_grades_is_read(tmp_path: Path, name: str) -> None:
    text = "query,item_id,grade\ndeck over,a,3.0\ndeck over,b,1.5\nl bracket,a,2\n"
    assert triples(read_judged_set(written(tmp_path / name, text), None, PLAIN)) == EXPECTED


def test_tabs_in_a_csv_and_other_names_of_columns_are_found(tmp_path: Path) -> None:
    text = "search_term\tproduct_id\trelevance\ndeck over\ta\t3.0\ndeck over\tb\t1.5\nl bracket\ta\t2\n"
    assert triples(read_judged_set(written(tmp_path / "label.csv", text), None, PLAIN)) == EXPECTED


def test_parquet_and_json_lines_are_read(tmp_path: Path) -> None:
    rows = [{"query": query, "item_id": item, "grade": grade} for query, item, grade in EXPECTED]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "j.parquet")
    written(tmp_path / "j.jsonl", "\n".join(map(json.dumps, rows)))
    for name in ("j.parquet", "j.jsonl"):
        assert triples(read_judged_set(tmp_path / name, None, PLAIN)) == EXPECTED


def test_query_ids_get_their_texts_from_a_file_of_their_own(tmp_path: Path) -> None:
    judged = written(tmp_path / "j.csv", "query_id,product_id,label\n1,a,3\n1,b,1.5\n2,a,2\n9,a,2\n")
    queries = written(tmp_path / "q.csv", "query_id,query\n1,deck over\n2,l bracket\n3,never judged\n")
    found = read_judged_set(judged, queries, PLAIN)
    assert triples(found) == EXPECTED
    assert found.pairs.notes == ("1 judged pairs are left out: q.csv lacks the text of their query",)


def test_columns_are_named_where_they_cannot_be_guessed(tmp_path: Path) -> None:
    judged = written(tmp_path / "j.csv", "was,was2,wert\ndeck over,a,3\n")
    with pytest.raises(
        SchemaMismatchError, match=r"query or query_id .*It has: was, was2, wert.*--column query="
    ):
        read_judged_set(judged, None, PLAIN)
    named = ReadingOptions({"query": "was", "item_id": "was2", "grade": "wert"})
    assert triples(read_judged_set(judged, None, named)) == EXPECTED[:1]
    with pytest.raises(SchemaMismatchError, match=r"no column 'wass' for query\. Did you mean 'was'"):
        read_judged_set(judged, None, ReadingOptions({"query": "wass"}))


def test_grades_that_are_words_need_their_worth(tmp_path: Path) -> None:
    judged = written(tmp_path / "j.csv", "query,item_id,grade\ndeck over,a,Exact\ndeck over,b,Partial\n")
    with pytest.raises(
        DataError, match=r"row 2: the grade 'Exact' .*there are: Exact, Partial.*--grades Exact=1"
    ):
        read_judged_set(judged, None, PLAIN)
    worth = ReadingOptions(grades=parse_grades("Exact=3,Partial=1.5"))
    assert triples(read_judged_set(judged, None, worth)) == EXPECTED[:2]


def test_rows_without_a_grade_are_still_to_be_judged_and_weights_are_kept(tmp_path: Path) -> None:
    text = "query,item_id,title,grade,weight,stratum\na,x,One,1,500,0\na,y,Two,,500,0\nb,x,One,0,20,1\n"
    found = read_judged_set(written(tmp_path / "j.csv", text), None, PLAIN)
    assert found.pairs.weights.tolist() == [500, 20]
    assert found.pairs.strata.tolist() == [0, 1]
    assert found.pairs.notes == ("1 rows of j.csv have no grade and are left out",)
    assert found.titles == {"x": "One", "y": "Two"}


def test_judged_titles_without_ids_are_items_themselves(tmp_path: Path) -> None:
    found = read_judged_set(written(tmp_path / "j.csv", "query,title,grade\n手机,小米手机,2\n"), None, PLAIN)
    assert triples(found) == [("手机", "小米手机", 2.0)]
    assert found.titles == {"小米手机": "小米手机"}


def test_an_empty_query_is_named_by_its_row(tmp_path: Path) -> None:
    judged = written(tmp_path / "j.csv", "query,item_id,grade\ndeck over,a,3\n,b,1\n")
    with pytest.raises(DataError, match=r"j.csv, row 3: the query is empty"):
        read_judged_set(judged, None, PLAIN)


def test_a_row_of_another_length_is_named(tmp_path: Path) -> None:
    judged = written(tmp_path / "j.csv", "query,item_id,grade\ndeck, over,a,3\n")
    with pytest.raises(DataError, match=r"j.csv, row 2: 4 columns instead of 3"):
        read_judged_set(judged, None, PLAIN)


QRELS = "301 0 a 3\n301 0 b 1\n\n302 0 a 2\n"
FROM_TREC = [("deck over", "a", 3.0), ("deck over", "b", 1.0), ("l bracket", "a", 2.0)]
TOPICS = {
    "t.tsv": "301\tdeck over\n302\tl bracket\n",
    "t.txt": "301:deck over\n302:l bracket\n",
    "old.topics": "<top>\n<num> Number: 301\n<title> deck over\n<desc> Description: x\n</top>\n"
    "<top>\n<num> Number: 302\n<title> l bracket\n</top>\n",
    "new.xml": '<topics>\n<topic number="301" type="x"><query>deck over</query></topic>\n'
    '<topic number="302"><query>l\nbracket</query><narrative>y</narrative></topic></topics>\n',
    "q.csv": "qid,query\n301,deck over\n302,l bracket\n",
}


@pytest.mark.parametrize("name", TOPICS)
def test_trec_qrels_and_topics_of_every_form_are_read(tmp_path: Path, name: str) -> None:
    qrels, topics = written(tmp_path / "qrels.txt", QRELS), written(tmp_path / name, TOPICS[name])
    assert triples(read_judged_set(qrels, topics, PLAIN)) == FROM_TREC


def test_a_line_that_is_no_qrel_is_named(tmp_path: Path) -> None:
    qrels = written(tmp_path / "x.qrels", "301 0 a 3\n301 0 b\n")
    topics = written(tmp_path / "t.tsv", TOPICS["t.tsv"])
    with pytest.raises(
        DataError, match=r"x.qrels, line 2: '301 0 b' is not `topic iteration document grade`"
    ):
        read_judged_set(qrels, topics, PLAIN)
    with pytest.raises(DataError, match=r"query ids and no texts\. Pass the topics as --queries"):
        read_judged_set(qrels, None, PLAIN)


def ubi(
    tmp_path: Path, *, impressions: bool = True, wrapped: bool = False, first: int = 1
) -> tuple[Path, Path]:
    """60 searches for `deck over` that show a before b; a is clicked in 30 of them, b in 20."""
    queries, events = [], []
    for n in range(60):
        query_id = f"q{n}"
        queries.append(
            {
                "query_id": query_id,
                "user_query": "deck  OVER",
                "query_response_hit_ids": ["a", "b"],
                "client_id": "c",
            }
        )
        shown = [("impression", "a", 0), ("impression", "b", 1)] if impressions else []
        clicked = [("click", "a", 0)] * (n % 2) + [("click", "b", 1)] * (n % 3 == 0)
        for action, item, place in [*shown, *clicked, ("add_to_cart", "a", 0)]:
            ordinal: object = first + place if n % 2 else {"index": first + place}
            events.append(
                {
                    "action_name": action,
                    "query_id": query_id,
                    "timestamp": "2026-01-01T00:00:00Z",
                    "event_attributes": {"object": {"object_id": item}, "position": {"ordinal": ordinal}},
                }
            )

    def lines(rows: list[dict[str, object]]) -> str:
        return "".join(json.dumps({"_source": row} if wrapped else row) + "\n" for row in rows)

    return written(tmp_path / "queries.ndjson", lines(queries)), written(
        tmp_path / "events.ndjson", lines(events)
    )


@pytest.mark.parametrize(
    ("impressions", "wrapped", "first"), [(True, False, 1), (False, True, 1), (True, True, 0)]
)
def test_the_clicks_of_a_ubi_log_become_judgments(
    tmp_path: Path, impressions: bool, wrapped: bool, first: int
) -> None:
    queries, events = ubi(tmp_path, impressions=impressions, wrapped=wrapped, first=first)
    found = read_judged_set(events, queries, PLAIN).pairs
    assert found.queries == ("deck over",)
    grades = dict(zip(found.pair_item, found.grades.tolist(), strict=True))
    assert grades["a"] == pytest.approx(0.5, abs=0.05)  # at position 1: 30 of 60
    assert ("no event says what was shown" in " ".join(found.notes)) is not impressions
    assert ("count from 0" in " ".join(found.notes)) is (first == 0)


def test_a_click_of_ubi_without_its_object_is_named_by_its_line(tmp_path: Path) -> None:
    queries, _ = ubi(tmp_path)
    events = written(
        tmp_path / "e.jsonl", '{"action_name": "click", "query_id": "q1", "event_attributes": {}}\n'
    )
    with pytest.raises(
        DataError, match=r"e.jsonl, line 1: a click without event_attributes.object.object_id"
    ):
        read_judged_set(events, queries, PLAIN)
    with pytest.raises(DataError, match=r"events of UBI\. Pass the file of its queries"):
        read_judged_set(events, None, PLAIN)


@pytest.mark.parametrize(
    "content", ["", "query,item_id,grade\n", "\x00\x01\x02", "{]", "[1, 2]", "<top>", "a\nb\n"]
)
def test_files_of_nothing_or_of_junk_are_refused_with_a_remedy(tmp_path: Path, content: str) -> None:
    judged = written(tmp_path / "j.csv", content)
    with pytest.raises(RecsysError):
        read_judged_set(judged, None, PLAIN)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing.csv is not a file"):
        read_judged_set(tmp_path / "missing.csv", None, PLAIN)


@pytest.mark.parametrize("text", ["Exact", "=2", "Exact=two"])
def test_worths_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="--grades"):
        parse_grades(text)
