"""Interleaving on simulated shoppers: its false alarms, and how often it sees a difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import stats

from recsys.arrays import DoubleArray, IntArray
from recsys.documents import JsonObject
from recsys.experiments.interleaving import Draft, credit_clicks, team_draft
from recsys.experiments.preference import Preference, measure_preference
from recsys.simulation.needs import Needs
from recsys.simulation.pages import browse_pages
from recsys.simulation.tastes import examination
from recsys.simulation.typed_queries import type_query
from recsys.simulation.world import World

LEVEL = 0.05


class Ranking(Protocol):
    """A way to search whose lists are interleaved; see `recsys.jobs.search.simulation.pages.RowPages`."""

    def ranked(self, query: str) -> IntArray:
        """Item indexes of the world, the best first."""
        ...


@dataclass(frozen=True)
class Alarms:
    """What many experiments of one size found.

    Attributes:
        queries: of each experiment. users: in each, on average.
        first, second: experiments whose interval over users lies on the side of that ranking.
        sign_alarms: experiments whose sign test rejects at 5%.
        preference: mean over experiments. clicks_first, clicks_second: true expected clicks a search, of
            each ranking's own list.
    """

    queries: int
    users: float
    experiments: int
    first: int
    second: int
    sign_alarms: int
    preference: float
    clicks_first: float
    clicks_second: float

    def row(self, first: str, second: str) -> JsonObject:
        """For a table; shares with their exact 95% intervals."""
        return {
            "first": first,
            "second": second,
            "queries": self.queries,
            "experiments": self.experiments,
            "true clicks": f"{self.clicks_first:.3f} / {self.clicks_second:.3f}",
            "preference": self.preference,
            "first wins": share_with_interval(self.first, self.experiments),
            "second wins": share_with_interval(self.second, self.experiments),
            "sign test alarms": share_with_interval(self.sign_alarms, self.experiments),
        }


@dataclass(frozen=True)
class _Asked:
    """B searches: who, what for, what was typed."""

    shoppers: IntArray
    needs: IntArray
    queries: tuple[str, ...]


def repeat_interleaving(
    world: World,
    needs: Needs,
    first: Ranking,
    second: Ranking,
    queries: int,
    experiments: int,
    samples: int = 400,
) -> Alarms:
    """Interleaves two rankings for `queries` searches of new shoppers, again and again.

    With the same ranking twice every verdict is a false alarm.

    Args:
        world: whose chance decides everything. samples: of the bootstrap over users.
    """
    outcomes: list[Preference] = []
    deserved: list[list[float]] = []
    for number in range(experiments):
        asked = _ask(world, needs, queries)
        lists = [[ranking.ranked(query) for query in asked.queries] for ranking in (first, second)]
        wins = _wins(world, needs, asked, lists[0], lists[1], seed=number)
        users = [str(shopper) for shopper in asked.shoppers.tolist()]
        outcomes.append(measure_preference(users, wins, samples, seed=number))
        deserved.append([_clicks(world, needs, asked, each) for each in lists])
    clicks = np.array(deserved).mean(axis=0)
    return Alarms(
        queries=queries,
        users=float(np.mean([one.users for one in outcomes])),
        experiments=experiments,
        first=sum(one.verdict == "first" for one in outcomes),
        second=sum(one.verdict == "second" for one in outcomes),
        sign_alarms=sum(one.sign_p_value < LEVEL for one in outcomes),
        preference=float(np.mean([one.preference for one in outcomes])),
        clicks_first=float(clicks[0]),
        clicks_second=float(clicks[1]),
    )


@dataclass(frozen=True)
class Turned:
    """A ranking made worse on purpose: places 1 to `depth` of its lists in the opposite order."""

    ranking: Ranking
    depth: int

    def ranked(self, query: str) -> IntArray:
        """The other list, turned round as far as `depth`."""
        found = self.ranking.ranked(query)
        return np.concatenate([found[: self.depth][::-1], found[self.depth :]])


def share_with_interval(count: int, of: int) -> str:
    """A share with its 95% interval of Clopper and Pearson.

    >>> share_with_interval(5, 100)
    '5.0% [1.6, 11.3]'
    """
    found = stats.binomtest(count, of).proportion_ci(0.95)
    return f"{100 * count / of:.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _ask(world: World, needs: Needs, count: int) -> _Asked:
    """Searches of shoppers as active as they are, machines left out."""
    rates = np.where(world.bots, 0, world.rates).astype(np.float64)
    shoppers = world.rng.choice(len(rates), count, p=rates / rates.sum())
    wanted = needs.draw(world.tastes.vectors[shoppers], world.rng)
    typed = (type_query(needs.words[need], world.habits, world.rng) for need in wanted.tolist())
    return _Asked(shoppers, wanted, tuple(typed))


def _wins(
    world: World,
    needs: Needs,
    asked: _Asked,
    first: Sequence[IntArray],
    second: Sequence[IntArray],
    seed: int,
) -> IntArray:
    """(B,) who wins each search: 1, -1 or 0."""
    size = world.habits.slate
    drafts = [
        team_draft(one, other, size, f"q{row}", seed)
        for row, (one, other) in enumerate(zip(first, second, strict=True))
    ]
    clicked = _clicked(world, needs, asked, drafts)
    return np.array(
        [
            credit_clicks(draft, (np.flatnonzero(row[: len(draft)]) + 1).tolist())
            for draft, row in zip(drafts, clicked, strict=True)
        ],
        np.int64,
    )


def _clicked(world: World, needs: Needs, asked: _Asked, drafts: Sequence[Draft]) -> IntArray:
    items = _matrix([draft.items for draft in drafts], world.habits.slate)
    at = np.zeros(len(items), np.int64)
    pages = browse_pages(world, asked.shoppers, items, at, _relevance(needs, asked, items))
    return np.asarray(pages.clicked, np.int64)


def _clicks(world: World, needs: Needs, asked: _Asked, lists: Sequence[IntArray]) -> float:
    """The true mean of clicks on the first page of each list."""
    items = _matrix(lists, world.habits.slate)
    chances: DoubleArray = world.attraction(asked.shoppers, items, _relevance(needs, asked, items))
    return float((chances @ examination(world.habits, items.shape[1])).mean())


def _relevance(needs: Needs, asked: _Asked, items: IntArray) -> DoubleArray:
    return np.stack(
        [needs.relevance(need)[row] for need, row in zip(asked.needs.tolist(), items, strict=True)]
    )


def _matrix(lists: Sequence[IntArray], size: int) -> IntArray:
    """(B, size) with 0 behind short lists."""
    items = np.zeros((len(lists), size), np.int64)
    for row, found in enumerate(lists):
        items[row, : len(found)] = found[:size]
    return items
