"""What people searched for: each search once, what came of it, and what was asked next."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.dataset.searches import (
    SEARCH_COLUMNS,
    QueryCount,
    Reformulation,
    count_queries,
    count_searches,
    find_reformulations,
    is_similar_query,
    normalised_query,
    searches_of,
)
from recsys.instants import SECOND


def event(kind: str, at: float, **more: Any) -> dict[str, Any]:
    """An event of ann `at` seconds, with an id of its own."""
    row = dict.fromkeys(SEARCH_COLUMNS) | {columns.KIND: kind, columns.USER_ID: "ann"}
    return row | {columns.AT: round(at * SECOND), columns.EVENT_ID: f"{kind}-{at}-{more}"} | more


def search(query: str, at: float, **more: Any) -> dict[str, Any]:
    return event("search", at, query=query, **more)


def found(*rows: dict[str, Any]) -> pd.DataFrame:
    numbered = [{**row, columns.SEQUENCE: place} for place, row in enumerate(rows)]
    return searches_of(pd.DataFrame(numbered, columns=list(SEARCH_COLUMNS)))


def counts(*rows: dict[str, Any]) -> dict[str, QueryCount]:
    return {row.query: row for row in count_queries(found(*rows))}


def test_a_search_counts_once_however_many_pages_and_reports_it_has() -> None:
    rows = [
        search("tea", 1, query_id="r1", request_id="r1", page=1),
        search("tea", 1, query_id="r1", request_id="r1", event_id="sent again"),
        search("tea", 9, query_id="r1", request_id="r2"),  # page 2
        search("tea", 20, query_id="r3", request_id="r3"),
        search("tea", 30, request_id="r3"),  # the same answer, without the id of the search
    ]
    assert counts(*rows)["tea"].searches == 2  # r1 and r3
    table = pa.Table.from_pylist([{name: row[name] for name in SEARCH_COLUMNS} for row in rows])
    assert count_searches(table) == 2


def test_searches_without_any_id_are_one_each() -> None:
    assert counts(search("tea", 1), search("tea", 2), search("tea", 3))["tea"].searches == 3


def test_queries_are_counted_whatever_their_case_and_blanks() -> None:
    rows = counts(search("Green  Tea", 1), search(" green tea", 2, user_id="bob"), search("GREEN TEA", 3))
    assert {query: (row.searches, row.users) for query, row in rows.items()} == {"green tea": (3, 2)}


def test_what_is_not_said_is_neither_found_nor_zero() -> None:
    row = counts(search("tea", 1, results=0), search("tea", 2, results=7), search("tea", 3))["tea"]
    assert (row.searches, row.zero, row.unknown, row.missed) == (3, 1, 1, 2)


def test_a_later_page_tells_what_the_first_did_not() -> None:
    rows = [search("tea", 1, query_id="r1"), search("tea", 2, query_id="r1", request_id="r2", results=0)]
    assert (counts(*rows)["tea"].zero, counts(*rows)["tea"].unknown) == (1, 0)


@pytest.mark.parametrize(
    ("names", "clicked"),
    [
        ({"query_id": "r1"}, 1),
        ({"request_id": "r1"}, 1),
        ({"request_id": "r2"}, 1),  # the second page
        ({"query_id": "r1", "request_id": "r2"}, 1),
        ({"request_id": "r9"}, 0),
        ({}, 0),
    ],
)
@pytest.mark.parametrize("kind", ["click", "view", "like", "cart", "purchase"])
def test_an_action_that_names_any_page_of_the_search_is_a_click_through(
    kind: str, names: dict[str, str], clicked: int
) -> None:
    pages = [
        search("tea", 1, query_id="r1", request_id="r1"),
        search("tea", 2, query_id="r1", request_id="r2"),
        search("tea", 9, query_id="r3", request_id="r3"),
    ]
    row = counts(*pages, event(kind, 3, **names), event(kind, 4, **names))["tea"]
    assert (row.searches, row.clicked, row.missed) == (2, clicked, 2 - clicked)


def test_an_impression_is_no_click_through() -> None:
    assert counts(search("tea", 1, query_id="r1"), event("impression", 2, query_id="r1"))["tea"].clicked == 0


def test_queries_come_by_how_often_they_were_asked() -> None:
    rows = [search("tea", 1), search("milk", 2), search("milk", 3)]
    assert list(counts(*rows)) == ["milk", "tea"]


def test_no_events_are_no_searches() -> None:
    assert len(found()) == 0
    assert count_queries(found()) == ()
    assert find_reformulations(found()) == ()


def changes(*rows: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(row.query, row.next_query): row.times for row in find_reformulations(found(*rows))}


def test_a_similar_query_within_five_minutes_is_a_reformulation() -> None:
    assert changes(search("chiken", 0), search("chicken", 300)) == {("chiken", "chicken"): 1}
    assert changes(search("chiken", 0), search("chicken", 301)) == {}
    assert changes(search("chiken", 0), search("light bulb", 10)) == {}
    assert changes(search("chicken", 0), search("Chicken ", 10)) == {}


def test_a_reformulation_is_of_one_person_and_one_session() -> None:
    assert changes(search("chiken", 0), search("chicken", 9, user_id="bob")) == {}
    apart = [search("chiken", 0, session_id="s1"), search("chicken", 9, session_id="s2")]
    assert changes(*apart) == {}
    assert changes(search("chiken", 0, session_id="s1"), search("chicken", 9)) == {("chiken", "chicken"): 1}


def test_further_pages_are_not_between_a_query_and_the_next() -> None:
    rows = [
        search("chiken", 0, query_id="r1", request_id="r1"),
        search("chiken", 5, query_id="r1", request_id="r2"),
        search("chicken", 9, query_id="r3", request_id="r3"),
        event("click", 12, query_id="r3"),
        search("chiken", 100, user_id="bob"),
        search("chicken", 110, user_id="bob"),
    ]
    assert find_reformulations(found(*rows)) == (Reformulation("chiken", "chicken", 2, 2, 0, 1),)


@pytest.mark.parametrize(
    ("query", "other", "alike"),
    [
        ("tea", "green tea", True),  # a word of both
        ("frozen dinner", "dinner plates", True),
        ("红色连衣裙", "连衣裙", True),  # one is in the other
        ("strawberry jam", "strawberries", True),  # begin alike: 9 characters of 12
        ("milk", "mlk", True),  # one edit of 3 characters
        ("banana", "bannanas", True),  # two edits of 6
        ("tea", "tv", False),
        ("milk", "mild soap", True),  # 3 characters are alike, and half of the shorter is 2
        ("milkshake", "mild soap", False),  # and half of 9 is 5
        ("a b", "b c", False),  # single letters are no words
        ("cat food", "dog toys", False),
        ("", "tea", False),
    ],
)
def test_two_wordings_of_one_wish_are_similar(query: str, other: str, alike: bool) -> None:
    assert is_similar_query(query, other) is alike
    assert is_similar_query(other, query) is alike


TEXTS = st.text(st.sampled_from("abc 茶"), max_size=8).map(normalised_query)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_similarity_does_not_depend_on_which_came_first(query: str, other: str) -> None:
    assert is_similar_query(query, other) == is_similar_query(other, query)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tea", "milk"]),
            st.sampled_from([None, "q1", "q2", "q3"]),
            st.sampled_from([None, 0, 5]),
        ),
        max_size=12,
    )
)
def test_every_search_is_in_one_query_and_known_or_unknown(rows: list[tuple[str, Any, Any]]) -> None:
    events = [search(query, n, query_id=key, results=results) for n, (query, key, results) in enumerate(rows)]
    expected = len({key for _, key, _ in rows if key}) + sum(key is None for _, key, _ in rows)
    counted = count_queries(found(*events))
    assert sum(row.searches for row in counted) == expected
    assert all(row.zero + row.unknown <= row.searches for row in counted)
    assert all(row.zero + row.missed <= row.searches for row in counted)
