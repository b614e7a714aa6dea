"""Team-draft interleaving: one list drawn from two rankings, so that a click is a vote for one of them.

In each round a coin says which ranking picks first; each picks its best item that is not taken yet. Both are
shown to the same person at the same moment, so far fewer queries tell them apart than in a test by groups.

Paper: Radlinski et al. 2008, How Does Clickthrough Data Reflect Retrieval Quality?
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recsys.arrays import IntArray
from recsys.errors import RequestError

FIRST, SECOND = 0, 1


@dataclass(frozen=True)
class Draft:
    """An interleaved list.

    Attributes:
        items: (K,) item indexes as they are shown. teams: (K,) which ranking each is credited to: FIRST or
            SECOND.
    """

    items: IntArray
    teams: IntArray

    def __len__(self) -> int:
        return len(self.items)


def team_draft(first: IntArray, second: IntArray, k: int, query_id: str, seed: int) -> Draft:
    """The first `k` items drawn from two rankings; the same for a query_id and a seed, page after page.

    Args:
        first, second: item indexes from the best, each without repetition.
        seed: of the experiment, so that two experiments toss other coins.
    """
    rankings, reached = (first.tolist(), second.tolist()), [0, 0]
    taken: set[int] = set()
    items: list[int] = []
    teams: list[int] = []
    coins = coin_tosses(query_id, seed, k)

    def pick(team: int) -> None:
        ranking = rankings[team]
        while reached[team] < len(ranking) and ranking[reached[team]] in taken:
            reached[team] += 1
        if reached[team] < len(ranking) and len(items) < k:
            items.append(ranking[reached[team]])
            teams.append(team)
            taken.add(items[-1])

    for coin in coins:
        before = len(items)
        pick(coin)
        pick(1 - coin)
        if len(items) in (before, k):
            break
    return Draft(np.array(items, np.int64), np.array(teams, np.int64))


def coin_tosses(query_id: str, seed: int, count: int) -> list[int]:
    """`count` tosses, 0 or 1, that depend on nothing but the query_id and the seed.

    >>> coin_tosses("a", 1, 8) == coin_tosses("a", 1, 8) != coin_tosses("a", 2, 8)
    True
    """
    digest = hashlib.sha256(f"{seed}:{query_id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    tosses: list[int] = rng.integers(0, 2, count).tolist()
    return tosses


def credit_clicks(draft: Draft, positions: Iterable[int]) -> int:
    """Who wins a query: 1 the first ranking, -1 the second, 0 neither; by clicked items, each once.

    Args:
        positions: of the clicks, from 1.

    Raises:
        RequestError: a position is beyond the list.

    >>> draft = Draft(np.array([7, 8, 9]), np.array([0, 1, 0]))
    >>> credit_clicks(draft, [1, 3, 3]), credit_clicks(draft, [2]), credit_clicks(draft, [1, 2])
    (1, -1, 0)
    """
    places = sorted(set(positions))
    if places and not 1 <= places[0] <= places[-1] <= len(draft):
        wrong = places[0] if places[0] < 1 else places[-1]
        raise RequestError(f"position {wrong} is not one of the {len(draft)} of the list. Count from 1.")
    teams = draft.teams[np.array(places, np.int64) - 1]
    return int(np.sign((teams == FIRST).sum() - (teams == SECOND).sum()))
