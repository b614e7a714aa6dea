"""Judged sets from files: a table of grades, TREC qrels with topics, or the clicks of a UBI log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recsys.errors import DataError
from recsys.evaluation.search.click_judgments import (
    LEAST_SHOWN,
    ClickGrade,
    estimate_from_clicks,
    judgments_from_clicks,
)
from recsys.evaluation.search.judgments import JudgedPairs
from recsys.ingest.raw.written_numbers import read_number
from recsys.jobs.search.judged_files.table_files import TableRows, read_table
from recsys.jobs.search.judged_files.trec_files import is_qrels, read_qrels, read_topics
from recsys.jobs.search.judged_files.ubi_files import is_ubi_events, read_ubi_log

QUERY = ("query", "search_term", "search_query", "user_query", "keywords", "keyword", "search", "q", "text")
QUERY_ID = ("query_id", "qid", "queryid", "topic_id", "topic", "search_id", "id")
ITEM_ID = (
    *("item_id", "product_id", "product_uid", "doc_id", "docid", "docno", "document_id", "asin", "sku"),
    *("item", "product"),
)
GRADE = ("grade", "relevance", "relevancy", "rel", "label", "rating", "judgment", "esci_label", "score")
TITLE = ("title", "product_title", "product_name", "item_title", "name")
WEIGHT, STRATUM = ("weight",), ("stratum",)
_FIELDS = {
    "query": QUERY,
    "query_id": QUERY_ID[:-1],  # `id` alone numbers the rows of judgments
    "item_id": ITEM_ID,
    "grade": GRADE,
    "title": TITLE,
    "weight": WEIGHT,
    "stratum": STRATUM,
}


@dataclass(frozen=True)
class JudgedSet:
    """Judged pairs, and the titles that came with them.

    Attributes:
        titles: item id -> title where the judgments have one; without an items file they are the catalog.
    """

    pairs: JudgedPairs
    titles: Mapping[str, str]


@dataclass(frozen=True)
class ReadingOptions:
    """How files of judgments are read.

    Attributes:
        columns: field (`query`, `query_id`, `item_id`, `grade`, `title`, `weight`) -> the name of its column.
        grades: word -> grade, where grades are words.
        least_shown, click_grade: of judgments that clicks give.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    grades: Mapping[str, float] = field(default_factory=dict)
    least_shown: int = LEAST_SHOWN
    click_grade: ClickGrade = "attraction"


def read_judged_set(judgments: Path, queries: Path | None, options: ReadingOptions) -> JudgedSet:
    """The judged set in the files, whatever their kind; each may be packed by gzip.

    Args:
        judgments: a table of grades, TREC qrels, or events of UBI.
        queries: the texts of query ids: a table, TREC topics, or queries of UBI. None where the judgments
            have the texts themselves.

    Raises:
        DataError: a file is missing or damaged, or has a cell that cannot be read; the message names the row.
        SchemaMismatchError: a table lacks a column.
    """
    for path in (judgments, *([queries] if queries else [])):
        if not path.is_file():
            raise DataError(f"{path} is not a file. Name the file of the judgments or of the queries.")
    if is_ubi_events(judgments):
        return _from_clicks(judgments, queries, options)
    if is_qrels(judgments):
        if queries is None:
            raise DataError(
                f"{judgments.name} has query ids and no texts. Pass the topics as --queries: a file of "
                "`id<tab>text`, of <top> elements, or a table."
            )
        return JudgedSet(_with_texts(read_qrels(judgments), _query_texts(queries, options), queries.name), {})
    table = read_table(
        judgments, _FIELDS, [("query", "query_id"), ("item_id", "title"), ("grade",)], options.columns
    )
    return _from_table(table, queries, options)


def parse_words(option: str, text: str | None) -> dict[str, str]:
    """`a=b,c=d` as a mapping.

    Raises:
        DataError: a part has no `=`; `option` is the one that was given so.

    >>> parse_words("--grades", "Exact=2,Partial=1")
    {'Exact': '2', 'Partial': '1'}
    """
    found = {}
    for part in (text or "").split(",") if text else []:
        name, sign, value = part.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise DataError(f"{option} {text!r}: {part!r} is not NAME=VALUE. Write for example a=1,b=2.")
        found[name.strip()] = value.strip()
    return found


def parse_grades(text: str | None) -> dict[str, float]:
    """Word -> grade of `--grades`.

    Raises:
        DataError: a grade is not a number.

    >>> parse_grades("Exact=2,Partial=.5")
    {'Exact': 2.0, 'Partial': 0.5}
    """
    found = {}
    for word, value in parse_words("--grades", text).items():
        number = read_number(value, ".")
        if number is None:
            raise DataError(
                f"--grades {text!r}: {value!r} is not a number. Write for example Exact=2,Partial=1."
            )
        found[word] = number.value
    return found


