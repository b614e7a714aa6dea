"""What a policy is judged by, in total and by day, and which budgets tell how well it paces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from recsys.amounts import MICROS
from recsys.arrays import DoubleArray
from recsys.simulation.ads.controllers import BudgetDay
from recsys.simulation.ads.market import Market
from recsys.simulation.ads.run import STARTS, PolicyRun

ENOUGH_DEMAND = 1.3  # in budgets: below it no pacing can spend a budget by its plan
MANY_CHARGES = (
    2000  # expected of a budget a day: fewer cannot follow a plan closely, one charge is too much of it
)
Key = tuple[str, date]  # a budget and its day
Better = Literal["more", "less"]


@dataclass(frozen=True, eq=False)
class Measure:
    """One number of a policy.

    Attributes:
        better: whether more or less of it is better; None = neither.
        by_day: (days,) NaN where a day has none.
        total: of all days together.
    """

    name: str
    better: Better | None
    by_day: DoubleArray
    total: float


@dataclass(frozen=True)
class PacedBudgets:
    """The budgets, with their days, by which pacing is judged, whatever the policy.

    Attributes:
        enough: whole days with demand for ENOUGH_DEMAND budgets. many: those of MANY_CHARGES as well.
    """

    enough: frozenset[Key]
    many: frozenset[Key]


def paced_budgets(market: Market, reference: PolicyRun) -> PacedBudgets:
    """Chosen by what a policy with a controller measured.

    Campaigns whose account has a budget are left out: they need not fill their own plans. An account's demand
    is what its campaigns' own budgets leave of theirs.
    """
    records = {(record.entity_id, record.day): record for record in reference.budget_days if record.is_whole}
    bounded = {each.account_id for each in market.accounts if each.budget_day_micros is not None}
    account_of = {campaign.campaign_id: campaign.account_id for campaign in market.campaigns}
    of_accounts: dict[Key, float] = {}
    for (entity_id, day), record in records.items():
        if account_of.get(entity_id) in bounded:
            key = (account_of[entity_id], day)
            within = min(record.demand_micros, record.budget_micros)
            of_accounts[key] = of_accounts.get(key, 0.0) + within
    enough = frozenset(
        key
        for key, record in records.items()
        if account_of.get(key[0]) not in bounded
        and of_accounts.get(key, record.demand_micros) >= ENOUGH_DEMAND * record.budget_micros
    )
    many = frozenset(key for key in enough if records[key].expected_charges >= MANY_CHARGES)
    return PacedBudgets(enough, many)


def measures_of(market: Market, run: PolicyRun, paced: PacedBudgets) -> dict[str, Measure]:
    """All measures of a run, by name; money in units of the currency."""
    tally, slots = run.tally, len(market.truth.examination)
    billed = tally.charges + tally.over_budget
    found = [
        _sum("revenue", "more", tally.revenue / MICROS),
        _sum("welfare", "more", tally.welfare / MICROS),
        _sum("surplus", "more", (tally.welfare - tally.revenue) / MICROS),
        _ratio("relevance", "more", tally.attraction, tally.filled),
        _ratio("clicks_per_request", "more", tally.expected_clicks, tally.requests),
        _ratio("filled", None, tally.filled, tally.requests * slots),
        _ratio("explored", None, tally.explored, tally.filled),
        _ratio("over_budget", "less", tally.over_budget, billed),
        *_pacing_measures(run.budget_days, paced, len(tally.requests)),
        *_calibration(run),
    ]
    return {measure.name: measure for measure in found}


def _sum(name: str, better: Better | None, by_day: DoubleArray) -> Measure:
    return Measure(name, better, by_day, float(by_day.sum()))


def _ratio(name: str, better: Better | None, above: DoubleArray, below: DoubleArray) -> Measure:
    by_day = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    total = float(below.sum())
    return Measure(name, better, by_day, float(above.sum()) / total if total else float("nan"))


def _pacing_measures(records: Sequence[BudgetDay], paced: PacedBudgets, days: int) -> list[Measure]:
    by_key = {(record.entity_id, record.day): record for record in records}
    errors = {key: by_key[key].error for key in paced.enough}
    shares = {key: by_key[key].spent_micros / by_key[key].budget_micros for key in paced.enough}
    many_errors = {key: errors[key] for key in paced.many}
    many_shares = {key: shares[key] for key in paced.many}
    whole = {(record.entity_id, record.day): record for record in records if record.is_whole}
    use = {key: record.spent_micros / record.budget_micros for key, record in whole.items()}
    return [
        _mean("budget_use", "more", use, days),
        _mean("spent_of_budget", "more", shares, days),
        _mean("spent_of_budget_many", "more", many_shares, days),
        _mean("pacing_error", "less", errors, days),
        _mean("pacing_error_many", "less", many_errors, days),
        _most("pacing_error_many_max", "less", many_errors, days),
    ]


def _by_day(values: Mapping[Key, float], days: int) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in range(days)]
    first = STARTS.date() - timedelta(days=1)  # in zones behind UTC the first day begins before
    for (_, day), value in values.items():
        place = (day - first).days - 1
        if 0 <= place < days:
            found[place].append(value)
    return found


def _mean(name: str, better: Better, values: Mapping[Key, float], days: int) -> Measure:
    by_day = np.array([float(np.mean(each)) if each else np.nan for each in _by_day(values, days)])
    return Measure(name, better, by_day, float(np.mean([*values.values()])) if values else float("nan"))


def _most(name: str, better: Better, values: Mapping[Key, float], days: int) -> Measure:
    by_day = np.array([max(each) if each else np.nan for each in _by_day(values, days)])
    return Measure(name, better, by_day, max(values.values()) if values else float("nan"))


def _calibration(run: PolicyRun) -> list[Measure]:
    """PCOC, predicted over true, and ECE of each slot; the truth is the probability, not the clicks."""
    tally = run.tally
    found = []
    for slot in range(tally.true.shape[1]):
        name = f"pcoc_slot_{slot + 1}"
        found.append(_ratio(name, None, tally.predicted[:, slot], tally.true[:, slot]))
    for slot, (count, predicted, true) in enumerate(np.moveaxis(tally.bins, 2, 1)):
        total = count.sum()
        error = float(np.abs(predicted - true).sum() / total) if total else float("nan")
        nothing = np.full(len(tally.requests), np.nan)
        found.append(Measure(f"ece_slot_{slot + 1}", "less", nothing, error))
    return found
