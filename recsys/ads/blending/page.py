"""One page out of organic and sponsored items: the page by the rules that is worth most."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, islice

from recsys.ads.auction.placement import BILLION
from recsys.ads.blending.arrangement import Arrangement, arrange, earliest_position
from recsys.ads.blending.items import OrganicItem, SponsoredItem, check_distinct
from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.rules import PageRules
from recsys.errors import DataError

MOST_ADS = 6  # of one page: every choice among them is looked at, and each more doubles them
_NO_MEMORY = PageMemory()
_Choice = tuple[int, ...]  # rows of the ads that are placed


class AdOutcome(StrEnum):
    """What became of an ad; of several reasons the first of this list."""

    PLACED = "placed"
    RELEVANCE = "relevance"  # less relevant than the rules ask for
    SHOWN_EARLIER = "shown_earlier"  # its product was on an earlier page of the visit
    NO_PLACE = "no_place"  # ad load, spacing, first position and neighbours leave it no position
    WORTH = "worth"  # the page is worth more, or as much, without it


@dataclass(frozen=True)
class PagePosition:
    """What is shown at a position; `ad_id` is None where it is organic."""

    position: int
    item_id: str
    product_id: str
    ad_id: str | None = None

    @property
    def sponsored(self) -> bool:
        """Whether it has to be labelled as sponsored."""
        return self.ad_id is not None


@dataclass(frozen=True)
class AdDecision:
    """What became of an ad, and why.

    Attributes:
        position: where it stands, from 1; None = it was left out.
        difference_micros: by how much 1,000 views of the best page with the ad are worth more than those of
            the best page without it, rounded towards 0; None where no page by the rules has it.
        least_relevance: what the rules ask for.
    """

    ad_id: str
    outcome: AdOutcome
    relevance: float
    least_relevance: float
    position: int | None = None
    difference_micros: int | None = None


@dataclass(frozen=True)
class BlendedPage:
    """A page, and what the next one has to know.

    Attributes:
        positions: from the first. decisions: one an ad, in the order they were given.
        value_micros: what 1,000 views of the page are worth, rounded down.
        organic_read: how many of the organic items this page has used up; the next page begins behind them.
        removed: ids of organic items among those, in order, that are left out because an ad of their product
            is shown here or was shown earlier.
        memory: of this page and those before.
    """

    positions: tuple[PagePosition, ...]
    decisions: tuple[AdDecision, ...]
    value_micros: int
    organic_read: int
    removed: tuple[str, ...]
    memory: PageMemory


def blend_page(
    organic: Sequence[OrganicItem],
    sponsored: Sequence[SponsoredItem],
    rules: PageRules,
    memory: PageMemory = _NO_MEMORY,
) -> BlendedPage:
    """The page by the rules that is worth most: the sum of examination x value over its positions.

    Organic items keep their order, and ads that of the auction. Of pages that are worth the same, the one
    with fewer ads, then with those that won the better slots.

    Args:
        organic: from the best; more than the page has positions where ads may take some of them out.
        sponsored: winners of the auction from its first slot, at most MOST_ADS; none = an organic page.
        memory: of earlier pages of the visit.

    Raises:
        DataError: an item or ad is there twice, or there are too many ads.
    """
    check_distinct("organic item", (item.item_id for item in organic))
    check_distinct("ad", (ad.ad_id for ad in sponsored))
    if len(sponsored) > MOST_ADS:
        raise DataError(
            f"{len(sponsored)} ads are more than {MOST_ADS}. Give the winners of the first slots."
        )
    refused = {row: outcome for row, ad in enumerate(sponsored) if (outcome := _refusal(ad, rules, memory))}
    pages = _best_pages(organic, sponsored, set(range(len(sponsored))) - set(refused), rules, memory)
    choice = max(pages, key=lambda rows: pages[rows].worth)  # the first of equals
    decisions = tuple(_decision(row, ad, rules, refused, pages, choice) for row, ad in enumerate(sponsored))
    return _blended(organic, [sponsored[row] for row in choice], pages[choice], memory, decisions)


def _refusal(ad: SponsoredItem, rules: PageRules, memory: PageMemory) -> AdOutcome | None:
    """Why the ad is left out whatever the page; None = it is not."""
    if ad.relevance < rules.least_relevance:
        return AdOutcome.RELEVANCE
    return AdOutcome.SHOWN_EARLIER if memory.showed(ad.product_id) else None


def _best_pages(
    organic: Sequence[OrganicItem],
    sponsored: Sequence[SponsoredItem],
    rows: set[int],
    rules: PageRules,
    memory: PageMemory,
) -> Mapping[_Choice, Arrangement]:
    """The best page of each choice among the ads of `rows` for which there is one, smaller choices first."""
    earliest = earliest_position(rules, memory.since_sponsored)
    left = [item for item in organic if not memory.showed_sponsored(item.product_id)]
    pages = {}
    for choice in _choices(sorted(rows), sponsored):
        ads = [sponsored[row] for row in choice]
        products = {ad.product_id for ad in ads}
        shown = islice((item for item in left if item.product_id not in products), len(rules.weights))
        page = arrange(list(shown), ads, rules, earliest)
        if page is not None:
            pages[choice] = page
    return pages


def _choices(rows: Sequence[int], sponsored: Sequence[SponsoredItem]) -> Iterator[_Choice]:
    """Every choice of ads with one an item's product, smaller choices first."""
    for size in range(len(rows) + 1):
        for choice in combinations(rows, size):
            if len({sponsored[row].product_id for row in choice}) == size:
                yield choice


