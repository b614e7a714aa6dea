"""What people chose of what they searched for: each search once, and only where the words were theirs."""

from typing import Any

import pandas as pd

from recsys import columns
from recsys.dataset.clicked_items import ClickedItem, clicked_items
from recsys.dataset.searches import SEARCH_COLUMNS
from recsys.instants import SECOND


def event(kind: str, at: float, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(SEARCH_COLUMNS) | {columns.KIND: kind, columns.USER_ID: "ann"}
    return row | {columns.AT: round(at * SECOND), columns.EVENT_ID: f"{kind}-{at}-{more}"} | more


def chosen(*rows: dict[str, Any], corrected: tuple[str, ...] = ()) -> list[ClickedItem]:
    numbered = [{**row, columns.SEQUENCE: place} for place, row in enumerate(rows)]
    return list(clicked_items(pd.DataFrame(numbered, columns=list(SEARCH_COLUMNS)), corrected))


def test_an_item_counts_once_a_search_however_often_and_on_whichever_page_it_was_chosen() -> None:
    rows = [
        event("search", 1, query="Green  Tea", query_id="q1", request_id="q1"),
        event("search", 2, query="Green  Tea", query_id="q1", request_id="r2"),  # its second page
        event("click", 3, item_id="sencha", query_id="q1", request_id="q1"),
        event("cart", 4, item_id="sencha", request_id="r2"),  # names the page alone
        event("click", 5, item_id="matcha", request_id="r2"),
        event("search", 6, query="green tea", query_id="q2", request_id="q2"),
        event("purchase", 7, item_id="sencha", query_id="q2"),
    ]
    assert chosen(*rows) == [ClickedItem("green tea", "sencha", 2), ClickedItem("green tea", "matcha", 1)]


def test_what_names_no_search_says_nothing_of_a_query() -> None:
    rows = [
        event("search", 1, query="tea", query_id="q1", request_id="q1"),
        event("click", 2, item_id="cup", request_id="a recommendation"),
        event("click", 3, item_id="pot"),
        event("impression", 4, item_id="sencha", query_id="q1"),
    ]
    assert chosen(*rows) == []


def test_a_choice_behind_a_correction_does_not_say_that_the_words_were_right() -> None:
    rows = [
        event("search", 1, query="chiken", query_id="q1", request_id="q1"),
        event("click", 2, item_id="nuggets", query_id="q1", request_id="q1"),
        event("search", 3, query="chiken", query_id="q2", request_id="q2"),  # searched instead, as typed
        event("click", 4, item_id="brand chiken", query_id="q2", request_id="q2"),
    ]
    assert chosen(*rows, corrected=("q1",)) == [ClickedItem("chiken", "brand chiken", 1)]
