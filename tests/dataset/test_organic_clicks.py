"""Which impressions are labelled as clicked, and which are not labelled at all."""

from typing import Any

import pandas as pd
import pytest

from recsys.dataset.click_log import LabelledImpressions, join_impressions
from recsys.dataset.organic_clicks import CLICK_EVENT_COLUMNS, SHOWN_COLUMNS, organic_labels
from recsys.errors import DataError
from recsys.instants import DAY, SECOND

MINUTE = 60 * SECOND
UNTIL = 100 * DAY


def event(kind: str, at: int, **said: Any) -> dict[str, Any]:
    known = {"request_id": "r", "user_id": "u", "item_id": "i", "surface": "home"} | said
    return {"kind": kind, "at": at, **known}


def labels(*events: dict[str, Any], answers: list[dict[str, Any]] | None = None) -> LabelledImpressions:
    table = pd.DataFrame(list(events), columns=list(CLICK_EVENT_COLUMNS))
    logged = pd.DataFrame(answers or [], columns=list(SHOWN_COLUMNS))
    return join_impressions([organic_labels(table, logged, UNTIL)])


def test_a_click_within_thirty_minutes_of_the_answer_counts_and_a_later_one_does_not():
    soon = labels(event("impression", 0), event("click", 30 * MINUTE))
    late = labels(event("impression", 0), event("click", 30 * MINUTE + 1))
    assert (soon.clicked.tolist(), late.clicked.tolist()) == ([True], [False])


@pytest.mark.parametrize("kind", ["view", "cart", "like", "purchase"])
def test_only_clicks_are_clicks(kind: str):
    assert labels(event("impression", 0), event(kind, MINUTE)).clicked.tolist() == [False]


def test_a_click_of_another_answer_does_not_count():
    assert not labels(event("impression", 0), event("click", MINUTE, request_id="other")).clicked.any()


def test_events_of_sponsored_items_are_left_to_the_labels_of_ads():
    shown = event("impression", 0, token="t")
    assert not len(labels(shown))
    assert not labels(event("impression", 0), event("click", MINUTE, token="t")).clicked.any()


def test_an_item_that_was_not_viewable_is_no_impression_unless_it_was_clicked():
    assert not len(labels(event("impression", 0, viewable=False)))
    assert len(labels(event("impression", 0, viewable=False), event("click", MINUTE))) == 1


def test_a_purchase_after_the_click_is_a_conversion_and_one_without_is_not():
    bought = event("purchase", DAY, request_id=None)
    assert labels(event("impression", 0), event("click", MINUTE), bought).converted.tolist() == [True]
    assert labels(event("impression", 0), bought).converted.tolist() == [False]


def test_labels_that_are_not_final_are_left_out_or_said_to_be_so():
    young = UNTIL - 10 * MINUTE
    found = labels(event("impression", young), event("impression", UNTIL - DAY, request_id="s"))
    assert (len(found), found.mature.tolist()) == (1, [False])
    assert labels(event("impression", 0)).mature.tolist() == [True]


def test_the_instant_is_that_of_the_answer_where_the_log_has_it():
    answer = {"request_id": "r", "user_id": "u", "item_id": "i", "at": 5, "surface": "home", "query": "tea"}
    found = labels(event("impression", 9), answers=[answer])
    assert (found.at.tolist(), found.query.tolist()) == ([5], ["tea"])


def test_the_log_stands_in_for_a_surface_that_reports_nothing_whatever_others_report():
    answers = [
        {"request_id": "a", "user_id": "u", "item_id": "i", "at": 50, "surface": "search", "position": 2},
        {"request_id": "b", "user_id": "u", "item_id": "i", "at": 50, "surface": "home", "position": 1},
    ]
    found = labels(event("impression", 9), event("click", 51, request_id="a"), answers=answers)
    assert found.surface.tolist() == ["home", "search"]  # of home the page reports, from 9 on
    assert (found.clicked.tolist(), found.slot.tolist()) == ([False, True], [0, 2])


def test_answers_are_numbered_by_instant_and_a_part_anew():
    rows = pd.DataFrame(
        {"item_id": list("abc"), "at": [3, 1, 3], "clicked": [1, 0, 0], "request_id": ["y", "x", "y"]}
    )
    found = LabelledImpressions.of_frame(rows)
    assert (found.request.tolist(), found.item_id.tolist()) == ([0, 1, 1], ["b", "a", "c"])
    assert found.take(found.at > 1).request.tolist() == [0, 0]


def test_a_table_without_what_it_must_have_is_refused():
    with pytest.raises(DataError, match="lack at, clicked"):
        LabelledImpressions.of_frame(pd.DataFrame({"item_id": ["a"]}))


def test_no_events_give_no_impressions():
    assert not len(labels())
