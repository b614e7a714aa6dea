"""Which positions of a page are up for ads: those that the rules allow, decided before the auction."""

from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.blending.items import OrganicItem, SponsoredItem
from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.page import blend_page
from recsys.ads.blending.rules import PageRules
from recsys.pages.positions import sponsored_positions


def test_a_page_goes_on_with_the_spacing_of_the_one_before() -> None:
    rules = PageRules((1.0,) * 8, most_percent=50, first_position=1, least_between=2)
    assert sponsored_positions(rules, PageMemory(), 6) == (1, 4, 7)
    one_behind = PageMemory().after([("a", True), ("b", False)])
    assert sponsored_positions(rules, one_behind, 6) == (2, 5, 8)


def test_a_page_that_may_have_none_sells_none() -> None:
    assert sponsored_positions(PageRules((1.0,) * 3, most_percent=25), PageMemory(), 4) == ()
    assert sponsored_positions(PageRules((1.0,) * 3, first_position=4), PageMemory(), 4) == ()


@given(
    length=st.integers(1, 30),
    percent=st.integers(0, 100),
    first=st.integers(1, 8),
    between=st.integers(1, 5),
    since=st.none() | st.integers(0, 6),
    most=st.integers(1, 6),
)
def test_ads_worth_having_stand_at_exactly_these_positions(
    length: int, percent: int, first: int, between: int, since: int | None, most: int
) -> None:
    """The rules of a page agree: nothing that is sold is refused a place."""
    rules = PageRules((1.0,) * length, percent, first, between)
    memory = PageMemory((), (), since)
    positions = sponsored_positions(rules, memory, most)
    assert len(positions) <= most
    organic = [OrganicItem(f"o{at}", f"o{at}", 1) for at in range(length)]
    ads = [
        SponsoredItem(f"ad{at}", f"a{at}", f"a{at}", 10**6, 1.0, position=position)
        for at, position in enumerate(positions)
    ]
    page = blend_page(organic, ads, rules, memory)
    assert tuple(each.position for each in page.positions if each.sponsored) == positions
