"""A picture of a simulation: the spend of one budget beside its plan, predictions beside the truth."""

from typing import TYPE_CHECKING

import numpy as np

from recsys.amounts import MICROS
from recsys.evaluation.plots import new_figure, png_bytes
from recsys.simulation.ads.comparison import PolicyComparison
from recsys.simulation.ads.controllers import BudgetDay
from recsys.simulation.ads.run import PolicyRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#0072B2", "#8c8c8c", "#D55E00")  # default, simplest, the file's
_PLAN = "#202020"
_SLOT_COLOURS = ("#0072B2", "#56B4E9", "#999999", "#cccccc")
_FEWEST = 30  # slots in a bin that is drawn


def simulation_plot(comparison: PolicyComparison) -> bytes:
    """PNG bytes: the largest budget that pacing is judged by, and the calibration of the first policy."""
    figure = new_figure(10, 4.2)
    left, right = figure.subplots(1, 2)
    _draw_spend(left, comparison)
    _draw_calibration(right, comparison.runs[0])
    return png_bytes(figure)


def _draw_spend(axes: "Axes", comparison: PolicyComparison) -> None:
    chosen = _largest_budget(comparison)
    if chosen is None:
        axes.text(0.5, 0.5, "no whole day of a budget", ha="center", transform=axes.transAxes)
        return
    planned = [plan / MICROS for plan, _ in chosen.curve]
    axes.plot(planned, color=_PLAN, lw=1.2, ls="--", label="plan", zorder=3)
    for run, colour in zip(comparison.runs, _COLOURS, strict=False):
        record = next(
            each for each in run.budget_days if (each.entity_id, each.day) == (chosen.entity_id, chosen.day)
        )
        axes.plot([spent / MICROS for _, spent in record.curve], color=colour, lw=1.8, label=run.policy.name)
    axes.set(xlabel="hour of the account's day", ylabel="spent")
    axes.set_title(
        f"{chosen.entity_id} on {chosen.day}, budget {chosen.budget_micros / MICROS:,.2f}",
        loc="left",
        fontsize=10,
    )
    axes.legend(fontsize=8, frameon=False)


def _largest_budget(comparison: PolicyComparison) -> BudgetDay | None:
    records = [record for record in comparison.runs[0].budget_days if record.is_whole and record.curve]
    paced = comparison.paced.many or comparison.paced.enough
    records = [record for record in records if not paced or (record.entity_id, record.day) in paced]
    return max(records, key=lambda record: (record.budget_micros, record.day), default=None)


def _draw_calibration(axes: "Axes", run: PolicyRun) -> None:
    ends = [1e-3, 1.0]
    for slot, bins in enumerate(run.tally.bins):
        count, predicted, true = bins[bins[:, 0] >= _FEWEST].T
        if not len(count):
            continue
        x, y = predicted / count, true / count
        ends = [min(ends[0], float(x.min())), max(ends[1], float(x.max()))] if slot else _ends(x)
        colour = _SLOT_COLOURS[slot % len(_SLOT_COLOURS)]
        axes.plot(x, y, "o-", ms=4, lw=1, color=colour, label=f"slot {slot + 1}")
    axes.plot(ends, ends, color=_PLAN, lw=1, ls="--", zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="predicted p_click", ylabel="true p_click")
    axes.set_title(f"{run.policy.name}: predicted and true; dashed: what is right", loc="left", fontsize=10)
    axes.legend(fontsize=8, frameon=False)


def _ends(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())]
