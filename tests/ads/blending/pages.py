"""Pages for tests, drawn and by hand, and every page that the rules allow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from hypothesis import strategies as st

from recsys.ads.blending.items import OrganicItem, SponsoredItem
from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.rules import PageRules

PRODUCTS = "abcdefgh"
CATEGORIES = ("wine", "toys")


@dataclass(frozen=True)
class PageRequest:
    """What `blend_page` is called with."""

    organic: tuple[OrganicItem, ...]
    sponsored: tuple[SponsoredItem, ...]
    rules: PageRules
    memory: PageMemory


def organic(*products: str, value: int = 1000, categories: str = "") -> list[OrganicItem]:
    """One item a product, all of one value."""
    return [OrganicItem(f"{each}1", each, value, frozenset(categories.split())) for each in products]


def ad(product: str, value: int, relevance: float = 1.0, never_beside: str = "") -> SponsoredItem:
    """The ad `ad-PRODUCT`."""
    return SponsoredItem(
        f"ad-{product}", f"{product}9", product, value, relevance, frozenset(never_beside.split())
    )


@st.composite
def page_requests(draw: st.DrawFn) -> PageRequest:
    """Short pages: few products, so that copies and variants are common; small values, so that ties are."""
    categories = st.sets(st.sampled_from(CATEGORIES)).map(frozenset)
    products = draw(st.lists(st.sampled_from(PRODUCTS), max_size=7))
    advertised = draw(st.lists(st.sampled_from(PRODUCTS), max_size=4))
    examination = draw(st.lists(st.sampled_from([1.0, 0.8, 0.5, 0.25, 0.1]), min_size=1, max_size=7))
    earlier = draw(st.lists(st.tuples(st.sampled_from(PRODUCTS), st.booleans()), max_size=4))
    value = st.integers(0, 6)
    return PageRequest(
        tuple(
            OrganicItem(f"o{place}", product, draw(value), draw(categories))
            for place, product in enumerate(products)
        ),
        tuple(
            SponsoredItem(
                f"ad{place}",
                f"s{place}",
                product,
                draw(st.integers(0, 20)),
                draw(st.sampled_from([0.1, 0.5, 0.9])),
                draw(categories) if draw(st.booleans()) else frozenset(),
            )
            for place, product in enumerate(advertised)
        ),
        PageRules(
            tuple(sorted(examination, reverse=True)),
            most_percent=draw(st.sampled_from([0, 20, 34, 50, 100])),
            first_position=draw(st.integers(1, 4)),
            least_between=draw(st.integers(1, 3)),
            least_relevance=draw(st.sampled_from([0.0, 0.3, 0.7])),
        ),
        PageMemory().after(earlier),
    )


Page = list[OrganicItem | SponsoredItem]


def pages_by_the_rules(request: PageRequest) -> Iterator[Page]:
    """Every page that breaks no rule: each choice of ads, in their order, at each choice of positions."""
    for size in range(len(request.sponsored) + 1):
        for ads in combinations(request.sponsored, size):
            products = {each.product_id for each in ads}
            left = [
                item
                for item in request.organic
                if item.product_id not in products and not request.memory.showed_sponsored(item.product_id)
            ]
            length = min(len(request.rules.examination), len(left) + size)
            for positions in combinations(range(length), size):
                rest, chosen = iter(left), iter(ads)
                page: Page = [next(chosen) if at in positions else next(rest) for at in range(length)]
                if not broken_rules(page, request):
                    yield page


def broken_rules(page: Sequence[OrganicItem | SponsoredItem], request: PageRequest) -> list[str]:
    """The promises that a page breaks, each looked at by itself."""
    rules, memory = request.rules, request.memory
    at = [place for place, item in enumerate(page) if isinstance(item, SponsoredItem)]
    ads = [item for item in page if isinstance(item, SponsoredItem)]
    shown = [item.product_id for item in page]
    before = [] if memory.since_sponsored is None else [-1 - memory.since_sponsored]
    last = [*before, *at]
    broken = {
        "ad load": len(ads) > len(page) * rules.most_percent / 100,
        "first position": any(place + 1 < rules.first_position for place in at),
        "spacing": any(b - a - 1 < rules.least_between for a, b in pairwise(last)),
        "relevance": any(each.relevance < rules.least_relevance for each in ads),
        "copy": any(shown.count(each.product_id) > 1 for each in ads),
        "shown earlier": any(memory.showed(each.product_id) for each in ads),
        "sponsored earlier": any(memory.showed_sponsored(product) for product in shown),
        "neighbour": any(
            page[place].never_beside & page[beside].categories  # type: ignore[union-attr]
            for place in at
            for beside in (place - 1, place + 1)
            if 0 <= beside < len(page) and isinstance(page[beside], OrganicItem)
        ),
    }
    return [name for name, wrong in broken.items() if wrong]


def worth(page: Sequence[OrganicItem | SponsoredItem], rules: PageRules) -> int:
    """Sum of examination in billionths x value."""
    return sum(
        round(share * 10**9) * item.value_micros for share, item in zip(rules.examination, page, strict=False)
    )
