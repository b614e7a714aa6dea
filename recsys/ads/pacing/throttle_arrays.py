"""The controllers of many budgets at once: what `throttle` and `day_plan` say of each, as arrays."""

from dataclasses import dataclass, fields

import numpy as np

from recsys.ads.pacing.day_plan import LEAST_REST
from recsys.ads.pacing.throttle import (
    CHARGE_SECONDS,
    LEAST_ROOM,
    LEAST_SEEN_SHARE,
    MEMORY_SHARE,
    PRIOR_SHARE,
    UNKNOWN_DEMAND,
)
from recsys.arrays import BoolArray, DoubleArray, IntArray


@dataclass(frozen=True, eq=False)
class PlannedShares:
    """What the plans of N budgets say of one instant; (N,) each, see `DayPlan.share`.

    Attributes:
        now: the share of the day's demand before it. ahead: before `HORIZON` later.
        is_over: whether the plan has ended.
    """

    now: DoubleArray
    ahead: DoubleArray
    is_over: BoolArray


@dataclass(frozen=True, eq=False)
class ThrottleArrays:
    """N plans and their controllers, each as of when it was last asked; (N,) each.

    Attributes:
        budget_micros, from_share, from_micros: of the plan.
        share: the share of the day's demand before the instant of the controller.
        participation, committed_micros, seen_micros, seen_share: of the controller.
    """

    budget_micros: IntArray
    from_share: DoubleArray
    from_micros: IntArray
    share: DoubleArray
    participation: DoubleArray
    committed_micros: IntArray
    seen_micros: DoubleArray
    seen_share: DoubleArray

    @classmethod
    def nothing(cls, count: int) -> "ThrottleArrays":
        """Numbers that nothing is read from but that everything can be computed of."""
        whole, parts = np.ones(count, np.int64), np.ones(count)
        return cls(whole, parts, whole, parts, parts, whole, parts, parts)

    @property
    def demand_micros(self) -> DoubleArray:
        """What a whole day would spend if every auction were entered."""
        demand: DoubleArray = np.maximum(self.seen_micros, 0.0) / self.seen_share
        return demand

    def taken(self, rows: IntArray) -> "ThrottleArrays":
        """Those of `rows`."""
        return ThrottleArrays(*(getattr(self, each.name)[rows] for each in fields(self)))

    def where(self, chosen: BoolArray, others: "ThrottleArrays") -> "ThrottleArrays":
        """These where `chosen` is true, else `others`."""
        names = [each.name for each in fields(self)]
        return ThrottleArrays(
            *(np.where(chosen, getattr(self, name), getattr(others, name)) for name in names)
        )


def committed_arrays(spent_micros: IntArray, held_micros: IntArray, hold_seconds: float) -> IntArray:
    """(N,) what `committed_micros` says of each."""
    to_come = held_micros * min(CHARGE_SECONDS / hold_seconds, 1.0)
    committed: IntArray = spent_micros + to_come.astype(np.int64)
    return committed


def start_throttle_arrays(
    budget_micros: IntArray, committed_micros: IntArray, demand_micros: DoubleArray, shares: PlannedShares
) -> ThrottleArrays:
    """Controllers at their first instant; what is left of each budget is spread over what is left of its day.

    Args:
        demand_micros: NaN = not known; see `start_throttle`.
    """
    demand = np.where(np.isnan(demand_micros), UNKNOWN_DEMAND * budget_micros, demand_micros)
    return _with_participation(
        budget_micros,
        shares.now,
        committed_micros,
        shares,
        committed_micros,
        seen_micros=PRIOR_SHARE * demand,
        seen_share=np.full(len(budget_micros), PRIOR_SHARE),
    )


def next_throttle_arrays(
    before: ThrottleArrays,
    budget_micros: IntArray,
    committed_micros: IntArray,
    shares: PlannedShares,
    is_stale: BoolArray,
) -> ThrottleArrays:
    """Controllers moved on; see `next_throttle`. A budget that was changed is planned from now on.

    Args:
        is_stale: (N,) whether `shares` are by another forecast than those before: then it is planned from now
            on: what was spent by the former plan is not an error of this one.
    """
    changed = (before.budget_micros != budget_micros) | is_stale
    passed = np.where(is_stale, 0.0, np.maximum(shares.now - before.share, 0.0))
    kept = np.exp(-passed / MEMORY_SHARE)
    return _with_participation(
        budget_micros,
        np.where(changed, shares.now, before.from_share),
        np.where(changed, committed_micros, before.from_micros),
        shares,
        committed_micros,
        seen_micros=kept * before.seen_micros + committed_micros - before.committed_micros,
        seen_share=np.maximum(kept * before.seen_share + passed * before.participation, LEAST_SEEN_SHARE),
    )


def _with_participation(
    budget: IntArray,
    from_share: DoubleArray,
    from_micros: IntArray,
    shares: PlannedShares,
    committed: IntArray,
    seen_micros: DoubleArray,
    seen_share: DoubleArray,
) -> ThrottleArrays:
    rest = np.maximum(1.0 - from_share, LEAST_REST)
    pace = np.maximum(budget - from_micros, LEAST_REST * budget) / rest
    behind = _target(budget, from_share, from_micros, shares) - committed
    room = np.maximum(pace * (shares.ahead - shares.now), LEAST_ROOM * budget)
    needed = pace * np.maximum(1 + behind / room, 0.0)
    demand = np.maximum(seen_micros, 0.0) / seen_share
    participation = np.minimum(needed / np.maximum(demand, LEAST_ROOM * pace), 1.0)
    return ThrottleArrays(
        budget_micros=budget,
        from_share=from_share,
        from_micros=from_micros,
        share=shares.now,
        participation=np.where(shares.is_over, (behind > 0).astype(np.float64), participation),
        committed_micros=committed,
        seen_micros=seen_micros,
        seen_share=seen_share,
    )


def _target(
    budget: IntArray, from_share: DoubleArray, from_micros: IntArray, shares: PlannedShares
) -> IntArray:
    """(N,) see `DayPlan.target_micros`."""
    passed = np.maximum(shares.now - from_share, 0.0) / np.maximum(1.0 - from_share, LEAST_REST)
    target = from_micros + ((budget - from_micros) * passed).astype(np.int64)
    planned: IntArray = np.where(shares.is_over | (budget <= from_micros), budget, target)
    return planned
