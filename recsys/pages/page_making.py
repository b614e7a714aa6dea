"""One page as it comes about: organic items, then the ads that it is worth more with, then the answer."""

from dataclasses import dataclass, replace

from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.page import BlendedPage
from recsys.ads.blending.rules import PageRules
from recsys.ads.selection.prediction import AdContext
from recsys.ads.selection.question import SelectedSlot
from recsys.ads.tokens.page_token import PageTokens
from recsys.errors import StoreUnavailableError
from recsys.funnel.served_answer import ServedAnswer
from recsys.pages.ad_server import AdServer, Choice
from recsys.pages.answer import ADS_UNAVAILABLE, PageAnswer
from recsys.pages.organic import Organic, organic_items
from recsys.pages.page import blend, page_answer, placed_slots
from recsys.pages.requests import PageRequest
from recsys.pages.shop_items import ShopItem, shop_items
from recsys.search.storefront import Storefront


@dataclass(frozen=True)
class MadePage:
    """A page, and the record of what it shows of organic items."""

    answer: PageAnswer
    record: ServedAnswer


@dataclass(frozen=True)
class PageMaking:
    """What one page is made of.

    Attributes:
        rules: with the examination of the page's positions. positions: that ads may have.
        click_worth_micros: what a click is worth that nobody pays for.
        logged: how many products behind a search's page are logged.
    """

    shop: Storefront
    request: PageRequest
    context: AdContext
    memory: PageMemory
    rules: PageRules
    positions: tuple[int, ...]
    server: AdServer
    tokens: PageTokens
    click_worth_micros: int
    logged: int = 0

    def organic(self) -> Organic:
        """The organic items: more than there are positions, as an ad takes its own copy out.

        Raises:
            UnknownItemError, RequestError: see `organic_items`.
        """
        further = len(self.positions)
        return organic_items(self.shop, self.request, self.memory, further, self.context.now, self.logged)

    def without_ads(self, organic: Organic, *degraded: str) -> MadePage:
        """The organic page; `degraded`: why it is without ads, where it should have some."""
        return self._made(organic, self._blended(organic, (), {}), {}, {}, degraded)

    def with_ads(self, organic: Organic, choice: Choice) -> MadePage:
        """The page with the winners that it is worth more with; they are logged.

        Who is held out gets the organic page, and what it would have had is logged.
        """
        slots = choice.selection.slots
        shown = shop_items(self.shop.recommender.catalog, (slot.item_id for slot in slots))
        page = self._blended(organic, slots, shown)
        try:
            tokens = self.server.keep(choice, placed_slots(page))
        except StoreUnavailableError:
            return self.without_ads(organic, *choice.degraded, ADS_UNAVAILABLE)
        if choice.is_ghost:
            return self.without_ads(organic, *choice.degraded)
        return self._made(organic, page, shown, tokens, choice.degraded)

    def _blended(
        self, organic: Organic, slots: tuple[SelectedSlot, ...], shown: dict[str, ShopItem]
    ) -> BlendedPage:
        return blend(
            organic,
            slots,
            shown,
            self.positions,
            self.rules,
            self.memory,
            self.server.predictor,
            self.context,
            self.click_worth_micros,
        )

    def _made(
        self,
        organic: Organic,
        page: BlendedPage,
        shown: dict[str, ShopItem],
        tokens: dict[str, str],
        degraded: tuple[str, ...],
    ) -> MadePage:
        token = self.tokens.encode(page.memory, self.context.now)
        answer = page_answer(organic, page, shown, tokens, self.context, token)
        answer = replace(answer, degraded=(*answer.degraded, *degraded))
        places = [(each.item_id, each.position) for each in page.positions if not each.sponsored]
        return MadePage(answer, organic.logged(self.context.surface, places))
