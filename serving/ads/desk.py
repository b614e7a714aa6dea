"""Answers with ads and pages: ads are chosen beside the organic answer, which does not wait long for them."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from recsys.ads.blending.memory import PageMemory
from recsys.ads.blending.rules import PageRules
from recsys.ads.selection.prediction import AdContext
from recsys.ads.selection.question import AdQuestion
from recsys.ads.tokens.page_token import PageTokens
from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import read_user_if_there
from recsys.funnel.served_answer import ServedAnswer
from recsys.funnel.user_facts import FactsOnDemand
from recsys.pages.ad_server import AdServer, Choice
from recsys.pages.answer import ADS_DEGRADATIONS, ADS_LATE, ADS_UNAVAILABLE, AdsAnswer, PageAnswer
from recsys.pages.organic import Organic
from recsys.pages.page import ads_answer, memory_of_ads
from recsys.pages.page_making import MadePage, PageMaking
from recsys.pages.positions import sponsored_positions
from recsys.pages.requests import AdsRequest, PageRequest, Place
from recsys.pages.shop_items import categories_about, shop_items
from recsys.search.storefront import Storefront
from recsys.service_settings import AdsSettings, ServingSettings
from serving.ads.metrics import AdsMetrics
from serving.overload.arrival import arrival
from serving.overload.turns import Turns

log = logging.getLogger("recsys.serving")
T = TypeVar("T")


@dataclass(frozen=True)
class AdsDesk:
    """What answers /v1/ads and /v1/page.

    Attributes:
        shop: what serves now; raises ArtifactNotFoundError. rules: of pages.
        organic_pool, ads_pool: where organic items and ads are computed.
        now: the clock. keep: takes the record of what a page shows of organic items.
        degraded: codes of what makes all answers of the process worse.
        turns: of answers; one is held from the first work on an answer to the last.
    """

    settings: AdsSettings
    serving: ServingSettings
    shop: Callable[[], Storefront]
    server: AdServer
    page_tokens: PageTokens
    rules: PageRules
    organic_pool: ThreadPoolExecutor
    ads_pool: ThreadPoolExecutor
    now: Callable[[], datetime]
    keep: Callable[[ServedAnswer], None]
    degraded: Callable[[], tuple[str, ...]]
    metrics: AdsMetrics
    turns: Turns

    async def ads(self, request: AdsRequest) -> AdsAnswer:
        """Ads alone, logged before they are sent.

        Raises:
            InvalidTokenError, TokenExpiredError: of the page token.
            ArtifactNotFoundError: no bundle serves. TimeoutError: it took too long; nothing stays held.
            OverloadedError: its turn did not come in time.
        """
        async with self.turns.take(arrival()):
            return await self._ads(request)

    async def page(self, request: PageRequest) -> PageAnswer:
        """A page; without ads, and flagged, where they are late or cannot be shown.

        Raises:
            InvalidTokenError, TokenExpiredError: of the page token.
            ArtifactNotFoundError: no bundle serves. TimeoutError: the organic items took too long.
            OverloadedError: its turn did not come in time.
            UnknownItemError, RequestError: what the page is about, or a filter, is not known.
        """
        async with self.turns.take(arrival()) as effort:
            return await self._page(request, self.shop().with_effort(effort))

    async def _ads(self, request: AdsRequest) -> AdsAnswer:
        now = self.now()
        context = request.place.context(request.request_id, now)
        memory = self._memory(request.page_token, now)
        shop = self.shop()
        examination = self.server.predictor.examination(context.surface, request.slots)
        question = self._question(shop, request.place, context, request.request_id, memory, examination)
        choosing = self._start(self.ads_pool, lambda: self._choose(question))
        deadline = asyncio.get_running_loop().time() + self.serving.timeout_seconds
        choice = await self._by(deadline, choosing)
        if choice is None:
            self._abandon(choosing, self.server.drop)
            raise TimeoutError
        answer = await self._run(self.ads_pool, lambda: self._ads_answer(shop, choice, memory, request))
        self.metrics.answered("ads", context.surface, len(answer.ads), answer.degraded)
        return answer

    async def _page(self, request: PageRequest, shop: Storefront) -> PageAnswer:
        now = self.now()
        context = request.place.context(request.request_id, now)
        memory = self._memory(request.page_token, now)
        page = self._page_making(shop, request, context, memory)
        choosing = None
        if self.server.has_ads and page.positions:
            examination = tuple(page.rules.examination[position - 1] for position in page.positions)
            question = self._question(
                page.shop, request.place, context, request.request_id, memory, examination
            )
            choosing = self._start(self.ads_pool, lambda: self._choose(question))
        try:
            finding = self._start(self.organic_pool, page.organic)
            organic = await asyncio.wait_for(asyncio.wrap_future(finding), self.serving.timeout_seconds)
        except BaseException:
            self._abandon(choosing, self.server.drop)
            raise
        organic = organic.worsened(self.degraded())
        deadline = asyncio.get_running_loop().time() + self.settings.page_seconds
        made = await self._with_ads(page, organic, choosing, deadline)
        self.keep(made.record)
        sponsored = sum(item.sponsored for item in made.answer.items)
        of_ads = tuple(code for code in made.answer.degraded if code in ADS_DEGRADATIONS)
        self.metrics.answered("page", context.surface, sponsored, of_ads)
        return made.answer

    async def _with_ads(
        self,
        page: PageMaking,
        organic: Organic,
        choosing: "Future[Choice] | None",
        deadline: float,
    ) -> MadePage:
        """The page with those ads that are chosen, placed and logged before `deadline`.

        A fault of ads is logged, and costs the ads.
        """
        if choosing is None:
            return await self._run(self.organic_pool, lambda: page.without_ads(organic))
        try:
            return await self._placed(page, organic, choosing, deadline)
        except Exception:
            log.exception("the ads of a page failed")
            return await self._run(self.organic_pool, lambda: page.without_ads(organic, ADS_UNAVAILABLE))

    async def _placed(
        self, page: PageMaking, organic: Organic, choosing: "Future[Choice]", deadline: float
    ) -> MadePage:
        choice = await self._by(deadline, choosing)
        if choice is None:
            self._abandon(choosing, self.server.drop)
            return await self._run(self.organic_pool, lambda: page.without_ads(organic, ADS_LATE))
        placing = self._start(self.ads_pool, lambda: page.with_ads(organic, choice))
        if not choice.selection.slots:
            return await asyncio.wrap_future(placing)
        made = await self._by(deadline, placing)
        if made is None:  # the log of ads is slow: what it gets was never seen, so nobody clicks on it
            self._abandon(placing, lambda _: self.server.give_back(choice))
            return await self._run(self.organic_pool, lambda: page.without_ads(organic, ADS_LATE))
        return made

    def _page_making(
        self, shop: Storefront, request: PageRequest, context: AdContext, memory: PageMemory
    ) -> PageMaking:
        rules = replace(self.rules, examination=self.server.predictor.examination(context.surface, request.k))
        return PageMaking(
            shop=shop,
            request=request,
            context=context,
            memory=memory,
            rules=rules,
            positions=sponsored_positions(rules, memory, self.settings.page_slots),
            server=self.server,
            tokens=self.page_tokens,
            click_worth_micros=self.settings.click_worth_micros,
            logged=self.serving.logged_candidates,
        )

    def _choose(self, question: AdQuestion) -> Choice:
        with self.metrics.choosing.time():
            return self.server.choose(question)

    def _question(
        self,
        shop: Storefront,
        place: Place,
        context: AdContext,
        request_id: str,
        memory: PageMemory,
        examination: tuple[float, ...],
    ) -> AdQuestion:
        recommender, user_id = shop.recommender, place.user_id
        return AdQuestion(
            context=context,
            request_id=request_id,
            examination=examination,
            categories=categories_about(recommender.catalog, place.category, place.item_id),
            facts=FactsOnDemand(
                lambda: read_user_if_there(recommender.features, user_id)[0],
                context.now,
                lambda: {} if user_id is None else recommender.rules.attributes_of(user_id),
            ),
            memory=memory,
        )

    def _ads_answer(
        self, shop: Storefront, choice: Choice, memory: PageMemory, request: AdsRequest
    ) -> AdsAnswer:
        slots = choice.selection.slots
        shown = shop_items(shop.recommender.catalog, (slot.item_id for slot in slots))
        try:
            placed: dict[str, int | None] = {slot.slot_id: None for slot in slots if slot.item_id in shown}
            tokens = self.server.keep(choice, placed)
            memory = memory_of_ads(memory, choice, shown)
        except StoreUnavailableError as error:
            log.warning("no ads are shown: %s", error)
            choice, tokens = replace(choice, degraded=(*choice.degraded, ADS_UNAVAILABLE)), {}
        token = self.page_tokens.encode(memory, choice.question.context.now)
        return ads_answer(choice, shown, tokens, token, request.explain)

    def _memory(self, token: str | None, now: datetime) -> PageMemory:
        if token is None:
            return PageMemory()
        return self.page_tokens.decode(token, now, self.settings.visit_seconds)

    def _start(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> "Future[T]":
        return pool.submit(copy_context().run, work)  # with the request id, for what is logged there

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._start(pool, work))

    async def _by(self, deadline: float, future: "Future[T]") -> T | None:
        """What `future` gives, or None where that is after `deadline` (of the event loop's clock)."""
        left = max(deadline - asyncio.get_running_loop().time(), 0.0)
        done, _ = await asyncio.wait({asyncio.wrap_future(future)}, timeout=left)
        return future.result() if done else None

    def _abandon(self, future: "Future[T] | None", end: Callable[[T], None]) -> None:
        """Leaves `future` to itself; what comes of it is given to `end`, in its own thread."""

        def ended(done: "Future[T]") -> None:
            if done.cancelled():
                return
            if (error := done.exception()) is not None:
                log.error("choosing ads failed", exc_info=error)
                return
            end(done.result())

        if future is not None:
            future.add_done_callback(ended)
