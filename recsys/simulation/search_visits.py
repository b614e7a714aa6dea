"""Visits of people who search, without a clock: as fast as the shop's search answers in this process."""

import asyncio
from collections.abc import Iterator

from recsys.instants import DAY, SECOND
from recsys.simulation.delivery import Arrivals, Delivered, deliver_events
from recsys.simulation.page_events import Happened, Names
from recsys.simulation.rhythm import HOUR, draw_arrivals
from recsys.simulation.searches import ShopperSearches
from recsys.simulation.truth import TruthWriter
from recsys.simulation.visits import NEVER, PAUSE, page_counts, so_far
from recsys.simulation.world import World


def simulate_searches(
    world: World,
    searches: ShopperSearches,
    start: int,
    days: int,
    names: Names,
    truth: TruthWriter | None = None,
) -> Iterator[Delivered]:
    """Instants of arrival and events, in the order of arrival, of `days` whole days from `start` on.

    Of the visits only those happen that search; machines stay away. Visits come one after the other, so equal
    worlds and equal answers give equal logs.

    Args:
        searches: over the same `names` and `truth`.
        start: microseconds, a midnight.
    """
    waiting, end = Arrivals(), start + days * DAY
    with asyncio.Runner() as runner:
        for now in range(start, end, HOUR):
            if (now - start) % DAY == 0:
                if now > start:
                    world.tastes.next_day()
                if truth:
                    truth.day()
            shoppers, at = draw_arrivals(world.rates, now, world.rng)
            for shopper, began in zip(shoppers.tolist(), at.tolist(), strict=True):
                if not world.bots[shopper] and searches.begins():
                    happened = runner.run(_visit(world, searches, shopper, began, names.next("s")))
                    waiting.add(deliver_events(world, so_far(iter(happened), end)))
            yield from waiting.due(now + HOUR - SECOND)
    yield from waiting.due(NEVER)


async def _visit(
    world: World, searches: ShopperSearches, shopper: int, at: int, session: str
) -> list[Happened]:
    """The searches of one session; who clicked nothing looks for the same in other words."""
    happened: list[Happened] = []
    need: int | None = None
    for _ in range(int(page_counts(world, 1)[0])):
        found = await searches.search(shopper, session, at, need)
        happened += found.happened
        need, at = None if found.satisfied else found.need, found.ends + PAUSE
    return happened
