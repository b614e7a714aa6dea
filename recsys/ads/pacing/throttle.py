"""The controller: in which share of the auctions a budget takes part, so that its spend follows the plan.

Probabilistic throttling: an ad that is within its budget enters an auction with a probability, drawn before
matching ads are explored or ranked, and bids what it bids. Spend is then proportional to the probability
whatever the competition is like, and no bid is pushed below a reserve. Automatic bidding may multiply its bid
by the same number instead.

The probability is the share of demand that the plan needs, times 1 + the distance from the plan over what is
planned for the next quarter of an hour. The demand is measured, not integrated from errors, so nothing winds
up while a budget cannot be spent; the divisor has a floor, so an almost empty hour does not shut a campaign.
Papers: Agarwal et al. 2014 (pacing by throttling); Balseiro et al. 2017 (throttling beside multipliers).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from recsys.ads.pacing.day_plan import DayPlan

HORIZON = timedelta(minutes=15)  # within which a distance from the plan is made up
LEAST_ROOM = 0.01  # of the budget: the floor of the divisor
UNKNOWN_DEMAND = 2.0  # times the budget, until it was seen
MEMORY_SHARE = 0.04  # of a day's demand, about an hour of it: how far the measured demand looks back
PRIOR_SHARE = 0.0005  # of a day's demand that the first guess counts as
LEAST_SEEN_SHARE = 1e-12  # of a day's demand: no division by less
CHARGE_SECONDS = 60.0  # within which a charge comes


@dataclass(frozen=True)
class Throttle:
    """What the controller of one budget knows at one instant.

    Attributes:
        participation: probability of taking part in an auction, from 0 to 1.
        committed_micros: spent and held, each charge or hold once.
        seen_micros: what was committed of late. seen_share: the share of a day's demand it was committed in,
            times the participation; both are forgotten as demand passes.
    """

    at: datetime
    participation: float
    committed_micros: int
    seen_micros: float
    seen_share: float

    @property
    def demand_micros(self) -> float:
        """What a whole day would spend if every auction were entered."""
        return max(self.seen_micros, 0.0) / self.seen_share


def start_throttle(
    plan: DayPlan, now: datetime, committed_micros: int = 0, demand_micros: float | None = None
) -> Throttle:
    """The controller at its first instant.

    Args:
        committed_micros: spent and held before `now`.
        demand_micros: what a whole day would spend if every auction were entered, as another process or the
            day before measured it; None = not known.
    """
    demand = UNKNOWN_DEMAND * plan.budget_micros if demand_micros is None else demand_micros
    return _with_participation(
        plan, now, committed_micros, seen_micros=PRIOR_SHARE * demand, seen_share=PRIOR_SHARE
    )


def next_throttle(throttle: Throttle, plan: DayPlan, committed_micros: int, now: datetime) -> Throttle:
    """The controller at `now`, from what was committed since it was last asked.

    Ask it every ten seconds or more often: until then the participation stays.

    Args:
        plan: that of the same day; its budget may be another.
        committed_micros: spent and held at `now`, each charge or hold once.
    """
    passed = max(plan.share(now) - plan.share(throttle.at), 0.0)
    kept = math.exp(-passed / MEMORY_SHARE)
    return _with_participation(
        plan,
        now,
        committed_micros,
        seen_micros=kept * throttle.seen_micros + committed_micros - throttle.committed_micros,
        # Both shrink alike while nothing is entered, so their ratio stays; the floor keeps it a number.
        seen_share=max(kept * throttle.seen_share + passed * throttle.participation, LEAST_SEEN_SHARE),
    )


def committed_micros(
    spent_micros: int, held_micros: int, charge_seconds: float = CHARGE_SECONDS, hold_seconds: float = 300.0
) -> int:
    """What a controller counts as spent: charges, and of the holds those whose charge is still to come.

    A click comes, or does not, long before its hold ends. To count every hold until then would count what was
    shown in the last minutes twice, as charges and as holds, and spend would stay behind the plan by that.
    Rounded down; nothing is paid by it.

    Args:
        charge_seconds: within which a charge comes. hold_seconds: how long holds last.

    >>> committed_micros(1_000_000, 500_000)
    1100000
    """
    return spent_micros + int(held_micros * min(charge_seconds / hold_seconds, 1.0))


def joint_participation(levels: Iterable[float]) -> float:
    """With which probability an ad takes part whose account, campaign and line each have a controller.

    The product: each controller sees what the others leave, and counters only what its own budget asks for.

    >>> joint_participation([0.5, 1.0, 0.8])
    0.4
    """
    return math.prod(levels)


def takes_part(participation: float, draw: float) -> bool:
    """Whether an ad enters an auction.

    Args:
        draw: of the request and the ad, uniform in [0, 1).

    >>> takes_part(0.25, draw=0.2), takes_part(0.0, draw=0.0), takes_part(1.0, draw=0.999)
    (True, False, True)
    """
    return draw < participation


def paced_bid_micros(bid_micros: int, participation: float) -> int:
    """What an ad bids that takes part in every auction and lowers its bid instead, rounded down.

    For automatic bidding ("most clicks within the budget"): where competition varies, the cheaper auctions
    are won and a budget buys more clicks. A fixed bid stays what the operator said, and the ad is throttled.

    >>> paced_bid_micros(400_000, 0.5), paced_bid_micros(400_000, 1.0)
    (200000, 400000)
    """
    return int(bid_micros * participation)


def _with_participation(
    plan: DayPlan, now: datetime, committed_micros: int, seen_micros: float, seen_share: float
) -> Throttle:
    behind = plan.target_micros(now) - committed_micros
    if now >= plan.ends_at:  # what is left is wanted at once, and the gate bounds it
        participation = float(behind > 0)
        return Throttle(now, participation, committed_micros, seen_micros, seen_share)
    pace = plan.pace_micros
    planned = pace * (plan.share(now + HORIZON) - plan.share(now))
    room = max(planned, LEAST_ROOM * plan.budget_micros)
    needed = pace * max(1 + behind / room, 0.0)
    # Demand that was never seen asks for all there is: the floor only keeps the division possible.
    demand = max(seen_micros, 0.0) / seen_share
    participation = min(needed / max(demand, LEAST_ROOM * pace), 1.0)
    return Throttle(now, participation, committed_micros, seen_micros, seen_share)
