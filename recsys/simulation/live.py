"""Closed loop: shoppers see what a real service recommends, and it hears what they do."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from recsys.arrays import IntArray
from recsys.documents import JsonObject
from recsys.events import encode_event
from recsys.instants import DAY, SECOND
from recsys.simulation.delivery import Arrivals, deliver_events
from recsys.simulation.page_events import Names, PageRequests, bot_events, page_events
from recsys.simulation.pages import Pages, browse_pages
from recsys.simulation.rhythm import HOUR, draw_arrivals, rate_at
from recsys.simulation.searches import Searched, ShopperSearches
from recsys.simulation.service import Answer, Receipt
from recsys.simulation.shop_front import ShopFront
from recsys.simulation.truth import TruthWriter
from recsys.simulation.visits import NEVER, PAUSE, bot_items, page_counts, so_far
from recsys.simulation.world import World

_TICK = 0.02  # seconds between two looks at what is due
_BATCH = 500  # events in a request
_MINUTE = HOUR // 60
_BEHIND = 2 * _MINUTE


class Service(Protocol):
    """What answers the shoppers; see `recsys.simulation.service.HttpService`."""

    async def recommend(
        self, user_id: str, size: int, category: str | None = None, token: str | None = None
    ) -> Answer:
        """A slate for the shopper."""
        ...

    async def send(self, rows: Sequence[JsonObject]) -> Receipt:
        """Hands in events."""
        ...


@dataclass(frozen=True)
class Pace:
    """Virtual time: passes `speed` times as fast as real time, and ends a little behind it with the run.

    A page that is being read when the run ends is finished at once. Its events, some minutes after the end
    at most, are then hardly ahead of the service's clock; a faster run begins so much earlier.

    Attributes:
        start, end: microseconds of virtual time.
        began: `time.monotonic()` at `start`.
    """

    start: int
    end: int
    speed: float
    began: float

    def now(self) -> int:
        """The virtual instant, microseconds."""
        return self.start + int((time.monotonic() - self.began) * self.speed * SECOND)

    async def until(self, at: int) -> None:
        """Waits for a virtual instant; not at all where it has passed."""
        await asyncio.sleep(max(0.0, (at - self.start) / self.speed / SECOND + self.began - time.monotonic()))


def start_pace(seconds: float, days: float | None, now: int) -> Pace:
    """The pace of a run that begins now and takes `seconds`, in which `days` pass (None: as many seconds).

    Args:
        now: microseconds of the wall clock.
    """
    span = seconds * SECOND if days is None else days * DAY
    end = now + int(seconds * SECOND) - _BEHIND
    return Pace(end - int(span), end, span / (seconds * SECOND), time.monotonic())


def set_pace(world: World, pace: Pace, events_per_second: float) -> World:
    """`world` with as many visits as make about so many events a real second, averaged over the run."""
    habits = world.habits
    of_visit = habits.pages * (1.15 * habits.slate + habits.search_share)  # a page's clicks make 15% more
    of_visit = of_visit * (1 - habits.bot_share) + habits.bot_share * habits.bot_views
    rhythm = np.mean([rate_at(at) for at in range(pace.start, max(pace.end, pace.start + 1), _MINUTE)])
    a_day = events_per_second / pace.speed * 86_400 / (of_visit * (1 + habits.duplicate_share))
    return replace(world, rates=world.rates * np.float32(a_day / (rhythm * world.rates.sum())))


@dataclass
class Tally:
    """What happened in a run so far."""

    visits: int = 0
    slates: int = 0
    shown: int = 0
    clicks: int = 0
    expected_clicks: float = 0.0
    accepted: int = 0
    refused: int = 0
    problem: str | None = None
    degraded: int = 0
    answer_ms: list[float] = field(default_factory=list)
    searches: int = 0
    degraded_searches: int = 0
    search_ms: list[float] = field(default_factory=list)


class LiveTraffic:
    """One run against a service.

    Args:
        searches: how those search who come to; without it a search is a page of recommendations within a
            category.

    Attributes:
        tally: what happened so far.
    """

    def __init__(
        self,
        world: World,
        service: Service,
        pace: Pace,
        names: Names,
        truth: TruthWriter | None = None,
        searches: ShopperSearches | None = None,
    ) -> None:
        self.tally = Tally()
        self._world = world
        self._service = service
        self._pace = pace
        self._names = names
        self._truth = truth
        self._searches = searches
        self._front = ShopFront(world.space)
        self._number = {item: number for number, item in enumerate(world.space.ids)}
        self._waiting = Arrivals()
        self._sending = asyncio.Lock()
        self._tokens: dict[str, str] = {}
        self._over = False

    async def run(self) -> Tally:
        """Lets every shopper come, and returns when the last event is sent.

        Raises:
            RequestError: the service rejected a request.
            StoreUnavailableError: it cannot be reached, or stays busy.
        """
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_in_time())
                visits = []
                for shopper, at in self._visitors():
                    await self._pace.until(at)
                    visits.append(group.create_task(self._visit(shopper, at)))
                await asyncio.gather(*visits)
                self._over = True
                await sending
        except ExceptionGroup as several:
            raise several.exceptions[0] from several
        await self._send(NEVER)  # the rest of the pages too: none of their shoppers waits any longer
        return self.tally

    def _visitors(self) -> Iterator[tuple[int, int]]:
        """Shoppers and when they come; lets virtual days pass."""
        if self._truth:
            self._truth.day()
        day = self._pace.start // DAY
        for hour in range(self._pace.start // HOUR * HOUR, self._pace.end, HOUR):
            if hour // DAY > day:
                day = hour // DAY
                self._world.tastes.next_day()
                if self._truth:
                    self._truth.day()
            shoppers, at = draw_arrivals(self._world.rates, hour, self._world.rng)
            inside = (at >= self._pace.start) & (at < self._pace.end)
            yield from zip(shoppers[inside].tolist(), at[inside].tolist(), strict=True)

    async def _visit(self, shopper: int, at: int) -> None:
        world = self._world
        self.tally.visits += 1
        if world.bots[shopper]:
            seen = bot_events(world, shopper, bot_items(world), at, self._names, self._pace.end)
            self._waiting.add(deliver_events(world, seen))
            return
        session = self._names.next("s")
        searching, need = self._searches is not None and self._searches.begins(), None
        for _ in range(int(page_counts(world, 1)[0])):
            if at >= self._pace.end:
                return
            await self._pace.until(at)
            await self._send(at)
            if self._searches is not None and searching:
                found = await self._search_pages(self._searches, shopper, session, at, need)
                need = None if found.satisfied else found.need
                at = found.ends + PAUSE
            else:
                at = await self._page(shopper, session, at) + PAUSE

    async def _search_pages(
        self, searches: ShopperSearches, shopper: int, session: str, at: int, need: int | None
    ) -> Searched:
        """Lets the shopper search and browse what is found."""
        token = self._tokens.get(self._world.user_id(shopper))
        found = await searches.search(shopper, session, at, need, token)
        self.tally.searches += 1
        self.tally.search_ms += found.answer_ms
        self.tally.degraded_searches += bool(found.degraded)
        for pages in found.pages:
            self._count(pages)
        self._waiting.add(deliver_events(self._world, so_far(iter(found.happened), self._pace.end)))
        return found

    async def _page(self, shopper: int, session: str, at: int) -> int:
        """Asks for a slate and lets the shopper browse it; returns when the page is done with."""
        world, who = self._world, np.array([shopper])
        category, query = self._search(who)
        user_id = world.user_id(shopper)
        began = time.monotonic()
        token = self._tokens.get(user_id)
        slate = await self._service.recommend(user_id, world.habits.slate, category, token)
        self.tally.answer_ms.append(1e3 * (time.monotonic() - began))
        self.tally.degraded += bool(slate.degraded)
        known = [self._number.get(item, 0) for item in slate.item_ids]  # an item new since then is overlooked
        items = np.array([known or [0]], np.int64)
        pages = browse_pages(world, who, items, np.array([at]))
        requests = PageRequests([slate.request_id], [session], [query])
        self.tally.slates += 1
        self._count(pages)
        if self._truth:
            self._truth.pages(pages, requests, [slate.p_click])
        happened = so_far(page_events(world, pages, requests, self._names), self._pace.end)
        self._waiting.add(deliver_events(world, happened))
        return int(pages.ends[0])

    def _search(self, who: IntArray) -> tuple[str | None, str | None]:
        """Category and query, where the page begins with a search."""
        world = self._world
        if world.rng.random() >= world.habits.search_share:
            return None, None
        wanted = self._front.wanted(world.tastes.vectors[who], world.rng)
        return world.space.categories[wanted[0]] or None, self._front.searches(wanted, world.rng)[0]

    def _count(self, pages: Pages) -> None:
        self.tally.shown += int((pages.items > 0).sum())
        self.tally.clicks += int(pages.clicked.sum())
        self.tally.expected_clicks += float(pages.p_click.sum())

    async def _send_in_time(self) -> None:
        while not self._over:
            await self._send(self._pace.now())
            await asyncio.sleep(_TICK)

    async def _send(self, until: int) -> None:
        """Sends what is due before `until`, in the order of arrival."""
        async with self._sending:
            due = [event for _, event in self._waiting.due(until)]
            for first in range(0, len(due), _BATCH):
                batch = due[first : first + _BATCH]
                receipt = await self._service.send([encode_event(event) for event in batch])
                self.tally.accepted += receipt.accepted
                self.tally.refused += receipt.refused
                self.tally.problem = self.tally.problem or receipt.problem
                if receipt.token:
                    self._tokens.update({event.user_id: receipt.token for event in batch})
