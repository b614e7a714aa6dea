"""Learning curves: loss and metrics of each epoch, as JSON and as a picture."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

CURVES_FILE = "curves.json"
PICTURE_FILE = "curves.png"


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Attributes:
        number: from 1. loss: mean over its batches. learning_rate: at its end.
        seconds: of training, without validation.
        metrics: of the validation after it.
    """

    number: int
    loss: float
    learning_rate: float
    seconds: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Curves:
    """A training run by epoch.

    Attributes:
        monitor: the metric that chose the weights to keep, larger is better.
        best_epoch: the epoch whose weights were kept; 0 before the first.
    """

    title: str
    monitor: str
    epochs: tuple[Epoch, ...] = ()
    best_epoch: int = 0

    @property
    def best(self) -> float:
        """The best value of the monitored metric; -inf before the first epoch."""
        return self.epochs[self.best_epoch - 1].metrics[self.monitor] if self.best_epoch else float("-inf")

    def add(self, epoch: Epoch) -> "Curves":
        """These curves with one more epoch, which becomes the best if it is better than all before it."""
        better = not self.best_epoch or epoch.metrics[self.monitor] > self.best
        epochs = (*self.epochs, epoch)
        return Curves(self.title, self.monitor, epochs, epoch.number if better else self.best_epoch)

    def stale(self, patience: int) -> bool:
        """Whether the last `patience` epochs brought nothing better."""
        return len(self.epochs) - self.best_epoch >= patience

    def describe(self) -> dict[str, JsonValue]:
        """As JSON; `rebuild` reads it back."""
        return {
            "title": self.title,
            "monitor": self.monitor,
            "best_epoch": self.best_epoch,
            "epochs": [vars(epoch) | {"metrics": dict(epoch.metrics)} for epoch in self.epochs],
        }

    @classmethod
    def rebuild(cls, description: Mapping[str, Any]) -> "Curves":
        """The curves that `describe` wrote."""
        epochs = tuple(Epoch(**epoch) for epoch in description["epochs"])
        return cls(description["title"], description["monitor"], epochs, description["best_epoch"])

    def save(self, folder: Path) -> None:
        """Writes curves.json under `folder`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{CURVES_FILE}.partial"
        partial.write_text(json.dumps(self.describe(), indent=2) + "\n", "utf-8")
        os.replace(partial, folder / CURVES_FILE)

    def draw(self, folder: Path) -> Path | None:
        """Writes curves.png under `folder` and returns its path; None before the first epoch."""
        if not self.epochs:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        _draw(self, folder / PICTURE_FILE)
        return folder / PICTURE_FILE


def _draw(curves: Curves, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    # Figure and canvas by hand: pyplot keeps global state and may look for a display.
    figure = Figure(figsize=(9, 3.4), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    loss_axes, metric_axes = figure.subplots(1, 2)
    numbers = [epoch.number for epoch in curves.epochs]
    loss_axes.plot(numbers, [epoch.loss for epoch in curves.epochs], marker="o", ms=3, color="tab:blue")
    loss_axes.set_title(f"{curves.title}: training loss", fontsize=10, loc="left")
    for name in _drawn_metrics(curves):
        values = [epoch.metrics[name] for epoch in curves.epochs]
        metric_axes.plot(numbers, values, marker="o", ms=3, label=name)
    metric_axes.axvline(curves.best_epoch, color="0.6", lw=1, ls="--", label=f"kept: {curves.best_epoch}")
    metric_axes.set_title("validation", fontsize=10, loc="left")
    metric_axes.legend(fontsize=8, frameon=False)
    for axes in (loss_axes, metric_axes):
        axes.set_xlabel("epoch", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path)


def _drawn_metrics(curves: Curves, most: int = 5) -> Sequence[str]:
    """The monitored metric first, then others of the first epoch, at most `most` in all."""
    others = [name for name in curves.epochs[0].metrics if name != curves.monitor]
    return [curves.monitor, *others][:most]
