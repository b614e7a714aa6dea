"""Labels from feedback: who saw what, and which response an action is credited to."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys import columns
from recsys.dataset.feedback import FEEDBACK_COLUMNS, SHOWN_COLUMNS, Feedback, build_feedback
from recsys.dataset.interactions import Vocabulary
from recsys.instants import DAY

ITEMS = Vocabulary.of(["mug", "oil", "rye", "tea"])  # indexes 1 to 4


def event(
    kind: str,
    at: float,
    item: str = "tea",
    request: str | None = None,
    user: str = "ann",
    position: Any = None,
    viewable: bool | None = None,
    surface: str | None = "home",
    token: str | None = None,
) -> tuple:
    """An event `at` days."""
    return kind, request, user, item, position, int(at * DAY), surface, viewable, token


def shown(request: str, at: float, *items: str, user: str = "ann") -> list[tuple]:
    return [event("impression", at, item, request, user, place) for place, item in enumerate(items, 1)]


def slate(
    request: str, at: float, *items: str, user: str | None = "ann", surface: str | None = "home"
) -> list[tuple]:
    return [(request, user, item, place, int(at * DAY), surface) for place, item in enumerate(items, 1)]


def feedback(events: list[tuple], slates: list[tuple] | None = None) -> Feedback:
    types = {columns.AT: "int64"}
    return build_feedback(
        pd.DataFrame(events, columns=list(FEEDBACK_COLUMNS)).astype(types),
        pd.DataFrame(slates or [], columns=list(SHOWN_COLUMNS)).astype(types),
        ITEMS,
    )


def shown_lines(found: Feedback) -> dict[str, list[str]]:
    """Request -> its items in order, each with what was done: c click, v view, a cart, p purchase."""
    out = {}
    for row, request in enumerate(found.request_ids):
        places = range(found.offsets[row], found.offsets[row + 1])
        marks = (("c", found.clicked), ("v", found.viewed), ("a", found.carted), ("p", found.purchased))
        out[request] = [
            " ".join([ITEMS.ids[found.item_index[n]], *(mark for mark, done in marks if done[n])])
            for n in places
        ]
    return out


def test_an_action_that_names_the_response_marks_the_item_it_showed() -> None:
    found = feedback(
        [
            *shown("r1", 1, "tea", "mug", "oil"),
            event("click", 1.1, "mug", "r1"),
            event("cart", 1.2, "mug", "r1"),
            event("purchase", 1.3, "oil", "r1"),
            event("view", 1.4, "tea", "r1"),
        ]
    )
    assert shown_lines(found) == {"r1": ["tea v", "mug c a", "oil p"]}
    assert found.labels.tolist() == [False, True, False]  # a label is a click and nothing else
    assert found.position.tolist() == [1, 2, 3]
    assert found.at.tolist() == [DAY]


def test_the_same_item_in_another_response_is_not_marked() -> None:
    clicked = [event("click", 2.1, "tea", "r2"), event("click", 2.2, "rye", "r2")]  # rye was not shown
    found = feedback([*shown("r1", 1, "tea"), *shown("r2", 2, "tea", "mug"), *clicked])
    assert shown_lines(found) == {"r1": ["tea"], "r2": ["tea c", "mug"]}


def test_a_purchase_without_a_name_is_credited_to_the_latest_response_of_its_week() -> None:
    found = feedback(
        [
            *shown("r1", 1, "tea", "oil"),
            *shown("r2", 3, "tea"),
            *shown("r3", 4, "tea", user="bob"),
            event("purchase", 5, "tea"),  # day 5: r2 was the last to show it to ann
            event("purchase", 8, "oil"),  # day 8: exactly a week after r1
            event("purchase", 11.5, "tea", user="bob"),  # more than a week after r3
        ]
    )
    assert shown_lines(found) == {"r1": ["tea", "oil p"], "r2": ["tea p"], "r3": ["tea"]}


def test_a_purchase_before_or_at_the_instant_of_the_impression_is_no_consequence_of_it() -> None:
    found = feedback([*shown("r1", 2, "tea"), event("purchase", 1, "tea"), event("purchase", 2, "tea")])
    assert shown_lines(found) == {"r1": ["tea"]}


def test_a_purchase_that_names_a_response_we_never_saw_is_credited_like_one_without() -> None:
    found = feedback([*shown("r1", 2, "tea"), event("purchase", 3, "tea", "from elsewhere")])
    assert shown_lines(found) == {"r1": ["tea p"]}


def test_without_impressions_what_the_service_logged_was_shown() -> None:
    found = feedback([event("click", 1.1, "mug", "r1")], slate("r1", 1, "tea", "mug"))
    assert shown_lines(found) == {"r1": ["tea", "mug c"]}


def test_once_impressions_come_what_they_do_not_name_was_not_seen() -> None:
    slates = [*slate("old", 1, "rye"), *slate("r1", 2, "tea", "mug", "oil"), *slate("r2", 3, "rye")]
    found = feedback(shown("r1", 2.5, "tea", "mug"), slates)
    # "old" was served before the client reported anything; oil and r2 were below the fold.
    assert shown_lines(found) == {"old": ["rye"], "r1": ["tea", "mug"]}
    assert found.at.tolist() == [DAY, 2 * DAY]  # of the response, not of the impressions that followed


def test_an_impression_reported_twice_counts_once_at_its_first_instant() -> None:
    found = feedback([*shown("r1", 2, "tea", "mug"), *shown("r1", 1, "tea", "mug")])
    assert shown_lines(found) == {"r1": ["tea", "mug"]}
    assert found.at.tolist() == [DAY]


def test_items_that_left_the_catalog_and_visitors_are_left_out() -> None:
    found = feedback(
        [*shown("r1", 1, "gone", "tea"), *shown("r2", 1, "gone")], slate("r3", 0, "tea", user=None)
    )
    assert shown_lines(found) == {"r1": ["tea"]}
    assert found.position.tolist() == [2]


def test_users_who_did_nothing_else_have_an_index_too() -> None:
    found = feedback([*shown("r1", 1, "tea", user="zoe"), *shown("r2", 2, "tea")])
    assert [found.users.ids[index] for index in found.user_index] == ["zoe", "ann"]


def test_lists_are_padded_and_cut() -> None:
    found = feedback(
        [*shown("r1", 1, "tea", "mug", "oil"), *shown("r2", 2, "rye"), event("click", 1.1, "mug", "r1")]
    )
    items, labels = found.lists(np.array([1, 0]), 2)
    assert items.tolist() == [[3, 0], [4, 1]]
    assert labels.tolist() == [[False, False], [False, True]]


def test_nothing_shown_is_no_feedback() -> None:
    found = feedback([event("purchase", 1, "tea"), event("impression", 1, "tea", None)])
    assert len(found) == 0
    assert found.lists(np.zeros(0, np.int64), 3)[0].shape == (0, 3)


RANDOM_EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from(["impression", "click", "cart", "purchase", "search"]),
        st.integers(0, 20),
        st.sampled_from(["tea", "mug", "gone"]),
        st.sampled_from([None, "r1", "r2", "r3"]),
        st.sampled_from(["ann", "bob"]),
    ),
    max_size=30,
)


@given(RANDOM_EVENTS)
def test_each_shown_item_appears_once_and_marks_need_an_action(events: list[tuple]) -> None:
    found = feedback(events)
    pairs = {(e[1], e[3]) for e in events if e[0] == "impression" and e[1] and e[3] != "gone"}
    assert len(found.item_index) == len(pairs)
    assert set(found.request_ids) == {request for request, _ in pairs}
    clicked = {(e[1], e[3]) for e in events if e[0] == "click"} & pairs
    assert int(found.clicked.sum()) == len(clicked)
    assert int(found.purchased.sum()) <= sum(e[0] == "purchase" for e in events)
    assert (np.diff(found.at) >= 0).all()


def test_what_was_not_viewable_was_not_shown_and_what_nobody_measured_was() -> None:
    found = feedback(
        [
            event("impression", 1, "tea", "r1", position=1, viewable=True),
            event("impression", 1, "mug", "r1", position=2, viewable=False),
            event("impression", 1, "oil", "r1", position=3, viewable=None),
        ]
    )
    assert shown_lines(found) == {"r1": ["tea", "oil"]}


def test_an_item_that_was_in_sight_once_was_shown() -> None:
    seen = [
        event("impression", 1 + n, "tea", "r1", viewable=viewable) for n, viewable in enumerate((False, True))
    ]
    assert shown_lines(feedback(seen)) == {"r1": ["tea"]}


def test_an_item_that_was_chosen_was_shown_whatever_the_page_measured() -> None:
    found = feedback(
        [
            event("impression", 1, "tea", "r1", viewable=False),
            event("impression", 1, "mug", "r1", viewable=False),
            event("click", 1.1, "tea", "r1"),
            event("click", 1.1, "mug", "r2"),  # of another answer
        ]
    )
    assert shown_lines(found) == {"r1": ["tea c"]}


def test_impressions_that_showed_nothing_still_say_that_the_client_reports() -> None:
    unseen = [event("impression", 1, "tea", "r1", viewable=False)]
    slates = [*slate("r1", 1, "tea", "mug"), *slate("r2", 2, "tea")]
    assert shown_lines(feedback(unseen, slates)) == {}


def test_likes_are_no_labels_and_neither_are_carts_and_purchases_where_there_are_clicks() -> None:
    done = [event(kind, 1.1, "tea", "r1") for kind in ("like", "cart", "purchase")]
    found = feedback([*shown("r1", 1, "tea", "mug"), *done, event("click", 1.2, "mug", "r1")])
    assert found.label_kind == "click"
    assert found.labels.tolist() == [False, True]


def test_where_no_click_names_a_response_views_stand_in_for_clicks() -> None:
    elsewhere = event("click", 1.1, "oil", None)  # of a page of the shop's own
    found = feedback([*shown("r1", 1, "tea", "mug"), elsewhere, event("view", 1.1, "mug", "r1")])
    assert found.label_kind == "view"
    assert found.labels.tolist() == [False, True]


@pytest.mark.parametrize("request_id", ["r1", None])
def test_where_no_view_names_one_either_carts_and_purchases_do(request_id: str | None) -> None:
    found = feedback([*shown("r1", 1, "tea", "mug"), event("purchase", 1.1, "mug", request_id)])
    assert found.label_kind == "purchase"
    assert found.labels.tolist() == [False, True]


def test_each_surface_is_read_from_the_log_until_it_sends_impressions_of_its_own() -> None:
    slates = [
        *slate("s0", 0, "tea", surface="search"),
        *slate("h1", 2, "rye", "oil", surface="home"),
        *slate("s1", 3, "tea", surface="search"),
        *slate("h2", 4, "rye", surface="home"),
        *slate("b1", 5, "mug", surface="basket"),
    ]
    seen = [event("impression", 2.1, "oil", "h1", surface="home")]
    found = feedback(seen, slates)
    # Home reports from day 2 on, so what it did not name was not seen; search and basket never report.
    assert shown_lines(found) == {"s0": ["tea"], "h1": ["oil"], "s1": ["tea"], "b1": ["mug"]}


def test_an_impression_is_of_the_surface_that_its_response_was_logged_for() -> None:
    slates = [*slate("r1", 1, "tea", surface="recommend"), *slate("r2", 2, "tea", surface="recommend")]
    found = feedback([event("impression", 1, "tea", "r1", surface="start page")], slates)
    assert shown_lines(found) == {"r1": ["tea"]}  # r2 of the same surface was not reported


def test_an_impression_whose_response_was_not_logged_is_of_the_surface_that_it_names() -> None:
    slates = [*slate("r1", 2, "tea", surface="search"), *slate("r2", 2, "tea", surface="home")]
    found = feedback([event("impression", 1, "rye", "lost", surface="search")], slates)
    assert shown_lines(found) == {"lost": ["rye"], "r2": ["tea"]}


def test_an_impression_of_an_unknown_place_ends_the_log_of_no_surface() -> None:
    found = feedback([event("impression", 1, "rye", "own", surface=None)], slate("r1", 2, "tea"))
    assert shown_lines(found) == {"own": ["rye"], "r1": ["tea"]}


def test_what_was_sponsored_is_no_organic_label() -> None:
    found = feedback(
        [
            *shown("r1", 1, "tea"),
            event("impression", 1, "mug", "r1", token="t"),
            event("click", 1.1, "mug", "r1", token="t"),
            event("purchase", 1.2, "tea", None, token="t"),
            event("click", 1.3, "tea", "r1"),
        ]
    )
    assert shown_lines(found) == {"r1": ["tea c"]}