def _decision(
    row: int,
    ad: SponsoredItem,
    rules: PageRules,
    refused: Mapping[int, AdOutcome],
    pages: Mapping[_Choice, Arrangement],
    choice: _Choice,
) -> AdDecision:
    described = (ad.relevance, rules.least_relevance)
    if row in refused:
        return AdDecision(ad.ad_id, refused[row], *described)
    with_ad = [page.worth for rows, page in pages.items() if row in rows]
    if not with_ad:
        return AdDecision(ad.ad_id, AdOutcome.NO_PLACE, *described)
    without = max(page.worth for rows, page in pages.items() if row not in rows)
    difference = _micros(max(with_ad) - without)
    if row not in choice:
        return AdDecision(ad.ad_id, AdOutcome.WORTH, *described, None, difference)
    position = pages[choice].positions[choice.index(row)] + 1
    return AdDecision(ad.ad_id, AdOutcome.PLACED, *described, position, difference)


def _micros(worth: int) -> int:
    """Whole micros of a sum in billionths, rounded towards 0."""
    return worth // BILLION if worth >= 0 else -(-worth // BILLION)


def _blended(
    organic: Sequence[OrganicItem],
    ads: Sequence[SponsoredItem],
    page: Arrangement,
    memory: PageMemory,
    decisions: tuple[AdDecision, ...],
) -> BlendedPage:
    """The page written out."""
    products = {ad.product_id for ad in ads}
    at = dict(zip(page.positions, ads, strict=True))
    positions, removed, read = list[PagePosition](), list[str](), 0
    for place in range(page.length):
        if (ad := at.get(place)) is not None:
            positions.append(PagePosition(place + 1, ad.item_id, ad.product_id, ad.ad_id))
            continue
        while organic[read].product_id in products or memory.showed_sponsored(organic[read].product_id):
            removed.append(organic[read].item_id)
            read += 1
        positions.append(PagePosition(place + 1, organic[read].item_id, organic[read].product_id))
        read += 1
    return BlendedPage(
        positions=tuple(positions),
        decisions=decisions,
        value_micros=page.worth // BILLION,
        organic_read=read,
        removed=tuple(removed),
        memory=memory.after((each.product_id, each.sponsored) for each in positions),
    )
