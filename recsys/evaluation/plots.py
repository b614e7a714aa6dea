"""Pictures of an evaluation as PNG bytes, drawn without a display and without global state."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recsys.evaluation.compare import Evaluation
from recsys.evaluation.popularity_bias import TAKEN, group_shares
from recsys.evaluation.reliability import Reliability
from recsys.evaluation.tables import metric_name, shown_items

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers too; the reference is grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442", "#000000")
_REFERENCE_COLOUR = "#7f7f7f"
_DOTS_PER_INCH = 150


def accuracy_plot(evaluation: Evaluation) -> bytes:
    """Hit rate and NDCG of every model with 95% intervals, the reference marked by a line."""
    first = min(evaluation.cutoffs)
    models, names = evaluation.models, (f"hr@{first}", f"ndcg@{first}")
    figure = new_figure(9, 1.3 + 0.36 * len(models))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, names, strict=True):
        for place, model in enumerate(models):
            _bar(axes, evaluation, model, metric, place)
        reference = evaluation.row(evaluation.reference, metric)
        if reference:
            axes.axvline(reference.value, color=_REFERENCE_COLOUR, lw=1, ls="--", zorder=0)
        axes.set_title(metric_name(metric), loc="left", fontsize=10)
        axes.set_xlim(left=0)
        axes.margins(x=0.18)
    panels[0].set_yticks(range(len(models)), models)
    panels[0].invert_yaxis()
    figure.supxlabel(f"mean over cases, 95% bootstrap interval; dashed: {evaluation.reference}", fontsize=8)
    return png_bytes(figure)


def slices_plot(evaluation: Evaluation, metric: str, slices: Sequence[str], by: str) -> bytes:
    """`metric` of every model on each of `slices`; a dot with its 95% interval each."""
    models, colours = evaluation.models, _colours(evaluation)
    step = 0.7 / max(len(models), 1)
    figure = new_figure(9, 1.2 + len(slices) * max(0.5, 0.13 * len(models)))
    axes = figure.subplots()
    for place, model in enumerate(models):
        heights, values, errors = [], [], []
        for row_place, name in enumerate(slices):
            row = evaluation.row(model, metric, name)
            if row and row.low is not None and row.high is not None:
                heights.append(row_place - 0.35 + step * (place + 0.5))
                values.append(row.value)
                errors.append((max(row.value - row.low, 0), max(row.high - row.value, 0)))
        axes.errorbar(
            values, heights, xerr=np.array(errors).T, fmt="o", ms=4, lw=1.2, color=colours[model], label=model
        )
    for edge in range(len(slices) - 1):
        axes.axhline(edge + 0.5, color="0.9", lw=0.8)
    labels = [f"{name}\n{_cases(evaluation, metric, name):,} cases" for name in slices]
    axes.set_yticks(range(len(slices)), labels)
    axes.set_ylim(len(slices) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_title(f"{metric_name(metric)} by {by}", loc="left", fontsize=10)
    figure.legend(loc="outside lower center", ncols=min(len(models), 5), fontsize=8, frameon=False)
    return png_bytes(figure)


def popularity_plot(evaluation: Evaluation) -> bytes:
    """What the lists are made of: head, middle, cold; and how much of the catalog they reach."""
    first, models = min(evaluation.cutoffs), evaluation.models
    shares = group_shares(shown_items(evaluation), evaluation.item_events)
    from matplotlib.ticker import PercentFormatter

    figure = new_figure(9, 1.5 + 0.36 * (len(models) + 1))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    start = np.zeros(len(models) + 1)
    tones = ("#4a4a4a", "#b5b5b5", "#E69F00")
    for (group, values), tone in zip(shares.items(), tones, strict=True):
        left.barh(range(len(models) + 1), values, left=start, height=0.62, color=tone, label=group)
        start += values
    left.set_yticks(range(len(models) + 1), [*models, TAKEN])
    left.invert_yaxis()
    left.set_xlim(0, 1)
    left.set_title(f"share of the first {first} places", loc="left", fontsize=10)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8, frameon=False)
    coverage = [row.value if (row := evaluation.row(m, f"coverage@{first}")) else 0.0 for m in models]
    colours = _colours(evaluation)
    right.barh(range(len(models)), coverage, height=0.62, color=[colours[model] for model in models])
    for place, value in enumerate(coverage):
        right.text(value, place, f" {100 * value:.3g}%", va="center", fontsize=8)
    right.set_ylim(len(models) + 0.5, -0.5)
    right.set_yticks([])
    right.margins(x=0.25)
    for axes in (left, right):
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    right.set_title("share of the catalog shown to anyone", loc="left", fontsize=10)
    return png_bytes(figure)


def reliability_plot(calibration: Reliability) -> bytes:
    """Probabilities beside what came true, on logarithmic axes, since most of them are small."""
    figure = new_figure(5.5, 4.6)
    axes = figure.subplots()
    seen = [part for part in calibration.bins if part.observed > 0 and part.predicted > 0]
    if not seen:
        axes.text(0.5, 0.5, "nothing came true", ha="center", transform=axes.transAxes)
        return png_bytes(figure)
    x, y = np.array([part.predicted for part in seen]), np.array([part.observed for part in seen])
    error = np.array([(part.observed - part.low, part.high - part.observed) for part in seen]).T
    ends = [min(x.min(), y.min()) / 2, min(1.0, max(x.max(), y.max()) * 2)]
    axes.plot(ends, ends, color=_REFERENCE_COLOUR, lw=1, ls="--", zorder=0)
    axes.errorbar(x, y, yerr=np.maximum(error, 0), fmt="o", ms=5, lw=1.2, color=_COLOURS[0])
    axes.set(xscale="log", yscale="log", xlabel="mean p_click", ylabel="came true")
    title = f"expected calibration error {calibration.error:.5f}; dashed: what is right"
    axes.set_title(title, loc="left", fontsize=10)
    return png_bytes(figure)


def _bar(axes: "Axes", evaluation: Evaluation, model: str, metric: str, place: int) -> None:
    row = evaluation.row(model, metric)
    if row is None or row.low is None or row.high is None:
        return
    colour = _colours(evaluation)[model]
    error = [[max(row.value - row.low, 0)], [max(row.high - row.value, 0)]]
    axes.barh(place, row.value, height=0.62, color=colour, xerr=error, error_kw={"lw": 1, "capsize": 2})
    axes.annotate(
        f"{row.value:.4f}",
        (row.high, place),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},  # the dashed line stays behind
    )


def _colours(evaluation: Evaluation) -> dict[str, str]:
    others = [model for model in evaluation.models if model != evaluation.reference]
    colours = {model: _COLOURS[place % len(_COLOURS)] for place, model in enumerate(others)}
    return colours | {evaluation.reference: _REFERENCE_COLOUR}


def _cases(evaluation: Evaluation, metric: str, name: str) -> int:
    row = evaluation.row(evaluation.reference, metric, name)
    return row.cases if row else 0


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def png_bytes(figure: "Figure") -> bytes:
    """The figure as PNG, its axes in the reports' style."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.grid(axis="x", alpha=0.25)
        axes.set_axisbelow(True)
    content = io.BytesIO()
    # No software version inside: equal numbers give equal files.
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
