"""What a search leaves out with each rung of effort."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import FeatureRows
from recsys.funnel.requests import Effort
from recsys.search.answer import MEANING_UNAVAILABLE, NOT_PERSONALISED, SearchAnswer
from recsys.search.requests import SearchRequest
from recsys.search.searcher import Searcher
from recsys.search.storefront import Storefront
from tests.search.small_shop import NOT_DIVERSE, NOW, Row, make_searcher

ROWS = (
    Row("red shoe", popularity=1, vector=(1, 0, 0, 0)),
    Row("red boot", popularity=3, vector=(0.9, 0.1, 0, 0)),
    Row("red hat", popularity=2, vector=(0, 1, 0, 0)),
)


class CountedReads:
    """No features, and how often they were asked for."""

    def __init__(self) -> None:
        self.users = self.items = 0

    def read_user(self, user_id: str) -> FeatureRows:
        self.users += 1
        raise StoreUnavailableError("redis", "read", 0.0)

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        self.items += 1
        raise StoreUnavailableError("redis", "read", 0.0)

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        raise NotImplementedError


@pytest.fixture
def reads() -> CountedReads:
    return CountedReads()


@pytest.fixture
def searcher(reads: CountedReads) -> Searcher:
    return replace(make_searcher(ROWS, settings=NOT_DIVERSE), features=reads)


def found(searcher: Searcher, effort: Effort) -> SearchAnswer:
    shop = Storefront(searcher.recommender, searcher).with_effort(effort)
    return shop.searcher().search(SearchRequest("r1", "red", user_id="ann"), NOW)


@pytest.mark.parametrize("effort", Effort)
def test_what_is_found_and_how_many_stays_exact(searcher: Searcher, effort: Effort) -> None:
    answer = found(searcher, effort)
    assert answer.total == 3
    assert {item.item_id for item in answer.items} == {"i1", "i2", "i3"}
    assert [code for code in answer.degraded if code in effort.codes] == list(effort.codes)


def test_full_effort_is_the_searcher_itself(searcher: Searcher) -> None:
    shop = Storefront(searcher.recommender, searcher)
    assert shop.with_effort(Effort.FULL) is shop


@pytest.mark.parametrize(
    ("effort", "users", "items"),
    [
        (Effort.FULL, 1, 1),
        (Effort.FEWER_CANDIDATES, 1, 1),
        (Effort.NO_SECOND_STAGE, 1, 0),
        (Effort.POPULARITY, 0, 0),
    ],
)
def test_less_effort_reads_less(
    searcher: Searcher, reads: CountedReads, effort: Effort, users: int, items: int
) -> None:
    found(searcher, effort)
    assert (reads.users, reads.items) == (users, items)


def test_the_last_rung_asks_for_no_vector_and_says_what_is_missing(searcher: Searcher) -> None:
    assert MEANING_UNAVAILABLE not in found(searcher, Effort.NO_SECOND_STAGE).degraded
    answer = found(searcher, Effort.POPULARITY)
    assert answer.degraded == (NOT_PERSONALISED, MEANING_UNAVAILABLE, "popularity_only")
    assert answer.items[0].item_id == "i2", "the most popular of those with the word"
