"""The user_searches view: what a user searched for last, one row at each instant of a search."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, true_rows
from recsys.dataset.searches import normalised_query
from recsys.features.view_schemas import VIEW_SCHEMAS, instant_column, list_column, view_table
from recsys.instants import SECOND

SEARCH_COLUMNS_READ = (
    columns.USER_ID,
    columns.KIND,
    columns.AT,
    columns.SEQUENCE,
    columns.QUERY,
    columns.QUERY_ID,
    columns.REQUEST_ID,
    columns.PAGE,
)
LONGEST_TEXT = 200  # characters; longer texts are no query that anybody types, and rows stay small
BLOCK_ROWS = 20_000  # rows made at once


class Search(NamedTuple):
    """One query of a user: its folded text, and when (microseconds) and in which order it came last."""

    text: str
    at: int
    sequence: int


def merge_searches(before: Iterable[Search], new: Iterable[Search]) -> tuple[Search, ...]:
    """The latest SEARCH_COUNT distinct texts of both, newest first, each with its newest instant.

    What was dropped once is older than all that is here and stays so: searches may come in any order.

    >>> tea, milk = Search("tea", 1, 1), Search("milk", 2, 2)
    >>> [each.text for each in merge_searches((milk, tea), [Search("tea", 3, 3)])]
    ['tea', 'milk']
    """
    newest: dict[str, Search] = {}
    for search in sorted((*before, *new), key=lambda each: (-each.at, -each.sequence)):
        newest.setdefault(search.text, search)
    return tuple(newest.values())[: columns.SEARCH_COUNT]


def is_search(events: pa.Table) -> BoolArray:
    """(N,) which `events` are searches that count: those of the first page of what was found.

    A later page says so, by its number or by an answer of its own beside the `query_id`. So one `query_id`
    counts once.

    Args:
        events: SEARCH_COLUMNS_READ.
    """
    later = pc.greater(events[columns.PAGE], 1)
    other = pc.not_equal(events[columns.QUERY_ID], events[columns.REQUEST_ID])
    mask = pc.and_(pc.equal(events[columns.KIND], columns.SEARCH), events[columns.QUERY].is_valid())
    mask = pc.and_(mask, events[columns.USER_ID].is_valid())
    counts = true_rows(mask.combine_chunks())
    return counts & ~true_rows(later.combine_chunks()) & ~true_rows(other.combine_chunks())


def read_searches(events: pa.Table) -> list[tuple[str, Search]]:
    """(user, search) of each of `events` that counts and says something, in their order.

    Args:
        events: SEARCH_COLUMNS_READ.
    """
    rows = events.filter(pa.array(is_search(events)))
    texts = [normalised_query(text) for text in rows[columns.QUERY].to_pylist()]
    at = rows[columns.AT].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    found = zip(rows[columns.USER_ID].to_pylist(), texts, at, rows[columns.SEQUENCE].to_pylist(), strict=True)
    return [(user, Search(text, *when)) for user, text, *when in found if 0 < len(text) <= LONGEST_TEXT]


def user_searches(events: pa.Table, created_at: int) -> pa.Table:
    """The user_searches rows of `events`, sorted by instant.

    Args:
        events: SEARCH_COLUMNS_READ, in any order.
        created_at: microseconds, the table's created timestamp.
    """
    blocks = user_searches_blocks(events, created_at)
    return pa.concat_tables([VIEW_SCHEMAS[columns.USER_SEARCHES].empty_table(), *blocks])


def user_searches_blocks(events: pa.Table, created_at: int) -> Iterator[pa.Table]:
    """The rows of `user_searches`, BLOCK_ROWS at a time."""
    found = sorted(read_searches(events), key=lambda each: (each[1].at, each[0]))
    recent: dict[str, tuple[Search, ...]] = {}
    rows: list[tuple[str, int, Sequence[Search]]] = []
    for (at, user), group in groupby(found, key=lambda each: (each[1].at, each[0])):
        recent[user] = merge_searches(recent.get(user, ()), (search for _, search in group))
        rows.append((user, at, recent[user]))
        if len(rows) == BLOCK_ROWS:
            yield _table(rows, created_at)
            rows = []
    if rows:
        yield _table(rows, created_at)


def latest_user_searches(searches: Mapping[str, Sequence[Search]], created_at: int) -> pa.Table:
    """The last row of `user_searches` of each user who searched.

    Args:
        searches: by user, as `merge_searches` has them.
    """
    return _table([(user, own[0].at, own) for user, own in searches.items() if own], created_at)


def _table(rows: Sequence[tuple[str, int, Sequence[Search]]], created_at: int) -> pa.Table:
    users, instants = [user for user, _, _ in rows], np.array([at for _, at, _ in rows], np.int64)
    offsets = np.cumsum([0, *(len(own) for _, _, own in rows)])
    found = list(chain.from_iterable(own for _, _, own in rows))
    texts = pa.array([search.text for search in found], pa.string())
    seconds = np.array([search.at for search in found], np.int64) // SECOND
    return view_table(
        columns.USER_SEARCHES,
        {
            columns.USER_ID: pa.array(users, pa.string()),
            columns.SEARCH_TEXTS: pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts),
            columns.SEARCH_AT: list_column(seconds, offsets, pa.int64()),
            columns.EVENT_TIMESTAMP: instant_column(instants),
            columns.CREATED_TIMESTAMP: instant_column(np.full(len(rows), created_at)),
        },
    )
