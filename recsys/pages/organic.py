"""The organic part of a page: from the recommender, search, similar items or a category."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from recsys.ads.blending.memory import PageMemory
from recsys.filters import Filters
from recsys.funnel.catalog import Catalog
from recsys.funnel.requests import MAX_ITEMS, RecommendRequest, SimilarRequest
from recsys.funnel.served_answer import RECOMMEND, SIMILAR, ServedAnswer, ShownItem, served_slate
from recsys.funnel.slate import Slate
from recsys.pages.requests import PageRequest
from recsys.pages.shop_items import ShopItem, shop_items
from recsys.search.answer import SearchAnswer
from recsys.search.requests import SearchRequest
from recsys.search.served import served_search
from recsys.search.storefront import Storefront


@dataclass(frozen=True)
class Organic:
    """Organic items in their order, and the record of the answer that they are of.

    Attributes:
        items: those that the pages before did not show.
        shown: of all that was answered, to be logged by its position on the page.
        total: products that match; None where nothing was searched.
    """

    answer: Slate | SearchAnswer
    items: tuple[ShopItem, ...]
    record: ServedAnswer
    total: int | None = None

    @property
    def degraded(self) -> tuple[str, ...]:
        """What was not as it should be."""
        return self.record.degraded

    def worsened(self, codes: tuple[str, ...]) -> "Organic":
        """The same with what else is not as it should be."""
        return replace(self, record=replace(self.record, degraded=(*self.record.degraded, *codes)))

    def logged(self, surface: str, positions: Sequence[tuple[str, int]]) -> ServedAnswer:
        """The record of what the page shows of it.

        Args:
            positions: item and position, from the first.
        """
        by_id = {each.item_id: each for each in self.record.items}
        items = tuple(_moved(by_id[item_id], position) for item_id, position in positions)
        return replace(self.record, items=items, surface=surface)


def organic_items(
    shop: Storefront, request: PageRequest, memory: PageMemory, further: int, now: datetime, logged: int = 0
) -> Organic:
    """At least `k` items, where there are so many, that earlier pages of the visit did not show.

    Args:
        further: items beyond `k`, in the places of those that an ad takes out.
        logged: how many products behind a search's page are logged.

    Raises:
        UnknownItemError: the page's item is not in the catalog.
        RequestError: the category, or an attribute of the filters, is not known.
    """
    count = min(request.k + further + len(memory.organic) + len(memory.sponsored), MAX_ITEMS)
    if request.place.place == "product":
        return _similar(shop, request, memory, count, now)
    if request.place.place in ("search", "category") and shop.search is not None:
        return _searched(shop, request, memory, count, now, logged)
    if request.place.place == "search":
        shop.searcher()  # says that there is none
    return _recommended(shop, request, memory, count, now)


def _recommended(
    shop: Storefront, request: PageRequest, memory: PageMemory, count: int, now: datetime
) -> Organic:
    place = request.place
    filters = _of_category(shop.recommender.catalog, request.filters, place.category)
    wanted = RecommendRequest(
        request.request_id, place.user_id, count, filters=filters, language=request.language
    )
    slate, further = shop.recommender.serve(wanted, now)
    record = served_slate(RECOMMEND, slate, further, filters.to_json() or None)
    ids = [item.item_id for item in slate.items]
    record = replace(record, session_id=place.session_id)
    return Organic(slate, _not_shown(shop.recommender.catalog, ids, memory), record)


def _similar(
    shop: Storefront, request: PageRequest, memory: PageMemory, count: int, now: datetime
) -> Organic:
    place = request.place
    assert place.item_id is not None  # the surface needs it
    wanted = SimilarRequest(
        request.request_id, place.item_id, count, request.filters, language=request.language
    )
    slate, further = shop.recommender.serve_similar(wanted, now)
    record = served_slate(SIMILAR, slate, further, request.filters.to_json() or None)
    ids = [item.item_id for item in slate.items]
    record = replace(record, user_id=place.user_id, session_id=place.session_id)
    return Organic(slate, _not_shown(shop.recommender.catalog, ids, memory), record)


def _searched(
    shop: Storefront, request: PageRequest, memory: PageMemory, count: int, now: datetime, logged: int
) -> Organic:
    place = request.place
    wanted = SearchRequest(
        request_id=request.request_id,
        query=place.query or "",
        user_id=place.user_id,
        filters=_of_category(shop.recommender.catalog, request.filters, place.category),
        k=count,
        session_id=place.session_id,
        surface=place.place,
    )
    answer, further = shop.searcher().serve(wanted, now, logged)
    ids = [item.item_id for item in (*answer.items, *answer.relaxed)]
    items = _not_shown(shop.recommender.catalog, ids, memory)
    return Organic(answer, items, served_search(wanted, answer, further), answer.total)


def _of_category(catalog: Catalog, filters: Filters, category: str | None) -> Filters:
    """`filters`, and of the category: a name that items have, else a path with those below it."""
    if category is None:
        return filters
    is_name = category in catalog.categories.names
    wanted = Filters(categories=(category,)) if is_name else Filters(category_paths=(category,))
    if is_name and not filters.categories:
        return replace(filters, categories=(category,))
    if not is_name and not filters.category_paths:
        return replace(filters, category_paths=(category,))
    # The request has a list of its own, of which one is enough: not none of the page's category.
    return replace(filters, none_of=(*filters.none_of, Filters(none_of=(wanted,))))


def _not_shown(catalog: Catalog, ids: Sequence[str], memory: PageMemory) -> tuple[ShopItem, ...]:
    """Those whose product no earlier page showed, one of each product."""
    found: dict[str, ShopItem] = {}
    for item in shop_items(catalog, ids).values():
        if not memory.showed(item.product_id):
            found.setdefault(item.product_id, item)
    return tuple(found.values())


def _moved(item: ShownItem, position: int) -> ShownItem:
    return replace(item, position=position)
