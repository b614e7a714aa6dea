"""What a user searched for last: the batch table against the plain reference, and the rules by example."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import columns
from recsys.features.user_searches import LONGEST_TEXT, Search, merge_searches, user_searches
from recsys.instants import SECOND, to_micros
from tests.features.reference import user_searches_as_of
from tests.features.worlds import FAR, SEARCHES, known, numbered, row_at
from tests.streaming.replayed import canonical

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def search(text: str, after: int = 0, **more: Any) -> dict[str, Any]:
    """A search of "u1", `after` minutes after noon."""
    row = {columns.KIND: columns.SEARCH, columns.USER_ID: "u1", columns.QUERY: text, columns.WEIGHT: 0.0}
    return row | {columns.AT: NOON + after * MINUTE} | more


def latest(*rows: Mapping[str, Any]) -> dict[str, Any] | None:
    """The features of "u1" after these searches."""
    events = canonical([{**row, columns.SEQUENCE: place} for place, row in enumerate(rows)])
    return row_at(user_searches(events, 0), columns.USER_ID, "u1", NOON + timedelta(days=1))


def texts(*rows: Mapping[str, Any]) -> list[str]:
    found = latest(*rows)
    return [] if found is None else found[columns.SEARCH_TEXTS]


@pytest.mark.parametrize("count", [2, 10])
@settings(deadline=None)
@given(rows=SEARCHES, at=FAR)
def test_user_searches_are_what_the_definition_says(
    count: int, rows: list[dict[str, Any]], at: datetime
) -> None:
    rows = numbered(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "SEARCH_COUNT", count)
        patch.setattr("recsys.features.user_searches.BLOCK_ROWS", 3)
        view = user_searches(canonical(rows), created_at=0)
        instants = view[columns.EVENT_TIMESTAMP].to_pylist()
        assert instants == sorted(instants)
        for user in ("u1", "u2"):
            reference = user_searches_as_of(rows, user, at)
            assert known(row_at(view, columns.USER_ID, user, at), reference) == reference


@given(
    st.lists(st.builds(Search, st.sampled_from("abcdef"), st.integers(0, 3), st.integers(0, 99)), max_size=30)
)
def test_searches_give_the_same_whole_or_in_parts_and_in_any_order(found: list[Search]) -> None:
    found = [each._replace(sequence=place) for place, each in enumerate(found)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "SEARCH_COUNT", 3)
        kept: tuple[Search, ...] = ()
        for each in reversed(found):
            kept = merge_searches(kept, [each])
        assert kept == merge_searches((), found)


def test_the_newest_query_comes_first_and_a_repeated_one_moves_to_the_front() -> None:
    found = latest(search("tea"), search("milk", 1), search("TEA ", 2))
    noon = to_micros(NOON) // SECOND
    assert found == {columns.SEARCH_TEXTS: ["tea", "milk"], columns.SEARCH_AT: [noon + 120, noon + 60]}


def test_an_older_search_that_comes_late_takes_its_place() -> None:
    assert texts(search("tea", 5), search("milk", 1), search("rye", 3)) == ["tea", "rye", "milk"]


def test_ten_distinct_queries_are_kept() -> None:
    assert texts(*(search(f"q{number}", number) for number in range(12))) == [
        f"q{number}" for number in range(11, 1, -1)
    ]


@pytest.mark.parametrize(
    "later",
    [
        {columns.PAGE: 2},
        {columns.QUERY_ID: "r1", columns.REQUEST_ID: "r2"},
        {columns.QUERY_ID: "r1", columns.REQUEST_ID: "r2", columns.PAGE: 2},
    ],
)
def test_a_later_page_is_no_search_of_its_own(later: dict[str, Any]) -> None:
    first = search("tea", **{columns.QUERY_ID: "r1", columns.REQUEST_ID: "r1"})
    assert texts(first, search("milk", 1), search("tea", 2, **later)) == ["milk", "tea"]


def test_blanks_and_texts_that_nobody_types_say_nothing() -> None:
    assert texts(search("  "), search("x" * (LONGEST_TEXT + 1)), search("tea")) == ["tea"]


def test_events_without_searches_give_an_empty_table() -> None:
    assert len(user_searches(canonical([]), 0)) == 0
