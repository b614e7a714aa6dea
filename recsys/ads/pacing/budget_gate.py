"""What a gate of budgets does while ads are served: it holds money, and refuses where a budget has no room.

A gate is quick and may forget; the database is the truth. So a gate's numbers only rise to those of the
database, and a gate that lost something refuses until it was rebuilt.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from recsys.ads.campaigns.bidding import Pricing, event_cost_micros
from recsys.ads.campaigns.campaign import FrequencyCap
from recsys.amounts import MOST_MICROS
from recsys.errors import DataError

Spent = Mapping[str, int]  # what was spent, in micros, by the name of the level


@dataclass(frozen=True)
class BudgetLevel:
    """One budget that a hold has to fit in: of an account, a campaign or a line, of a day or in total.

    Attributes:
        name: unique in the account, without blanks, such as `cmp_1/2026-05-01` or `lin_1/total`.
        cap_micros: the most that may be spent and held.

    Raises:
        DataError: the name is empty or has blanks, the cap is negative or above MOST_MICROS.
    """

    name: str
    cap_micros: int

    def __post_init__(self) -> None:
        if self.name.split() != [self.name]:
            raise DataError(f"the level {self.name!r} has blanks or no name. Write cmp_1/2026-05-01.")
        if not 0 <= self.cap_micros <= MOST_MICROS:
            raise DataError(
                f"the cap of {self.name} is {self.cap_micros}, not between 0 and {MOST_MICROS}. Give micros."
            )


@dataclass(frozen=True)
class UserCap:
    """How often a user may see a campaign; it is counted when an ad is served."""

    user_id: str
    campaign_id: str
    cap: FrequencyCap


@dataclass(frozen=True)
class HoldRequest:
    """What shall be held for one slot that an ad won.

    Attributes:
        account_id: whose budgets they are.
        hold_id: of the slot, unique in the account; while it lasts, asking again holds nothing more.
        levels: all budgets that it has to fit in.
        cost_micros: `expected_cost_micros`.
        pricing: decides how long the hold lasts.
        user_cap: None where nothing bounds how often the user sees the campaign, or the user is not known.
        price_micros: of the click or purchase itself: it has to fit in what is not spent yet, or that click
            would be free. 0 = the cost is all there is, as of an impression.

    Raises:
        DataError: no level, one twice, a cost below 1 or above MOST_MICROS, or such a price below 0.
    """

    account_id: str
    hold_id: str
    levels: tuple[BudgetLevel, ...]
    cost_micros: int
    pricing: Pricing
    user_cap: UserCap | None = None
    price_micros: int = 0

    def __post_init__(self) -> None:
        names = [level.name for level in self.levels]
        if not names or len(set(names)) < len(names):
            raise DataError(f"a hold has the levels {names}. Name each budget once, and one at least.")
        if not 1 <= self.cost_micros <= MOST_MICROS:
            raise DataError(f"a hold of {self.cost_micros} is not between 1 and {MOST_MICROS}. Give micros.")
        if not 0 <= self.price_micros <= MOST_MICROS:
            raise DataError(
                f"a price of {self.price_micros} is not between 0 and {MOST_MICROS}. Give micros."
            )


class RefusalReason(StrEnum):
    """Why nothing was held."""

    BUDGET = "budget"  # a level has no room
    FREQUENCY = "frequency"  # the user saw the campaign often enough
    REBUILD = "rebuild"  # the gate lost something: `rebuild` it


@dataclass(frozen=True)
class Refusal:
    """Nothing is held.

    Attributes:
        level: the first budget without room; None unless that is the reason.
    """

    reason: RefusalReason
    level: str | None = None


@dataclass(frozen=True)
class Usage:
    """What a gate knows of levels, in micros; both maps have every name that was asked for.

    Attributes:
        generation: rises with each hold, refresh and rebuild; 0 = the gate has to be rebuilt.
    """

    generation: int
    spent: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)


class BudgetGate(Protocol):
    """A gate of budgets; all processes that serve ads share one, and any thread may use it.

    Every method raises StoreUnavailableError where the gate does not answer.
    """

    def hold(self, request: HoldRequest) -> Refusal | None:
        """None if the cost is held on every level of the request, else why it is held on none.

        It is held where spent + held + cost <= cap and spent + price <= cap on each level, all in one step:
        an ad whose click no budget can pay any more is not shown. The user's cap is a second step; where that
        refuses, the hold is released. Holds end by themselves after some minutes.
        """
        ...

    def release(self, request: HoldRequest) -> None:
        """Ends a hold of an ad that was not shown; the user's cap does not count it either."""
        ...

    def settle(self, account_id: str, hold_id: str, spent: Spent) -> None:
        """Ends a hold whose charge was written.

        Args:
            spent: what the database says was spent after the charge, of each level that it is charged to. The
                gate takes it where it is more than it knew, so that a charge told twice counts once.
        """
        ...

    def usage(self, account_id: str, names: Sequence[str]) -> Usage:
        """What is spent and held of levels of those names; 0 where the gate knows none."""
        ...

    def usages(self, asked: Mapping[str, Sequence[str]]) -> Mapping[str, Usage]:
        """`usage` of many accounts in a few steps: account id -> names of levels -> what it knows of them."""
        ...

    def refresh(self, account_id: str, spent: Spent) -> bool:
        """Raises what was spent to what the database says; call it each second. False: rebuild the gate."""
        ...

    def rebuild(self, account_id: str, spent: Spent) -> None:
        """Forgets all that is held and spent of an account, takes `spent` and is open again.

        Args:
            spent: what the database says, of every level of the account that is open.
        """
        ...

    def expect(self, account_id: str, generation: int) -> None:
        """Refuses from now on where the gate's generation is older: what another process saw (`Usage`)."""
        ...

    def forget(self, account_id: str, names: Sequence[str]) -> None:
        """Forgets levels whose day is over."""
        ...


def expected_cost_micros(pricing: Pricing, price_micros: int, probability: float) -> int:
    """What is held for one slot, rounded up: nothing is shown for free, and nobody pays by it.

    Args:
        price_micros: of a click, of a purchase, or of 1,000 viewable impressions.
        probability: that a click (cpc) or a purchase (cpa) comes of the slot. Of cpm the full price of one
            impression is held.

    >>> expected_cost_micros("cpc", 400_000, 0.02), expected_cost_micros("cpm", 1_500, 0.7)
    (8000, 2)
    """
    if pricing == "cpm":
        return event_cost_micros(pricing, price_micros)
    return max(math.ceil(price_micros * probability), 1)
