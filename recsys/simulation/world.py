"""The whole simulated world: a catalog's space, and who comes to the shop."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.instants import SECOND
from recsys.simulation.habits import Habits
from recsys.simulation.item_space import ItemSpace, item_space
from recsys.simulation.tastes import Tastes, attraction

USER_PREFIX = "sim-"


@dataclass(frozen=True)
class World:
    """Everything but the clock; `tastes` moves on from day to day.

    Attributes:
        rates: (S,) sessions a day.
        bots: (S,) bool, who is a machine.
        skew: (S,) microseconds that a shopper's clock is ahead.
        rng: of what happens; the tastes have one of their own, so that they are the same whatever is shown.
    """

    habits: Habits
    space: ItemSpace
    tastes: Tastes
    rates: FloatArray
    bots: BoolArray
    skew: IntArray
    rng: np.random.Generator

    def attraction(
        self, shoppers: IntArray, items: IntArray, relevance: DoubleArray | None = None
    ) -> DoubleArray:
        """(B, K): the true chances of a click on what is examined, today; `relevance` (B, K) to a search."""
        taste, price = self.tastes.vectors[shoppers], self.tastes.price_level[shoppers]
        return attraction(self.habits, self.space, taste, price, items, relevance)

    def user_id(self, shopper: int) -> str:
        """`sim-` and what the shopper is, so that nobody takes it for a person."""
        return f"{USER_PREFIX}{'bot' if self.bots[shopper] else 'shopper'}-{shopper:06d}"


def open_world(habits: Habits, items: pa.Table) -> World:
    """The world of these habits over a catalog; equal arguments give equal worlds.

    Args:
        items: columns of `ITEM_SCHEMA`, sorted by item id.

    Raises:
        DataError: no item is available.
    """
    of_space, of_tastes, of_people, of_events = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(habits.seed).spawn(4)
    )
    space = item_space(items, of_space)
    count = habits.shoppers
    activity = of_people.lognormal(-0.5, 1.0, count)  # mean 1
    bots = np.zeros(count, bool)
    bots[of_people.permutation(count)[: round(habits.bot_share * count)]] = True
    skewed = of_people.random(count) < habits.skewed_share
    # A shop believes a clock that is less than five minutes ahead.
    seconds = np.clip(of_people.normal(0, 1, count) * habits.skew_seconds, -250, 250)
    return World(
        habits=habits,
        space=space,
        tastes=Tastes(habits, space, of_tastes),
        rates=(habits.sessions_per_day * activity).astype(np.float32),
        bots=bots,
        skew=np.where(skewed, seconds * SECOND, 0).astype(np.int64),
        rng=of_events,
    )
