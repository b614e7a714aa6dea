"""From pages to the events that a shop's clients would report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from recsys.arrays import IntArray
from recsys.documents import JsonObject
from recsys.events import Cancel, Cart, Click, Impression, Purchase, Search, UserEvent, View
from recsys.instants import SECOND, from_micros
from recsys.simulation.pages import Pages
from recsys.simulation.world import World

_FIRST_SCREEN = 4  # places
_VIEW_AFTER = SECOND // 2  # the page of an item opens half a second after the click


class Names:
    """Ids that no one else gives: of events, requests and sessions, all beginning with `sim-` and the run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._numbers = count(1)

    def next(self, what: str) -> str:
        """`what` is one letter: e, r or s."""
        return f"sim-{self._run}-{what}{next(self._numbers)}"


@dataclass(frozen=True)
class PageRequests:
    """How B slates came about.

    Attributes:
        ids: (B,) of the requests. sessions: (B,) theirs.
        queries: (B,) what was typed, None where the page did not begin with a search.
        results: (B,) what the shop's search answered; empty where the pages are none of it.
    """

    ids: Sequence[str]
    sessions: Sequence[str]
    queries: Sequence[str | None]
    results: Sequence["Results"] = ()

    def query_id(self, row: int) -> str | None:
        """The search that a page belongs to."""
        return self.results[row].query_id if self.results else None


@dataclass(frozen=True)
class Results:
    """A page of the results of a search.

    Attributes:
        query_id: of the search. page: from 1. total: items that were found in all, None = not said.
        filters: as the body of the request had them. surface: which search box it was.
        propensity: with which chance put an item where it stands; None = chance had no part.
    """

    query_id: str
    page: int = 1
    total: int | None = None
    filters: JsonObject | None = None
    surface: str = "search"
    propensity: float | None = None


@dataclass(frozen=True)
class Happened:
    """One event with its true instant in microseconds, and whose it is."""

    at: int
    shopper: int
    event: UserEvent


def page_events(world: World, pages: Pages, requests: PageRequests, names: Names) -> Iterator[Happened]:
    """Search, impressions, clicks, views, carts, purchases and cancels of `pages`; `at` is true time."""
    yield from _searches(world, pages, requests, names)
    steps = (
        (Impression, pages.items > 0, np.broadcast_to(pages.at[:, None], pages.items.shape)),
        (Click, pages.clicked, pages.click_at),
        (View, pages.clicked, pages.click_at + _VIEW_AFTER),
        (Cart, pages.carted, pages.cart_at),
        (Purchase, pages.purchased, pages.purchase_at),
        (Cancel, pages.cancelled, pages.cancel_at),
    )
    for kind, happened, at in steps:
        rows, places = np.nonzero(happened)
        whole = zip(rows.tolist(), places.tolist(), at[happened].tolist(), strict=True)
        for row, place, instant in whole:
            shopper = int(pages.shoppers[row])
            more: Any = _amounts(world, pages, kind, row, place)  # of the kinds that have them
            if requests.results and kind is Impression:
                more = _sight(pages, requests.results[row], row, place)
            yield Happened(
                instant,
                shopper,
                kind(
                    event_id=names.next("e"),
                    at=from_micros(instant),
                    user_id=world.user_id(shopper),
                    session_id=requests.sessions[row],
                    request_id=requests.ids[row],
                    query_id=requests.query_id(row),
                    item_id=world.space.ids[pages.items[row, place]],
                    position=pages.above + place + 1,
                    **more,
                ),
            )


def bot_events(
    world: World, shopper: int, items: IntArray, at: int, names: Names, stop: int = 2**63 - 1
) -> Iterator[Happened]:
    """A machine looks at `items` one after the other, ten a second, from `at` until `stop`."""
    session = names.next("s")
    for number, item in enumerate(items.tolist()):
        instant = at + number * SECOND // 10
        if instant >= stop:
            return
        event = View(
            event_id=names.next("e"),
            at=from_micros(instant),
            user_id=world.user_id(shopper),
            session_id=session,
            item_id=world.space.ids[item],
        )
        yield Happened(instant, shopper, event)


def _searches(world: World, pages: Pages, requests: PageRequests, names: Names) -> Iterator[Happened]:
    for row, query in enumerate(requests.queries):
        if query is None:
            continue
        instant, shopper = int(pages.at[row]) - SECOND // 5, int(pages.shoppers[row])  # the answer took .2 s
        event = Search(
            event_id=names.next("e"),
            at=from_micros(instant),
            user_id=world.user_id(shopper),
            session_id=requests.sessions[row],
            request_id=requests.ids[row],
            query_id=requests.query_id(row),
            query=query,
            **_found(requests, row),
        )
        yield Happened(instant, shopper, event)


def _found(requests: PageRequests, row: int) -> JsonObject:
    """What a search event says of the answer."""
    if not requests.results:
        return {}
    results = requests.results[row]
    return {
        "results": results.total,
        "filters": results.filters,
        "surface": results.surface,
        "page": results.page,
    }


def _sight(pages: Pages, results: Results, row: int, place: int) -> JsonObject:
    """What the page measured of an impression: in sight is the first screen, and all down to the last look.

    That an item was in sight does not say that it was looked at, which no page can measure.
    """
    looked = np.flatnonzero(pages.examined[row])
    lowest = max(_FIRST_SCREEN, int(looked[-1]) + 1 if len(looked) else 0)
    seen = place < lowest
    spent = int(pages.ends[row] - pages.at[row]) // 1000
    return {"surface": results.surface, "visible_ms": spent // lowest if seen else 0, "viewable": seen}


def _amounts(world: World, pages: Pages, kind: type[UserEvent], row: int, place: int) -> dict[str, int]:
    if kind not in (Cart, Purchase, Cancel):
        return {}
    quantity = int(pages.quantity[row, place])
    price = int(world.space.price_micros[pages.items[row, place]])
    if kind is Cancel or price < 0:
        return {"quantity": quantity}
    return {"quantity": quantity, "value_micros": quantity * price}
