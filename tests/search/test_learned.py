"""The learned order in a search: who comes first, and parts that add up to what is shown."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.analysis.analyzer import Analyzer
from recsys.search.relevance.features import FEATURES
from recsys.search.relevance.known_items import known_of_items
from recsys.search.relevance.learned import LearnedOrder, RelevanceReader
from recsys.search.relevance.ordering import LEARNED
from recsys.search.relevance.ranker import LEVEL, Scaling, SearchRanker
from recsys.search.requests import SearchRequest
from recsys.search.searcher import Searcher
from tests.search.small_shop import NOT_DIVERSE, NOW, FakeVectors, Row, item_table, make_searcher

DAY = 86_400_000_000
SHOP = (
    Row("red door", "Doors", "Acme", price_micros=1_000_000, popularity=9, vector=(1, 0, 0, 0)),
    Row("red door", "Gates", "Bolt", price_micros=4_000_000, popularity=1, vector=(1, 0, 0, 0)),
    Row("red door", "Doors", "Bolt", price_micros=2_000_000, vector=(1, 0, 0, 0)),
    Row("blue fence", vector=(0, 1, 0, 0)),
)


def ranker_of(**weights: float) -> SearchRanker:
    """A ranker whose score is the weighted sum of some features."""
    read = np.array([name in weights for name in FEATURES])
    scaling = Scaling(
        FEATURES,
        np.zeros(len(FEATURES), np.float32),
        read.astype(np.float32),
        np.zeros(len(FEATURES), bool),
    )
    row = np.array([[weights[name] for name in FEATURES if name in weights]], np.float32)
    return SearchRanker(scaling, (((row, np.zeros(1, np.float32)),),), level=0.0, unit=1.0)


def searcher(**weights: float) -> Searcher:
    plain = make_searcher(SHOP, vectors=FakeVectors({"red door": (1, 0, 0, 0)}), settings=NOT_DIVERSE)
    reader = RelevanceReader.of(item_table(SHOP), Analyzer())
    return replace(plain, learned=LearnedOrder(ranker_of(**weights), reader))


@pytest.mark.parametrize(
    ("weights", "order"),
    [
        ({"popularity": 1.0}, ["i1", "i2", "i3"]),
        ({"popularity": -1.0}, ["i3", "i2", "i1"]),
        ({"price_of_median": -1.0}, ["i1", "i3", "i2"]),
    ],
)
def test_what_the_catalog_knows_of_items_can_order_them(weights: dict[str, float], order: list[str]) -> None:
    answer = searcher(**weights).search(SearchRequest("r", "red door"), NOW)
    assert [item.item_id for item in answer.items] == order


def test_parts_are_those_of_the_ranker_and_add_up_to_the_score() -> None:
    answer = searcher(popularity=1.0, cosine=2.0).search(SearchRequest("r", "red door"), NOW)
    first = answer.items[0]
    assert set(first.parts) == {"semantic", "popularity"}  # level is 0
    assert LEARNED not in first.parts
    assert first.parts["popularity"] == pytest.approx(0.25)  # the most popular item: 1, times SPREAD
    assert first.score == pytest.approx(sum(first.parts.values()))
    assert LEVEL not in first.parts


def test_a_field_says_how_much_of_the_query_it_has() -> None:
    answer = searcher(brand_coverage=1.0).search(SearchRequest("r", "red door bolt"), NOW)
    assert [item.item_id for item in answer.items] == ["i2", "i3", "i1"]  # the last is of Acme


def test_ages_and_prices_that_are_not_known_are_missing() -> None:
    rows = (
        Row("a", price_micros=-1, first_at=0),
        Row("b", price_micros=3, first_at=1),
        Row("c", price_micros=3),
    )
    catalog = make_searcher(rows).recommender.catalog
    known = known_of_items(catalog, np.array([1, 2, 3]), NOW)
    assert known.price is not None
    assert known.age_days is not None
    assert np.isnan(known.price).tolist() == [True, False, False]
    assert known.price[1] == 0  # the median price
    assert np.isnan(known.age_days).tolist() == [True, False, True]


def test_a_changed_item_has_its_new_words() -> None:
    reader = RelevanceReader.of(item_table(SHOP), Analyzer())
    moved = item_table((*SHOP[:3], Row("green gate", "Gates", "Acme")))
    changed = reader.with_items(moved, np.array([4]))
    assert "gate" in changed.titles.numbers
    assert len(changed.fields["brand_coverage"].of(np.array([4])).term) == 1
    assert len(reader.fields["brand_coverage"].of(np.array([4])).term) == 0
