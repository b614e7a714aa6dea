"""Rankings of any engine from a file: query, item_id, and a rank or a score."""

from pathlib import Path

import numpy as np

from recsys.arrays import DoubleArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import DataError
from recsys.evaluation.search.rows import RankedLists
from recsys.ingest.raw.written_numbers import read_number
from recsys.jobs.search.judged_files.judged_sets import ITEM_ID, QUERY
from recsys.jobs.search.judged_files.table_files import TableRows, read_table

_FIELDS = {
    "row": ("row",),
    "query": QUERY,
    "item_id": ITEM_ID,
    "rank": ("rank", "position", "place"),
    "score": ("score", "relevance_score"),
}


def read_rankings(name: str, path: Path, items: Vocabulary, row: str | None = None) -> RankedLists:
    """The lists of a file as a row; what `--rankings` writes is read back, of it one row.

    Args:
        name: what the row is called. row: which row of the file; None = the only one.

    Raises:
        DataError: the file is damaged, has several rows and none is named, or an item twice for a query.
        SchemaMismatchError: it lacks a column.
    """
    table = read_table(path, _FIELDS, [("query",), ("item_id",), ("rank", "score")], {})
    kept = _rows_of(table, path, row)
    numbers = _order_values(table)
    index = items.indexes([text or "" for text in table.columns["item_id"]])
    by_query: dict[str, list[tuple[float, int]]] = {}
    for place in kept:
        query = table.columns["query"][place]
        if query and index[place]:
            by_query.setdefault(query, []).append((numbers[place], int(index[place])))
    lists = {query: _best_first(query, found, items, path) for query, found in by_query.items()}
    if not lists:
        raise DataError(f"{path.name} ranks none of the items that are searched. Pass the items as --items.")
    return RankedLists(name, lists)


def _rows_of(table: TableRows, path: Path, row: str | None) -> list[int]:
    if "row" not in table.columns:
        return list(range(len(table)))
    names = sorted({text or "" for text in table.columns["row"]})
    if row is None and len(names) > 1:
        raise DataError(f"{path.name} has the rows {', '.join(names)}. Say which: {path.name}:{names[0]}.")
    wanted = row if row is not None else names[0]
    if wanted not in names:
        raise DataError(f"{path.name} has no row {wanted!r}. It has: {', '.join(names)}.")
    return [place for place, text in enumerate(table.columns["row"]) if (text or "") == wanted]


def _order_values(table: TableRows) -> list[float]:
    """The higher the better: the score, else minus the rank."""
    name = "score" if "score" in table.columns else "rank"
    found = []
    for place, text in enumerate(table.columns[name]):
        number = read_number(text or "", ".")
        if number is None:
            raise DataError(f"{table.where(place)}: the {name} {text!r} is not a number. Mend it.")
        found.append(number.value if name == "score" else -number.value)
    return found


def _best_first(
    query: str, found: list[tuple[float, int]], items: Vocabulary, path: Path
) -> tuple[IntArray, DoubleArray]:
    scores, index = (np.array(column) for column in zip(*found, strict=True))
    if len(np.unique(index)) < len(index):
        values, counts = np.unique(index, return_counts=True)
        twice = items.ids[int(values[counts > 1][0])]
        raise DataError(f"{path.name} has the item {twice!r} twice for the query {query!r}. Keep one.")
    order = np.argsort(-scores, kind="stable")
    return index[order].astype(np.int64), scores[order].astype(np.float64)