def _from_table(table: TableRows, queries: Path | None, options: ReadingOptions) -> JudgedSet:
    columns = table.columns
    grades, blank = _grades_of(table, options.grades)
    kept = [place for place in range(len(table)) if not blank[place]]
    items = _item_ids(table)
    if "query" in columns and (queries is None or "query_id" not in columns):
        keys = _filled(table, "query")
        named: Mapping[str, str] = {text: text for text in keys}
    else:
        keys = _filled(table, "query_id")
        if queries is None:
            raise DataError(
                f"{table.file} has query ids and no texts. Pass the file with both as --queries, or say "
                "which column has the texts: --column query=NAME."
            )
        named = _query_texts(queries, options)
    found = _with_texts(
        [(keys[place], items[place], grades[place]) for place in kept], named, queries.name if queries else ""
    )
    found = _with_weights(found, table, keys)
    left = [f"{sum(blank)} rows of {table.file} have no grade and are left out"] if any(blank) else []
    titles = {}
    if "title" in columns:
        titles = {items[place]: title for place, title in enumerate(columns["title"]) if title}
    return JudgedSet(replace(found, notes=(*found.notes, *left)), titles)


def _with_weights(found: JudgedPairs, table: TableRows, keys: Sequence[str]) -> JudgedPairs:
    """`found` with the weight and the stratum of each query, where the table has them."""
    if "weight" not in table.columns:
        return found
    weights = dict(zip(keys, _numbers(table, "weight"), strict=True))
    strata = dict(zip(keys, _numbers(table, "stratum"), strict=True)) if "stratum" in table.columns else {}
    return replace(
        found,
        weights=np.array([weights[key] for key in found.query_ids]),
        strata=np.array([int(strata.get(key, 0)) for key in found.query_ids], np.int64),
    )


def _numbers(table: TableRows, name: str) -> list[float]:
    numbers = []
    for place, text in enumerate(table.columns[name]):
        number = read_number(text or "", ".")
        if number is None or number.value < 0:
            raise DataError(
                f"{table.where(place)}: the {name} {text!r} is not a number of 0 or more. Mend it."
            )
        numbers.append(number.value)
    return numbers


def _grades_of(table: TableRows, words: Mapping[str, float]) -> tuple[list[float], list[bool]]:
    """The grade of each row, and whether it has none."""
    cells = table.columns["grade"]
    grades = []
    for place, text in enumerate(cells):
        if text is None or text in words:
            grades.append(words.get(text or "", 0.0))
            continue
        number = read_number(text, ".")
        if number is None:
            seen = Counter(text for text in cells if text)
            shown = ", ".join(word for word, _ in seen.most_common(6))
            raise DataError(
                f"{table.where(place)}: the grade {text!r} is not a number (there are: {shown}). Say what "
                f"the words are worth: --grades {text}=1,..."
            )
        grades.append(number.value)
    return grades, [text is None for text in cells]


def _item_ids(table: TableRows) -> list[str]:
    """The item of each row; without ids the title is the item."""
    return _filled(table, "item_id" if "item_id" in table.columns else "title")


def _filled(table: TableRows, name: str) -> list[str]:
    values = []
    for place, text in enumerate(table.columns[name]):
        if text is None:
            raise DataError(f"{table.where(place)}: the {name} is empty. Fill it or delete the row.")
        values.append(text)
    return values


def _query_texts(path: Path, options: ReadingOptions) -> Mapping[str, str]:
    """Query id -> text."""
    topics = read_topics(path)
    if topics is not None:
        return topics
    fields = {"query_id": QUERY_ID, "query": QUERY}
    given = {name: column for name, column in options.columns.items() if name in fields}
    table = read_table(path, fields, [("query_id",), ("query",)], given)
    return dict(zip(_filled(table, "query_id"), _filled(table, "query"), strict=True))


def _with_texts(rows: Sequence[tuple[str, str, float]], texts: Mapping[str, str], file: str) -> JudgedPairs:
    """Pairs of (query id, item id, grade) with the texts of the queries; those without one are counted."""
    known = [row for row in rows if row[0] in texts]
    if not known:
        first = rows[0][0] if rows else None
        raise DataError(f"{file} has the text of none of the judged queries (the first is {first!r}).")
    ids = list(dict.fromkeys(row[0] for row in known))
    place = {identifier: row for row, identifier in enumerate(ids)}
    lost = len(rows) - len(known)
    return JudgedPairs.of(
        ids,
        [texts[identifier] for identifier in ids],
        [place[row[0]] for row in known],
        [row[1] for row in known],
        [row[2] for row in known],
        [f"{lost} judged pairs are left out: {file} lacks the text of their query"] if lost else [],
    )


def _from_clicks(events: Path, queries: Path | None, options: ReadingOptions) -> JudgedSet:
    if queries is None:
        raise DataError(f"{events.name} has events of UBI. Pass the file of its queries as --queries.")
    log = read_ubi_log(queries, events)
    found = judgments_from_clicks(
        estimate_from_clicks(log.shown),
        log.queries,
        log.queries,
        log.items,
        options.least_shown,
        options.click_grade,
    )
    return JudgedSet(replace(found, notes=(*log.notes, *found.notes)), {})
