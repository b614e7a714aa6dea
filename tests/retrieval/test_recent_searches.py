"""Which items are near what a user searched for, and how near, by queries whose vectors are known."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import StoreUnavailableError
from recsys.retrieval.recent_searches import (
    MOST_DEVIATIONS,
    MOST_QUERIES,
    QueryMeanings,
    RecentSearches,
    recent_searches,
)
from recsys.retrieval.text_index import TextIndex

HOUR = 3600
NOW = 1_700_000_000
ONE_IN_NINE = sqrt(8)  # deviations of the one item of nine that has a cosine of 1, the others 0
TEXTS = np.concatenate([np.zeros((1, 9), np.float32), np.eye(9, dtype=np.float32)])  # item i has axis i - 1


class Encoder:
    """Query `n` has the axis of item n; counts what it encodes."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.away, self.failed = False, 0

    def encode(self, query: str) -> np.ndarray:
        if self.away:
            self.failed += 1
            raise StoreUnavailableError("encoder", "encode a query", 0.1)
        self.encoded.append(query)
        return TEXTS[int(query)] if query.isdigit() else np.zeros(9, np.float32)


def searches(
    asked: Mapping[str, float], dial: float = 1.0, encoder: Encoder | None = None
) -> RecentSearches | None:
    """Of queries with their ages in hours."""
    meanings = QueryMeanings(encoder or Encoder(), TextIndex(TEXTS))
    return recent_searches(
        meanings, [(text, NOW - round(age * HOUR)) for text, age in asked.items()], NOW, dial
    )


def nearness(found: RecentSearches | None, *items: int) -> list[float]:
    assert found is not None
    return found.nearness(np.array(items)).tolist()


def test_what_was_searched_right_now_counts_whole_and_half_of_it_after_six_hours() -> None:
    expected = [ONE_IN_NINE, 0.0]
    for age, weight in ((0, 1.0), (6, 0.5), (12, 0.25)):
        assert nearness(searches({"3": age}), 3, 4) == pytest.approx(
            [weight * each for each in expected], rel=0.02
        )


def test_the_dial_scales_it_and_zero_asks_nothing() -> None:
    assert nearness(searches({"3": 0}, dial=0.2), 3) == pytest.approx([0.2 * ONE_IN_NINE], rel=0.02)
    encoder = Encoder()
    assert searches({"3": 0}, dial=0.0, encoder=encoder) is None
    assert encoder.encoded == []


def test_searches_of_a_day_ago_and_those_behind_the_latest_say_nothing() -> None:
    assert searches({"3": 24}) is None
    assert searches({}) is None
    found = searches({str(item): item for item in range(1, MOST_QUERIES + 2)})
    assert nearness(found, MOST_QUERIES + 1) == [0.0]


def test_an_item_near_two_queries_counts_by_the_one_that_says_more() -> None:
    found = searches({"3": 6, "4": 0})
    assert nearness(found, 3, 4) == pytest.approx([ONE_IN_NINE / 2, ONE_IN_NINE], rel=0.02)


def test_items_near_several_queries_come_in_turn_with_the_place_of_their_query() -> None:
    found = searches({"3": 1, "nothing known": 1, "4": 2})
    assert found is not None
    index, places = found.nearest()
    assert (index.tolist(), places.tolist()) == ([3, 4], [0, 2])


def test_an_item_without_a_text_is_near_nothing() -> None:
    assert nearness(searches({"3": 0}), 0) == [0.0]


def test_each_query_is_encoded_once_and_again_after_the_encoder_was_away() -> None:
    encoder = Encoder()
    meanings = QueryMeanings(encoder, TextIndex(TEXTS))
    encoder.away = True
    assert recent_searches(meanings, [("3", NOW)], NOW, 1.0) is None
    encoder.away = False
    for _ in range(3):
        assert recent_searches(meanings, [("3", NOW)], NOW, 1.0) is not None
    assert encoder.encoded == ["3"]


def test_an_encoder_that_is_away_is_waited_for_once_and_what_is_remembered_counts() -> None:
    asked = [("1", NOW), ("2", NOW), ("3", NOW)]
    encoder = Encoder()
    meanings = QueryMeanings(encoder, TextIndex(TEXTS))
    recent_searches(meanings, asked[:1], NOW, 1.0)
    encoder.away = True
    assert nearness(recent_searches(meanings, asked, NOW, 1.0), 1, 2, 3)[1:] == [0.0, 0.0]
    assert encoder.failed == 1


@given(st.dictionaries(st.sampled_from([str(item) for item in range(1, 10)]), st.floats(-1, 30), max_size=5))
def test_nearness_is_never_negative_nor_beyond_its_bound(asked: dict[str, float]) -> None:
    found = searches(asked)
    if found is not None:
        near = found.nearness(np.arange(10))
        assert near.min() >= 0
        assert near.max() <= MOST_DEVIATIONS
