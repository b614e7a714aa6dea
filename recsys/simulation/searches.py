"""A shopper at the search box: types a need, looks at the pages that the shop's search answers with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from recsys.arrays import IntArray
from recsys.documents import JsonObject
from recsys.instants import SECOND
from recsys.simulation.needs import Needs
from recsys.simulation.page_events import Happened, Names, PageRequests, Results, page_events
from recsys.simulation.pages import Pages, browse_pages
from recsys.simulation.truth import TruthWriter
from recsys.simulation.typed_queries import type_query
from recsys.simulation.world import World

SURFACE = "search"
_KEYSTROKES = (3, 5)  # letters after which suggestions are looked at
_TURN = SECOND  # from one page to the next


@dataclass(frozen=True)
class SearchPage:
    """What the shop's search answers.

    Attributes:
        query_id: request id of the first page. item_ids: in the order in which they are shown.
        total: items found in all; None where it does not say. cursor: of the next page; None on the last.
        degraded: what the service says is not as it should be.
    """

    request_id: str
    query_id: str
    item_ids: tuple[str, ...]
    total: int | None = None
    cursor: str | None = None
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What is asked of the shop's search; a further page is asked for with everything as before."""

    query: str
    user_id: str
    session_id: str
    size: int
    filters: JsonObject | None = None
    cursor: str | None = None
    token: str | None = None


class SearchService(Protocol):
    """What answers at the search box; `recsys.simulation.service.HttpService` is one."""

    async def search(self, question: Question) -> SearchPage:
        """A page of results."""
        ...

    async def suggest(self, typed: str, user_id: str) -> Sequence[str]:
        """Queries to type on, the best first."""
        ...


@dataclass(frozen=True)
class Searched:
    """One search of one shopper.

    Attributes:
        need: what was meant. query: what was typed.
        pages: what was seen of the answer. degraded: of any of its pages.
        ends: when the shopper was done with the last page, microseconds.
        happened: what the client reports.
        answer_ms: how long each page took.
    """

    need: int
    query: str
    pages: tuple[Pages, ...]
    degraded: tuple[str, ...]
    ends: int
    happened: tuple[Happened, ...]
    answer_ms: tuple[float, ...]

    @property
    def satisfied(self) -> bool:
        """Whether anything was clicked; else the shopper tries again in other words."""
        return any(page.clicked.any() for page in self.pages)


@dataclass(frozen=True)
class _Asked:
    """Who asks for what, and how."""

    shopper: int
    need: int
    question: Question


@dataclass(frozen=True)
class _Place:
    """Where in the results a page stands: when it is seen, places above it, its number."""

    at: int
    above: int = 0
    page: int = 1


@dataclass
class _Seen:
    """The pages of one search so far."""

    pages: list[Pages] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    answer_ms: list[float] = field(default_factory=list)


class ShopperSearches:
    """Searches of simulated shoppers; what a search draws comes from the world's own chance."""

    def __init__(
        self,
        world: World,
        needs: Needs,
        service: SearchService,
        names: Names,
        truth: TruthWriter | None = None,
    ) -> None:
        self._world = world
        self._needs = needs
        self._service = service
        self._names = names
        self._truth = truth
        self._number = {item: number for number, item in enumerate(world.space.ids)}

    def begins(self) -> bool:
        """Whether the shopper of a session comes to search. Draws nothing where nobody does."""
        share = self._world.habits.search_sessions
        return share > 0 and bool(self._world.rng.random() < share)

    async def search(
        self, shopper: int, session: str, at: int, need: int | None = None, token: str | None = None
    ) -> Searched:
        """Lets a shopper search at an instant.

        Args:
            need: what is still looked for; None = something new.
            token: of the shopper's latest events, which the answer is to know.
        """
        world, needs, rng = self._world, self._needs, self._world.rng
        if need is None:
            need = int(needs.draw(world.tastes.vectors[[shopper]], rng)[0])
        user_id = world.user_id(shopper)
        query = await self._type(need, user_id)
        category = needs.category(need)
        within = category is not None and rng.random() < world.habits.filter_share
        filters: JsonObject | None = {"categories": [category]} if within else None
        question = Question(query, user_id, session, world.habits.slate, filters, token=token)
        seen = await self._read(_Asked(shopper, need, question), at)
        return Searched(
            need,
            query,
            tuple(seen.pages),
            tuple(dict.fromkeys(seen.degraded)),
            int(seen.pages[-1].ends[0]),
            tuple(seen.happened),
            tuple(seen.answer_ms),
        )

    async def _type(self, need: int, user_id: str) -> str:
        """What is typed; a suggestion that says what is meant is taken. No keystroke becomes an event."""
        habits, rng = self._world.habits, self._world.rng
        meant, query = self._needs.text(need), type_query(self._needs.words[need], habits, rng)
        if rng.random() >= habits.suggest_share:
            return query
        for letters in _KEYSTROKES:
            if letters < len(query) and meant in await self._service.suggest(query[:letters], user_id):
                return meant
        return query

    async def _read(self, asked: _Asked, at: int) -> _Seen:
        """The first page, and now and then the second."""
        seen, place = _Seen(), _Place(at)
        while True:
            began = time.monotonic()
            answer = await self._service.search(asked.question)
            seen.answer_ms.append(1e3 * (time.monotonic() - began))
            seen.degraded += answer.degraded
            pages = self._look(asked, answer, place, seen)
            goes_on = place.page == 1 and self._world.rng.random() < self._world.habits.second_page
            if answer.cursor is None or not goes_on:
                return seen
            place = _Place(int(pages.ends[0]) + _TURN, place.above + len(answer.item_ids), place.page + 1)
            asked = replace(asked, question=replace(asked.question, cursor=answer.cursor))

    def _look(self, asked: _Asked, answer: SearchPage, place: _Place, seen: _Seen) -> Pages:
        """Lets the shopper browse one page of results."""
        world, question = self._world, asked.question
        known = [self._number.get(item, 0) for item in answer.item_ids]  # a newer item is overlooked
        items, propensity = self._in_order(np.array(known or [0], np.int64), place.page)
        shown, relevance = items[None, :], self._needs.relevance(asked.need)[items][None, :]
        who, when = np.array([asked.shopper]), np.array([place.at])
        pages = browse_pages(world, who, shown, when, relevance, place.above)
        results = Results(
            answer.query_id, place.page, answer.total, question.filters, SURFACE, propensity=propensity
        )
        requests = PageRequests([answer.request_id], [question.session_id], [question.query], [results])
        if self._truth:
            self._truth.pages(pages, requests)
        seen.happened += page_events(world, pages, requests, self._names)
        seen.pages.append(pages)
        return pages

    def _in_order(self, items: IntArray, page: int) -> tuple[IntArray, float | None]:
        """The items as the page shows them: on some first pages by chance, with the chance of each place."""
        rng, share = self._world.rng, self._world.habits.shuffled_share
        if page > 1 or not share or rng.random() >= share:
            return items, None
        return rng.permutation(items), 1 / len(items)
