"""Policies on the same requests: each measure with its interval over days, and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

from recsys.arrays import DoubleArray
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.measures import Measure, PacedBudgets, measures_of, paced_budgets
from recsys.simulation.ads.run import PolicyRun

CONFIDENCE = 0.95
LEAST_DAYS = 2  # for an interval
Verdict = Literal["better", "worse", "no difference seen", "not judged"]


@dataclass(frozen=True)
class Interval:
    """A mean over days with its 95% interval; the bounds are None where there are too few days."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """One measure of a policy less that of another, over the same days.

    Attributes:
        relative: the mean difference as a part of the other's mean; None where that is 0.
        verdict: by the interval: it has to leave 0 out.
    """

    measure: str
    policy: str
    against: str
    interval: Interval
    relative: float | None
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class PolicyComparison:
    """Runs of policies in one market.

    Attributes:
        runs: the first is the reference, by which budgets are chosen. measures: of each run, by name.
        differences: of the last run with every other, and of the reference with the others.
    """

    market: Market
    runs: tuple[PolicyRun, ...]
    paced: PacedBudgets
    measures: tuple[Mapping[str, Measure], ...]
    differences: tuple[Difference, ...]


def compare_policies(market: Market, runs: Sequence[PolicyRun]) -> PolicyComparison:
    """The measures of all runs, and their paired differences.

    Args:
        runs: of the same traffic; the first has a controller.
    """
    paced = paced_budgets(market, runs[0])
    measures = tuple(measures_of(market, run, paced) for run in runs)
    names = [run.policy.name for run in runs]
    pairs = [(0, other) for other in range(1, min(len(runs), 2))]
    pairs += [(last, other) for last in range(2, len(runs)) for other in (0, 1)]
    differences = tuple(
        difference
        for one, other in pairs
        for difference in paired_differences(names[one], measures[one], names[other], measures[other])
    )
    return PolicyComparison(market, tuple(runs), paced, measures, differences)


def paired_differences(
    policy: str, measures: Mapping[str, Measure], against: str, others: Mapping[str, Measure]
) -> list[Difference]:
    """Every measure of `policy` less that of `against`; those without days are left out."""
    found = []
    for name, measure in measures.items():
        interval = interval_of(measure.by_day - others[name].by_day)
        if interval is None:
            continue
        base = interval_of(others[name].by_day)
        relative = interval.mean / abs(base.mean) if base and base.mean else None
        found.append(Difference(name, policy, against, interval, relative, _verdict(measure, interval)))
    return found


def interval_of(by_day: DoubleArray) -> Interval | None:
    """The mean over days with Student's interval; NaN days are left out, None if there is no other."""
    known = by_day[~np.isnan(by_day)]
    if not len(known):
        return None
    mean = float(known.mean())
    if len(known) < LEAST_DAYS:
        return Interval(mean, None, None)
    half = float(student.ppf((1 + CONFIDENCE) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return Interval(mean, mean - half, mean + half)


def _verdict(measure: Measure, interval: Interval) -> Verdict:
    if measure.better is None or interval.low is None or interval.high is None:
        return "not judged"
    if interval.low <= 0 <= interval.high:
        return "no difference seen"
    return "better" if (interval.low > 0) == (measure.better == "more") else "worse"
