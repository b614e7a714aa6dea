"""With which probability an ad has its slot, where chance decided: what off-policy estimates divide by."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from recsys.ads.auction.candidates import Candidates
from recsys.ads.auction.loss_reasons import LossReason, reasons_before
from recsys.ads.auction.placement import Placement
from recsys.ads.auction.ranking import admissible_places, rank_candidates
from recsys.ads.exploration.worlds import Worlds
from recsys.arrays import DoubleArray

Replay = Callable[[DoubleArray], Sequence[int]]  # (K,) attraction -> rows of the winners, by slot


@dataclass(frozen=True)
class SlotChance:
    """What chance had to do with who has a slot.

    Attributes:
        propensity: the probability with which this item has this slot, given the ads that take part.
        explored: whether the item would have no slot by the attraction that is expected.
    """

    propensity: float = 1.0
    explored: bool = False


def slot_chances(
    worlds: Worlds,
    candidates: Candidates,
    placement: Placement,
    seed: int,
    shown: Sequence[int],
    unable: Collection[int] = (),
    items: Sequence[object] | None = None,
) -> tuple[SlotChance, ...]:
    """Of each slot; without exploration all are certain, and nothing is replayed.

    Args:
        candidates: with the attraction that is expected. shown, unable: rows of them, by slot those that have
            one, and those that were refused their money.
        items: (K,) which item each ad shows, where several may show the same: whose of them it is, is all one
            to the user. None = each has its own.
    """
    if len(worlds) == 1:
        return (SlotChance(),) * len(shown)
    replay = replay_auction(candidates, placement, seed, unable)
    if items is not None:
        replay, shown = _by_item(replay, items), _first_rows(items, shown)
    propensities = slot_propensities(worlds, shown, replay)
    explored = explored_slots(candidates.attraction, shown, replay)
    return tuple(SlotChance(*each) for each in zip(propensities, explored, strict=True))


def _by_item(replay: Replay, items: Sequence[object]) -> Replay:
    """`replay` whose winners are named by the first row that shows their item."""
    return lambda attraction: _first_rows(items, replay(attraction))


def _first_rows(items: Sequence[object], rows: Sequence[int]) -> list[int]:
    return [items.index(items[row]) for row in rows]


def replay_auction(
    candidates: Candidates, placement: Placement, seed: int, unable: Collection[int] = ()
) -> Replay:
    """Who would win by another attraction, in the same auction without prices and without money.

    Args:
        unable: rows whose budget refused the money this time; it would have refused it in any case.
    """
    able = candidates.can_pay.copy()
    able[list(unable)] = False
    rest = replace(candidates, can_pay=able)
    reserves = rest.reserves(placement.reserves)

    def replay(attraction: DoubleArray) -> list[int]:
        other = replace(rest, attraction=attraction)
        weights = other.weights()
        competes = reasons_before(other, weights, reserves) == LossReason.RANK
        ranking = rank_candidates(other, weights, reserves, competes, seed)
        places = islice(admissible_places(ranking, placement.account_limit, ()), placement.slots)
        return [int(ranking.rows[place]) for place in places]

    return replay


def slot_propensities(worlds: Worlds, shown: Sequence[int], replay: Replay) -> tuple[float, ...]:
    """Of each slot the sum of the chances of all worlds in which its ad has that slot.

    It is exact, given who took part in the auction, which is context as the user is: pacing's draws and
    budgets are not drawn again. By "thompson" it is also given the draws of this request; see
    `expected_weight`. Without exploration it is 1, and nothing is replayed.

    Args:
        shown: rows of the ads that have the slots, by slot, in the world that was used.
    """
    found = np.full(len(shown), worlds.chances[worlds.used])
    for world in range(len(worlds)):
        if world == worlds.used:
            continue
        winners = replay(worlds.attractions[world])
        found += worlds.chances[world] * np.array(
            [slot < len(winners) and winners[slot] == row for slot, row in enumerate(shown)]
        )
    return tuple(np.minimum(found, 1.0).tolist())


def explored_slots(attraction: DoubleArray, shown: Sequence[int], replay: Replay) -> tuple[bool, ...]:
    """Of each slot whether its ad would have none by the attraction that is expected, which is (K,).

    These are what exploration costs, and what a warm-up's budget counts.
    """
    expected = set(replay(attraction))
    return tuple(row not in expected for row in shown)


def expected_weight(probability: float, draws: int) -> float:
    """By "thompson" the mean of probability / propensity of an ad that wins so often; 1 is unbiased.

    Of `draws` draws one is used, the ad has won in it, and of the others it wins so many as chance has
    it. The mean of draws / (1 + wins among the others) is (1 - (1 - probability)^draws) / probability. So
    what a policy would do that wins seldom here is underestimated by that factor, never overestimated.

    >>> round(expected_weight(0.25, 16), 3), round(expected_weight(0.02, 16), 3)
    (0.99, 0.276)
    """
    return 1 - (1 - probability) ** draws
