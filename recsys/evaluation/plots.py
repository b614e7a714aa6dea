"""Pictures of an evaluation as PNG bytes, drawn without a display and without global state."""

import io
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.evaluation.compare import Evaluation
from recsys.evaluation.popularity_bias import TAKEN, group_shares
from recsys.evaluation.reliability import Reliability
from recsys.evaluation.tables import metric_name, shown_items

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is served has one strong colour in every picture, Okabe and Ito's blue. The others are greys of many
# shades, each with a marker of its own, so that nothing hangs on telling colours apart.
_SERVED_COLOUR = "#0072B2"
_OTHER_COLOURS = ("#8c8c8c", "#b3b3b3", "#737373", "#a1a1a1", "#c4c4c4", "#7f7f7f", "#adadad", "#969696")
_OTHER_MARKERS = ("s", "^", "v", "D", "P", "X", "<", ">", "*", "p")
_LINE_COLOUR = "#7f7f7f"  # of what is drawn to compare with
# Head, middle and cold items, the darker the more wanted.
_GROUP_COLOURS = ("#5c5c5c", "#a3a3a3", "#d9d9d9")
_SERVED_GROUP_COLOURS = ("#004a75", _SERVED_COLOUR, "#8cc6e6")
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
            axes.axvline(reference.value, color=_LINE_COLOUR, lw=1, ls="--", zorder=0)
        axes.set_title(metric_name(metric), loc="left", fontsize=10)
        axes.set_xlim(left=0)
        axes.margins(x=0.18)
    _name_rows(panels[0], models, evaluation.served)
    panels[0].invert_yaxis()
    figure.supxlabel(f"mean over cases, 95% bootstrap interval; dashed: {evaluation.reference}", fontsize=8)
    return png_bytes(figure)


def slices_plot(evaluation: Evaluation, metric: str, slices: Sequence[str], by: str) -> bytes:
    """`metric` of every model on each of `slices`; a dot with its 95% interval each."""
    models, colours, markers = evaluation.models, model_colours(evaluation), _markers(evaluation)
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
        served = model == evaluation.served
        axes.errorbar(
            values,
            heights,
            xerr=np.array(errors).T,
            fmt=markers[model],
            ms=6.5 if served else 4,
            lw=2 if served else 1,
            zorder=3 if served else 2,
            color=colours[model],
            label=model,
        )
    for edge in range(len(slices) - 1):
        axes.axhline(edge + 0.5, color="0.9", lw=0.8)
    labels = [f"{name}\n{_cases(evaluation, metric, name):,} cases" for name in slices]
    axes.set_yticks(range(len(slices)), labels)
    axes.set_ylim(len(slices) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_title(f"{metric_name(metric)} by {by}", loc="left", fontsize=10)
    legend = figure.legend(loc="outside lower center", ncols=min(len(models), 5), fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_fontweight("bold" if text.get_text() == evaluation.served else "normal")
    return png_bytes(figure)


def popularity_plot(evaluation: Evaluation) -> bytes:
    """What the lists are made of: head, middle, cold; and how much of the catalog they reach."""
    first, models = min(evaluation.cutoffs), evaluation.models
    shares = group_shares(shown_items(evaluation), evaluation.item_events)
    from matplotlib.ticker import PercentFormatter

    figure = new_figure(9, 1.5 + 0.36 * (len(models) + 1))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    start, served = np.zeros(len(models) + 1), models.index(evaluation.served)
    for place, (group, values) in enumerate(shares.items()):
        bars = left.barh(
            range(len(models) + 1), values, left=start, height=0.62, color=_GROUP_COLOURS[place], label=group
        )
        bars[served].set_color(_SERVED_GROUP_COLOURS[place])
        start += values
    _name_rows(left, [*models, TAKEN], evaluation.served)
    left.invert_yaxis()
    left.set_xlim(0, 1)
    left.set_title(f"share of the first {first} places", loc="left", fontsize=10)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8, frameon=False)
    coverage = [row.value if (row := evaluation.row(m, f"coverage@{first}")) else 0.0 for m in models]
    colours = model_colours(evaluation)
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
    axes.plot(ends, ends, color=_LINE_COLOUR, lw=1, ls="--", zorder=0)
    axes.errorbar(x, y, yerr=np.maximum(error, 0), fmt="o", ms=5, lw=1.2, color=_SERVED_COLOUR)
    axes.set(xscale="log", yscale="log", xlabel="mean p_click", ylabel="came true")
    title = f"expected calibration error {calibration.error:.5f}; dashed: what is right"
    axes.set_title(title, loc="left", fontsize=10)
    return png_bytes(figure)


def _bar(axes: "Axes", evaluation: Evaluation, model: str, metric: str, place: int) -> None:
    row = evaluation.row(model, metric)
    if row is None or row.low is None or row.high is None:
        return
    colour = model_colours(evaluation)[model]
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


def _name_rows(axes: "Axes", names: Sequence[str], served: str) -> None:
    """One tick a name, that of what is served in bold."""
    axes.set_yticks(range(len(names)), names)
    axes.get_yticklabels()[names.index(served)].set_fontweight("bold")


def model_colours(evaluation: Evaluation) -> dict[str, str]:
    """Model -> its colour in every picture."""
    others = [model for model in evaluation.models if model != evaluation.served]
    colours = dict(zip(others, cycle(_OTHER_COLOURS), strict=False))
    return colours | {evaluation.served: _SERVED_COLOUR}


def _markers(evaluation: Evaluation) -> dict[str, str]:
    others = [model for model in evaluation.models if model != evaluation.served]
    return dict(zip(others, cycle(_OTHER_MARKERS), strict=False)) | {evaluation.served: "o"}


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
    # The canvas draws once; `savefig` goes through everything another time to lay it out, and gives the same.
    # No software version inside: equal numbers give equal files.
    canvas: Any = figure.canvas  # has no types
    canvas.print_png(content, metadata={"Software": None})
    return content.getvalue()
