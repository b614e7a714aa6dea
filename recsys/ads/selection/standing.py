"""What is known of campaigns and their budgets between two looks: all that a request reads. Immutable."""

from dataclasses import dataclass

import numpy as np

from recsys.ads.selection.inventory import Inventory
from recsys.ads.selection.spending import Funds, Spending
from recsys.ads.selection.throttles import Throttles
from recsys.arrays import BoolArray, DoubleArray


@dataclass(frozen=True, eq=False)
class Standing:
    """An inventory with what was known of its budgets at the last look.

    Attributes:
        participation: (L,) joint participation of each line.
        closed: (G,) accounts whose gate has to be rebuilt.
    """

    inventory: Inventory
    funds: Funds
    participation: DoubleArray
    closed: BoolArray

    @classmethod
    def of(cls, inventory: Inventory, spending: Spending, throttles: Throttles) -> "Standing":
        """The standing of `inventory`, whose budgets `spending` is of."""
        return cls(
            inventory,
            spending.funds(),
            throttles.of_lines(inventory),
            np.array([each.account_id in throttles.closed for each in inventory.accounts], bool),
        )
