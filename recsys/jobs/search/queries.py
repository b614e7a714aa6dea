"""What people looked for: the searches of the lake, counted by query, and how queries were changed."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

import pandas as pd

from recsys import columns
from recsys.dataset.searches import (
    CLICKED,
    QueryCount,
    Reformulation,
    count_queries,
    find_reformulations,
)
from recsys.documents import JsonObject
from recsys.home import HomePaths
from recsys.stores.lake.searches import read_searches

log = logging.getLogger(__name__)

QueryView = Literal["top", "zero", "no-click", "reformulated"]
# What a view lists, and by what; queries with equal numbers stay in the order of their searches.
_RANKS: dict[str, Callable[[QueryCount], int]] = {
    "top": lambda row: row.searches,
    "zero": lambda row: row.zero,
    "no-click": lambda row: 0 if row.clicked else row.missed,
}


@dataclass(frozen=True)
class QueryReport:
    """The searches of some days.

    Attributes:
        searches: each `query_id` once. queries: different ones.
        zero: searches that found nothing. unknown: searches that do not say what they found, which is not 0.
        clicked: searches with an action on what they found.
        rows: those of `view`, the most frequent first.
    """

    view: QueryView
    since: datetime
    until: datetime
    searches: int
    queries: int
    users: int
    zero: int
    unknown: int
    clicked: int
    rows: tuple[QueryCount | Reformulation, ...]

    def facts(self) -> JsonObject:
        """The numbers of all searches together."""
        return {name: value for name, value in vars(self).items() if name not in ("rows", "view")}

    def table(self) -> list[JsonObject]:
        """`rows` with the shares that people compare; None where a share is of nothing."""
        return [
            _reformulation_row(row) if isinstance(row, Reformulation) else _query_row(row)
            for row in self.rows
        ]

    def to_json(self) -> JsonObject:
        """What `recsys search queries --json` prints."""
        return {"view": self.view, **self.facts(), "rows": self.table()}


def report_queries(
    paths: HomePaths, view: QueryView, now: datetime, days: float = 30, count: int = 20
) -> QueryReport:
    """The searches of the last `days` before `now`, and the first `count` rows of `view`.

    Raises:
        DataError: a file of the lake cannot be read.
    """
    since = now - timedelta(days=days)
    searches = read_searches(paths, since, now)
    queries = count_queries(searches)
    clicked = int(searches[CLICKED].sum())
    if len(searches) and not clicked:
        log.warning(
            "no click names the answer of a search: the page has to send request_id or query_id with it, "
            "see docs/serving.md"
        )
    return QueryReport(
        view=view,
        since=since,
        until=now,
        searches=len(searches),
        queries=len(queries),
        users=int(searches[columns.USER_ID].nunique()),
        zero=sum(row.zero for row in queries),
        unknown=sum(row.unknown for row in queries),
        clicked=clicked,
        rows=_rows(view, searches, queries)[:count],
    )


def _rows(
    view: QueryView, searches: pd.DataFrame, queries: tuple[QueryCount, ...]
) -> tuple[QueryCount | Reformulation, ...]:
    if view == "reformulated":
        return find_reformulations(searches)
    rank = _RANKS[view]
    return tuple(sorted((row for row in queries if rank(row)), key=rank, reverse=True))


def _query_row(row: QueryCount) -> JsonObject:
    known = row.searches - row.unknown
    return {
        **asdict(row),
        "zero_share": row.zero / known if known else None,
        "click_through": row.clicked / row.searches,
    }


def _reformulation_row(row: Reformulation) -> JsonObject:
    return {
        **asdict(row),
        "click_through": row.clicked / row.times,
        "next_click_through": row.next_clicked / row.times,
    }
