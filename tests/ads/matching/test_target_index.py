"""The index of targets finds what a look at every campaign finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ads.campaigns.bidding import FixedBid
from recsys.ads.campaigns.campaign import Campaign, Line
from recsys.ads.campaigns.targets import SURFACES, Keyword, Targets
from recsys.ads.matching.target_index import TargetIndex
from recsys.ads.matching.targeting import AdRequest, is_targeted
from recsys.errors import DataError
from recsys.rules.expressions import KnownFacts, NoFacts
from recsys.rules.fields import FactValue

CATEGORIES = ["Food", "Food/Pasta", "Food/Pasta/Penne", "Pasta", "Wine", "Food/Past"]
ITEMS = ["1", "2", "3"]
SEGMENTS = ["purchases_30d >= 3", "not (purchases_30d >= 3)", "views_7d is missing or views_7d > 2"]
WORDS = ["oat", "milk", "oat milk", "milk oat", "燕麦奶", "oats"]

keywords = st.builds(
    Keyword, st.sampled_from(WORDS), st.sampled_from(["exact", "phrase", "broad"]), st.booleans()
)


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


targets = st.builds(
    Targets,
    some(CATEGORIES),
    some(ITEMS),
    st.lists(keywords, max_size=3).map(tuple),
    st.none() | st.sampled_from(SEGMENTS),
    st.lists(st.sampled_from(SURFACES), max_size=2, unique=True).map(tuple),
)
facts = st.dictionaries(st.sampled_from(["purchases_30d", "views_7d"]), st.integers(0, 5).map(float)).map(
    KnownFacts
)
requests = st.builds(
    AdRequest,
    st.sampled_from(SURFACES),
    st.sampled_from(["", *WORDS, "fresh oat milk", "milk and oat", "有机燕麦奶"]),
    some(CATEGORIES),
    st.none() | st.sampled_from(ITEMS),
    st.just(NoFacts()) | facts,
)


def campaign(number: int, its: Targets) -> Campaign:
    line = Line(f"lin_{number}", "main", ("1",))
    return Campaign(f"cmp_{number}", "acc_1", str(number), "cpc", FixedBid(1), targets=its, lines=(line,))


@settings(max_examples=400, deadline=None)
@given(st.lists(targets, max_size=12), requests)
def test_the_index_finds_what_a_look_at_every_campaign_finds(
    given: list[Targets], request: AdRequest
) -> None:
    campaigns = [campaign(number, its) for number, its in enumerate(given)]
    expected = [each for each in campaigns if is_targeted(each.targets, request)]
    assert list(TargetIndex(campaigns).matching(request)) == expected


@pytest.mark.parametrize(
    ("its", "asked", "expected"),
    [
        (Targets(), AdRequest("home"), True),
        (Targets(categories=("Food",)), AdRequest("category", categories=("Food/Pasta",)), True),
        (Targets(categories=("Food/Past",)), AdRequest("category", categories=("Food/Pasta",)), False),
        (Targets(categories=("Food/Pasta",)), AdRequest("category", categories=("Food",)), False),
        (Targets(items=("1",)), AdRequest("product", item_id="1"), True),
        (Targets(items=("1",)), AdRequest("product"), False),
        (Targets(keywords=(Keyword("milk"),)), AdRequest("search", "oat milk"), True),
        (Targets(keywords=(Keyword("milk"),)), AdRequest("home"), False),
        (Targets(keywords=(Keyword("free", negative=True),)), AdRequest("search", "free milk"), False),
        (Targets(keywords=(Keyword("free", negative=True),)), AdRequest("home"), True),
        (Targets(items=("1",), surfaces=("product",)), AdRequest("home", item_id="1"), False),
        (
            Targets(categories=("Wine",), keywords=(Keyword("milk"),)),
            AdRequest("search", "milk"),
            True,
        ),
    ],
)
def test_what_targets_mean(its: Targets, asked: AdRequest, expected: bool) -> None:
    assert is_targeted(its, asked) == expected
    assert bool(TargetIndex([campaign(1, its)]).matching(asked)) == expected


class CountingFacts:
    """How often something was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def value(self, name: str) -> FactValue | None:
        self.asked += 1
        return 5.0


def test_a_shared_segment_is_evaluated_once_and_only_where_it_matters() -> None:
    shared = [campaign(number, Targets(segment=SEGMENTS[0])) for number in range(50)]
    away = [campaign(99, Targets(("Wine",), segment="views_7d > 1"))]
    counting = CountingFacts()
    assert len(TargetIndex([*shared, *away]).matching(AdRequest("home", facts=counting))) == 50
    assert counting.asked == 1


def test_a_segment_that_is_no_expression_is_refused_when_the_index_is_made() -> None:
    with pytest.raises(DataError, match="unknown field"):
        TargetIndex([campaign(1, Targets(segment="nothing > 1"))])
