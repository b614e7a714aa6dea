"""Who visits in an hour, and the traffic of a shop that has no recommender yet."""

from collections.abc import Iterator

import numpy as np

from recsys.arrays import IntArray
from recsys.events import Cancel
from recsys.instants import DAY, SECOND
from recsys.simulation.delivery import Arrivals, Delivered, deliver_events
from recsys.simulation.page_events import Happened, Names, PageRequests, bot_events, page_events
from recsys.simulation.pages import browse_pages
from recsys.simulation.rhythm import HOUR, draw_arrivals
from recsys.simulation.shop_front import WHOLE_SHOP, ShopFront
from recsys.simulation.truth import TruthWriter
from recsys.simulation.world import World

PAUSE = 5 * SECOND  # between two pages
NEVER = 2**62


def simulate_visits(
    world: World, start: int, days: int, names: Names, truth: TruthWriter | None = None
) -> Iterator[Delivered]:
    """Instants of arrival and events, in the order of arrival, of `days` whole days from `start` on.

    The slates are those of `ShopFront`: what is shown is independent of who looks.

    Args:
        start: microseconds, a midnight.
    """
    front, waiting, end = ShopFront(world.space), Arrivals(), start + days * DAY
    for now in range(start, end, HOUR):
        if (now - start) % DAY == 0:
            if now > start:
                world.tastes.next_day()
            if truth:
                truth.day()
        for happened in _hour(world, front, now, names, truth):
            waiting.add(deliver_events(world, so_far(happened, end)))
        yield from waiting.due(now + HOUR - SECOND)
    yield from waiting.due(NEVER)


def page_counts(world: World, visits: int) -> IntArray:
    """(visits,) how many pages each visit has, at least one."""
    return world.rng.geometric(1 / world.habits.pages, visits)


def _hour(
    world: World, front: ShopFront, now: int, names: Names, truth: TruthWriter | None
) -> Iterator[Iterator[Happened]]:
    """What happens in the visits that begin in an hour, some visits' worth at a time."""
    shoppers, at = draw_arrivals(world.rates, now, world.rng)
    machines = world.bots[shoppers]
    for bot, began in zip(shoppers[machines].tolist(), at[machines].tolist(), strict=True):
        yield bot_events(world, bot, bot_items(world), began, names)
    shoppers, at = shoppers[~machines], at[~machines]
    sessions = np.array([names.next("s") for _ in shoppers], object)
    left = page_counts(world, len(shoppers))
    while len(shoppers):
        searching = world.rng.random(len(shoppers)) < world.habits.search_share
        wanted = front.wanted(world.tastes.vectors[shoppers], world.rng)
        queries = front.searches(wanted, world.rng)
        shown = front.slates(np.where(searching, wanted, WHOLE_SHOP), world.habits.slate, world.rng)
        pages = browse_pages(world, shoppers, shown, at)
        requests = PageRequests(
            [names.next("r") for _ in shoppers],
            sessions.tolist(),
            [query if typed else None for query, typed in zip(queries, searching.tolist(), strict=True)],
        )
        if truth:
            truth.pages(pages, requests)
        yield page_events(world, pages, requests, names)
        left -= 1
        on = left > 0
        shoppers, at, sessions, left = shoppers[on], pages.ends[on] + PAUSE, sessions[on], left[on]


def bot_items(world: World) -> IntArray:
    """(bot_views,) what a machine looks at in one visit: anything."""
    return world.rng.integers(1, len(world.space), world.habits.bot_views)


def so_far(happened: Iterator[Happened], end: int) -> Iterator[Happened]:
    """Without the cancels that are still to come when the simulation ends."""
    return (one for one in happened if one.at < end or not isinstance(one.event, Cancel))
