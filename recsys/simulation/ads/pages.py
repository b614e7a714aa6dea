"""The pages of the simulated shop that have places for ads, and what a request from each is about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.ads.campaigns.targets import Surface
from recsys.ads.matching.target_index import TargetIndex
from recsys.ads.matching.targeting import AdRequest
from recsys.arrays import DoubleArray, IntArray

CATEGORIES = (
    "coffee",
    "tea",
    "chocolate",
    "pasta",
    "olive oil",
    "cheese",
    "wine",
    "bread",
    "cereal",
    "juice",
    "shampoo",
    "detergent",
)
KINDS = ("organic", "family pack")
ITEMS_WITH_PAGES = 3  # of each category
SURFACE_SHARES: dict[Surface, float] = {"home": 0.3, "search": 0.4, "category": 0.15, "product": 0.15}


@dataclass(frozen=True)
class AdPage:
    """A page that asks for ads.

    Attributes:
        category: what it is about, an index into CATEGORIES; None = nothing, the home page.
    """

    request: AdRequest
    category: int | None


def shop_pages() -> tuple[AdPage, ...]:
    """Every page of the shop: the home page, and of each category its page, its searches and its items."""
    pages = [AdPage(AdRequest("home"), None)]
    for number, name in enumerate(CATEGORIES):
        pages.append(AdPage(AdRequest("category", categories=(name,)), number))
        for query in (name, *(f"{kind} {name}" for kind in KINDS)):
            pages.append(AdPage(AdRequest("search", query, (name,)), number))
        for item in range(ITEMS_WITH_PAGES):
            request = AdRequest("product", categories=(name,), item_id=page_item_id(number, item))
            pages.append(AdPage(request, number))
    return tuple(pages)


def page_item_id(category: int, item: int) -> str:
    """The id of an item that has a page."""
    return f"{CATEGORIES[category].replace(' ', '-')}-{item + 1}"


def page_weights(pages: Sequence[AdPage]) -> DoubleArray:
    """(P,) how often each page is opened; they sum to 1. Pages of one surface are opened alike often."""
    surfaces = [page.request.surface for page in pages]
    weights = np.array([SURFACE_SHARES[surface] / surfaces.count(surface) for surface in surfaces])
    return np.asarray(weights / weights.sum(), np.float64)


def matched_campaigns(index: TargetIndex, pages: Sequence[AdPage], order: Sequence[str]) -> list[IntArray]:
    """For each page the numbers of the campaigns that target it, by their place in `order`."""
    place = {campaign_id: number for number, campaign_id in enumerate(order)}
    return [
        np.array([place[each.campaign_id] for each in index.matching(page.request)], np.int64)
        for page in pages
    ]
