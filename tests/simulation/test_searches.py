"""Shoppers at the search box of a fake service: what is asked, reported and true."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.events import Click, Impression, ItemEvent, Search, UserEvent
from recsys.simulation.page_events import Names
from recsys.simulation.search_visits import simulate_searches
from recsys.simulation.searches import Question, SearchPage
from recsys.simulation.truth import Truth, TruthWriter, read_truth
from recsys.simulation.world import World
from tests.simulation.catalogs import START
from tests.simulation.search_world import search_world, shopper_searches

NAMES = Names("0")


class FakeSearch:
    """Finds 25 items of the shop in the order of their ids, whatever is asked."""

    def __init__(self, world: World, suggested: Sequence[str] = ()) -> None:
        self.ids = world.space.ids[1:26]
        self.suggested = tuple(suggested)
        self.asked: list[Question] = []
        self.typed: list[str] = []

    async def search(self, question: Question) -> SearchPage:
        self.asked.append(question)
        request_id = f"r{len(self.asked)}"
        query_id, _, above = (question.cursor or f"{request_id} 0").partition(" ")
        last = int(above) + question.size
        cursor = f"{query_id} {last}" if last < 25 else None
        return SearchPage(request_id, query_id, self.ids[int(above) : last], 25, cursor)

    async def suggest(self, typed: str, user_id: str) -> Sequence[str]:
        self.typed.append(typed)
        return self.suggested


def play(folder: Path, **habits: Any) -> tuple[FakeSearch, list[UserEvent], Truth, World]:
    world, needs = search_world(**{"shoppers": 60, **habits})
    service = FakeSearch(world, [needs.text(place) for place in range(len(needs))])
    with TruthWriter(folder / "truth.parquet", world) as truth:
        searches = shopper_searches(world, needs, service, truth)
        events = [event for _, event in simulate_searches(world, searches, START, 2, NAMES, truth)]
    return service, events, read_truth(folder / "truth.parquet"), world


def test_attraction_adds_the_relevance_on_the_scale_of_log_odds() -> None:
    world, _ = search_world(relevance_slope=6.0, relevance_middle=0.9)
    who, items = np.array([3]), np.array([[5, 5, 0]])
    plain = world.attraction(who, items)[0]
    found = world.attraction(who, items, np.array([[0.9, 0.4, 1.0]]))[0]
    assert found[0] == pytest.approx(plain[0])
    odds = [math.log(p / (1 - p)) for p in (plain[1], found[1])]
    assert odds[1] - odds[0] == pytest.approx(6 * (0.4 - 0.9))
    assert found[2] == 0  # no item, no click


def test_a_search_is_reported_with_what_was_found_and_every_page_has_its_query_id(tmp_path: Path) -> None:
    service, events, _, world = play(tmp_path, second_page=1.0, filter_share=1.0)
    searches = [event for event in events if isinstance(event, Search)]
    assert len(searches) == len(service.asked) > 50
    assert {(one.results, one.surface) for one in searches} == {(25, "search")}
    by_query: dict[str | None, list[Search]] = {}
    for one in searches:
        by_query.setdefault(one.query_id, []).append(one)
    for pages in by_query.values():
        first, second = sorted(pages, key=lambda one: one.page or 0)
        assert (first.page, second.page) == (1, 2)
        assert first.request_id == first.query_id == second.query_id != second.request_id
        assert first.query == second.query
        assert first.filters == second.filters is not None
        assert first.filters["categories"][0] in world.space.categories
    positions = {event.position for event in events if isinstance(event, Impression)}
    assert positions == set(range(1, 21))
    known = {one.request_id: one.query_id for one in searches}
    for event in events:
        if isinstance(event, ItemEvent):
            assert event.query_id == known[event.request_id]


def test_a_further_page_is_asked_for_as_the_first_was(tmp_path: Path) -> None:
    service, _, _, _ = play(tmp_path, second_page=1.0)
    first, second = service.asked[:2]
    assert second == Question(**{**vars(first), "cursor": "r1 10"})


def test_in_sight_is_all_down_to_the_last_look_and_the_first_screen(tmp_path: Path) -> None:
    _, events, truth, _ = play(tmp_path, second_page=0.0)
    lowest: dict[str, int] = {}
    for row in truth.shown.to_pylist():
        if row["examined"]:
            lowest[row["request_id"]] = max(lowest.get(row["request_id"], 0), row["position"])
    shown = [event for event in events if isinstance(event, Impression)]
    assert {event.surface for event in shown} == {"search"}
    for event in shown:
        seen = (event.position or 0) <= max(4, lowest.get(event.request_id or "", 0))
        assert event.viewable is seen
        assert ((event.visible_ms or 0) > 0) is seen


def test_keystrokes_are_suggested_to_and_become_no_events(tmp_path: Path) -> None:
    service, events, _, _ = play(
        tmp_path, suggest_share=1.0, typo_share=1.0, dropped_share=0.0, second_page=0.0
    )
    assert len(service.typed) > 100
    assert {len(typed) for typed in service.typed} <= {3, 5}
    searched = {event.query for event in events if isinstance(event, Search)}
    assert Counter(event.query for event in events if isinstance(event, Search)) == Counter(
        question.query for question in service.asked
    )
    # What is meant is suggested, so nobody's error is sent but in queries too short to be suggested to.
    assert {query for query in searched if len(query) > 3} <= set(service.suggested)


def test_who_clicks_nothing_looks_for_the_same_again_in_other_words(tmp_path: Path) -> None:
    service, events, _, _ = play(
        tmp_path, relevance_middle=1.0, relevance_slope=100.0, typo_share=0.5, pages=4.0
    )
    clicked = {event.query_id for event in events if isinstance(event, Click)}
    by_session: dict[str, list[Question]] = {}
    for question in service.asked:
        by_session.setdefault(question.session_id, []).append(question)
    again = [pair for asked in by_session.values() for pair in pairwise(asked)]
    assert len(clicked) < len(service.asked) / 2
    assert (
        sum(set(one.query.split()) & set(two.query.split()) != set() for one, two in again) > len(again) / 3
    )


def test_the_truth_has_query_relevance_and_attraction_of_every_item_shown(tmp_path: Path) -> None:
    _, events, truth, _ = play(tmp_path, shuffled_share=0.5)
    rows = truth.shown.to_pylist()
    texts = {event.query_id: event.query for event in events if isinstance(event, Search)}
    assert len(rows) == sum(isinstance(event, Impression) for event in events) > 500
    for row in rows:
        assert row["query"] == texts[row["query_id"]]
        assert 0 <= row["relevance"] <= 1
        assert row["p_click"] == pytest.approx(row["attraction"] * row["position"] ** -0.7)
        assert row["propensity"] in (None, 0.1)
    shuffled = {row["request_id"]: row["propensity"] is not None for row in rows if row["position"] == 1}
    assert 0.3 < np.mean(list(shuffled.values())) < 0.7
    assert all(row["propensity"] is None for row in rows if row["position"] > 10)


def test_equal_worlds_search_alike(tmp_path: Path) -> None:
    logs = []
    for _ in range(2):
        world, needs = search_world(shoppers=20)
        log = simulate_searches(
            world, shopper_searches(world, needs, FakeSearch(world)), START, 1, Names("0")
        )
        logs.append(list(log))
    assert logs[0] == logs[1]
    assert logs[0]


def test_nobody_searches_where_nobody_does(tmp_path: Path) -> None:
    service, events, _, _ = play(tmp_path, search_sessions=0.0)
    assert (service.asked, events) == ([], [])
