"""What people searched for: each search once, what came of it, and what was searched for next.

A search is all search events of one `query_id`: a further page of the results is the same search. Events
without one are told apart by the response that they name, and else by their own ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import BoolArray, Column
from recsys.dataset.feedback import CHOICES
from recsys.instants import SECOND

SEARCH_COLUMNS = (
    columns.EVENT_ID,
    columns.KIND,
    columns.USER_ID,
    columns.AT,
    columns.SEQUENCE,
    columns.SESSION_ID,
    columns.QUERY,
    columns.REQUEST_ID,
    columns.QUERY_ID,
    columns.RESULTS,
    columns.ITEM_ID,
)
REFORMULATION_SECONDS = 300.0  # between a query and what it was changed to
SHARED_PREFIX = 3  # characters at least, and half of the shorter query
CLICKED = "clicked"
_IDENTITY = [columns.QUERY_ID, columns.REQUEST_ID, columns.EVENT_ID]
_LONGEST = 64  # characters that an edit distance looks at


@dataclass(frozen=True)
class QueryCount:
    """What became of all searches for one query, as people type it.

    Attributes:
        query: normalised, see `normalised_query`.
        searches: each `query_id` once. users: different ones.
        zero: searches that found nothing. unknown: searches that do not say what they found.
        clicked: searches with an action on what they found: a click, a view, a like, a cart or a purchase.
        missed: searches without such an action that are not known to have found nothing.
    """

    query: str
    searches: int
    users: int
    zero: int
    unknown: int
    clicked: int
    missed: int


@dataclass(frozen=True)
class Reformulation:
    """A query and what the same people searched for next instead.

    Attributes:
        times: that it happened. users: different ones.
        clicked, next_clicked: of those times, how often something was chosen before and after.
    """

    query: str
    next_query: str
    times: int
    users: int
    clicked: int
    next_clicked: int


def normalised_query(text: str) -> str:
    """`text` as queries are counted: in one case, with single blanks.

    >>> normalised_query("  Green   TEA ")
    'green tea'
    """
    return " ".join(text.casefold().split())


def count_searches(events: pa.Table) -> int:
    """How many searches are among `events`, each once; they have kind, query_id, request_id and event_id."""
    searches = events.filter(pc.equal(events[columns.KIND], columns.SEARCH))
    keys: Column = pc.coalesce(*(searches[name] for name in _IDENTITY))
    return len(keys.unique())


def searches_of(events: pd.DataFrame) -> pd.DataFrame:
    """The searches of `events` in the order of their first event, one row each.

    Args:
        events: SEARCH_COLUMNS, `at` int64 microseconds; searches and what people did with items.

    Returns:
        query (normalised), user_id, session_id, at, results (nullable: the first that is said) and clicked.
    """
    rows = keyed_searches(events).astype({columns.RESULTS: "Int64"})
    kept = [columns.QUERY, columns.USER_ID, columns.SESSION_ID, columns.AT, columns.RESULTS]
    found = rows.groupby("key", sort=False)[kept].first()  # of each column the first that is not null
    texts = {text: normalised_query(text) for text in found[columns.QUERY].unique()}
    found[columns.QUERY] = found[columns.QUERY].map(texts)
    found[CLICKED] = found.index.isin(_chosen_keys(events, rows))
    return found.reset_index(drop=True)


def keyed_searches(events: pd.DataFrame) -> pd.DataFrame:
    """The search events of `events` by time, with `key`: all pages of one search have the same."""
    asked = (events[columns.KIND] == columns.SEARCH) & events[columns.QUERY].notna()
    rows = events[asked].sort_values([columns.AT, columns.SEQUENCE], kind="stable")
    key = rows[columns.QUERY_ID].fillna(rows[columns.REQUEST_ID]).fillna(rows[columns.EVENT_ID])
    return rows.assign(key=key)


def key_of_answers(searches: pd.DataFrame) -> "pd.Series[str]":
    """The key of the search that an answer is a page of, by its request_id; `searches` have a `key`."""
    pages = searches.dropna(subset=[columns.REQUEST_ID]).drop_duplicates(columns.REQUEST_ID)
    return pages.set_index(columns.REQUEST_ID)["key"]


def _chosen_keys(events: pd.DataFrame, searches: pd.DataFrame) -> set[str]:
    """Keys of searches whose answer, any page of it, an action names."""
    actions = events[events[columns.KIND].isin(CHOICES)]
    named = actions[columns.REQUEST_ID].dropna()
    first_pages = named.map(key_of_answers(searches)).dropna()
    return {*actions[columns.QUERY_ID].dropna(), *named, *first_pages}


def count_queries(searches: pd.DataFrame) -> tuple[QueryCount, ...]:
    """One count a query, most searched first; `searches` as `searches_of` returns them."""
    results = searches[columns.RESULTS]
    zero = results.eq(0).fillna(False).astype(bool)
    marked = searches.assign(zero=zero, unknown=results.isna(), missed=~searches[CLICKED] & ~zero, searches=1)
    sums = {name: "sum" for name in ("searches", "zero", "unknown", CLICKED, "missed")}
    found = marked.groupby(columns.QUERY).agg({columns.USER_ID: "nunique", **sums})
    found = found.sort_values("searches", ascending=False, kind="stable")
    return tuple(
        QueryCount(
            query=str(query),
            searches=int(row["searches"]),
            users=int(row[columns.USER_ID]),
            zero=int(row["zero"]),
            unknown=int(row["unknown"]),
            clicked=int(row[CLICKED]),
            missed=int(row["missed"]),
        )
        for query, row in zip(found.index, found.to_dict("records"), strict=True)
    )


def find_reformulations(
    searches: pd.DataFrame, seconds: float = REFORMULATION_SECONDS
) -> tuple[Reformulation, ...]:
    """What queries were changed to, most frequent first; `searches` as `searches_of` returns them.

    A change is the next search of the same user, in the same session where both name one, at most `seconds`
    later, for another query that `is_similar_query`.
    """
    ordered = searches.sort_values([columns.USER_ID, columns.AT], kind="stable").reset_index(drop=True)
    after = ordered.shift(-1)
    sessions = ordered[columns.SESSION_ID], after[columns.SESSION_ID]
    follows = (
        (ordered[columns.USER_ID] == after[columns.USER_ID])
        & (after[columns.AT] - ordered[columns.AT] <= seconds * SECOND)
        & (sessions[0].isna() | sessions[1].isna() | (sessions[0] == sessions[1]))
        & (ordered[columns.QUERY] != after[columns.QUERY])
    )
    pairs = pd.DataFrame(
        {
            "query": ordered[columns.QUERY],
            "next": after[columns.QUERY],
            "user": ordered[columns.USER_ID],
            "clicked": ordered[CLICKED].astype(bool),
            "next_clicked": after[CLICKED].eq(True),
        }
    )[follows.to_numpy(bool)]
    return tuple(_counted_pairs(pairs[_similar_pairs(pairs)]))


def _similar_pairs(pairs: pd.DataFrame) -> BoolArray:
    """(P,) whether the queries of each pair are alike; each distinct pair is compared once."""
    texts = list(zip(pairs["query"], pairs["next"], strict=True))
    alike = {pair: is_similar_query(*pair) for pair in set(texts)}
    return np.fromiter((alike[pair] for pair in texts), bool, len(texts))


def _counted_pairs(pairs: pd.DataFrame) -> Iterator[Reformulation]:
    groups = pairs.assign(times=1).groupby(["query", "next"])
    found = groups.agg({"times": "sum", "user": "nunique", "clicked": "sum", "next_clicked": "sum"})
    found = found.sort_values("times", ascending=False, kind="stable").reset_index()
    for row in found.to_dict("records"):
        yield Reformulation(
            query=str(row["query"]),
            next_query=str(row["next"]),
            times=int(row["times"]),
            users=int(row["user"]),
            clicked=int(row["clicked"]),
            next_clicked=int(row["next_clicked"]),
        )


def is_similar_query(query: str, other: str) -> bool:
    """Whether two normalised queries may be one wish in two wordings.

    They share a word of two characters or more, one is in the other, they begin alike (SHARED_PREFIX
    characters and half of the shorter one), or one becomes the other by a few edits: one from 3 characters
    on, two from 6.

    >>> is_similar_query("chiken dinner", "chicken dinner"), is_similar_query("milk", "cat food")
    (True, False)
    """
    shorter, longer = sorted((query, other), key=len)
    words = {word for word in query.split() if len(word) > 1}
    if not words.isdisjoint(other.split()) or (len(shorter) > 1 and shorter in longer):
        return True
    prefix = next(
        (n for n, pair in enumerate(zip(query, other, strict=False)) if pair[0] != pair[1]), len(shorter)
    )
    if prefix >= max(SHARED_PREFIX, (len(shorter) + 1) // 2):
        return True
    most = 2 if len(shorter) >= 6 else 1 if len(shorter) >= 3 else 0
    return most > 0 and _is_within_edits(shorter, longer, most)


def _is_within_edits(shorter: str, longer: str, most: int) -> bool:
    """Whether at most `most` insertions, deletions and substitutions make one text the other."""
    if len(longer) - len(shorter) > most or len(longer) > _LONGEST:
        return False
    row = list(range(len(shorter) + 1))
    for number, letter in enumerate(longer, start=1):
        before, row = row, [number]
        for place, own in enumerate(shorter, start=1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (own != letter)))
        if min(row) > most:
            return False
    return row[-1] <= most
