"""The report of a study: what was tried, how far it got and which settings mattered."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.errors import ArtifactError
from recsys.evaluation.plots import new_figure, png_bytes
from recsys.evaluation.report import Section, render_html, render_markdown
from recsys.evaluation.tables import Cell, TableRow
from recsys.training.tuning.records import StudyRecord, TrialRecord

HISTORY, IMPORTANCE = "history.png", "importance.png"
_SHOWN_TRIALS = 20


def trial_rows(study: StudyRecord) -> list[TableRow]:
    """One row a trial, complete ones by their score, then the others by number."""
    ordered = sorted(study.trials, key=lambda trial: (-(trial.score or 0.0), trial.number))
    names = list(dict.fromkeys(name for trial in ordered for name in trial.values))
    return [_row(study, trial, names) for trial in ordered]


def best_rows(study: StudyRecord, today: Mapping[str, Any]) -> list[TableRow]:
    """One row a setting that was tuned: its value `today`, that of the best trial, and its importance."""
    best = study.best
    return [
        {
            "setting": name,
            "today": today.get(name, "-"),
            "best": value,
            "importance": f"{study.importance[name]:.2f}" if name in study.importance else "-",
        }
        for name, value in (best.values.items() if best else ())
    ]


def write_tuning_report(
    study: StudyRecord, folder: Path, *, title: str, summary: str, today: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Writes report.html, report.md and their pictures; returns the paths.

    Args:
        today: what the tuned settings were without tuning.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    pictures = {HISTORY: history_plot(study)}
    if study.importance:
        pictures[IMPORTANCE] = importance_plot(study)
    parts = _sections(study, today)
    files = {
        **pictures,
        "report.md": render_markdown(title, summary, parts).encode(),
        "report.html": render_html(title, summary, parts, pictures).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_write(folder / name, content) for name, content in files.items())
    except OSError as error:
        raise ArtifactError(
            f"the report under {folder} failed: {error}. Check space and permissions."
        ) from error


def history_plot(study: StudyRecord) -> bytes:
    """Scores by trial and the best so far; a pruned trial stands at its last validation."""
    figure = new_figure(9, 3.6)
    axes = figure.subplots()
    complete = study.complete
    numbers, scores = [trial.number for trial in complete], [trial.score or 0.0 for trial in complete]
    axes.plot(numbers, scores, "o", ms=5, color="#0072B2", label="complete: score on evaluation cases")
    best: list[float] = []
    for score in scores:
        best.append(max(score, best[-1]) if best else score)
    axes.step(numbers, best, where="post", color="#D55E00", lw=1.4, label="best so far")
    pruned = [trial for trial in study.trials if trial.state == "pruned" and trial.epochs]
    if pruned:
        places = [trial.number for trial in pruned], [trial.epochs[-1] for trial in pruned]
        axes.plot(*places, "x", ms=5, color="0.5", label="pruned: its last validation")
    axes.set_xlabel("trial", fontsize=9)
    axes.set_title(study.metric.upper(), loc="left", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    return png_bytes(figure)


def importance_plot(study: StudyRecord) -> bytes:
    """How much of what moves the score each setting has."""
    names, shares = list(study.importance), list(study.importance.values())
    figure = new_figure(9, 1.2 + 0.32 * len(names))
    axes = figure.subplots()
    axes.barh(range(len(names)), shares, height=0.62, color="#0072B2")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_title("importance of settings (PED-ANOVA)", loc="left", fontsize=10)
    return png_bytes(figure)


def _sections(study: StudyRecord, today: Mapping[str, Any]) -> list[Section]:
    rows = trial_rows(study)[:_SHOWN_TRIALS]
    more = f" The first {_SHOWN_TRIALS} of {len(study.trials)}." if len(study.trials) > _SHOWN_TRIALS else ""
    parts: list[Section] = [
        ("Best settings", "", best_rows(study, today), []),
        ("History", "", [], [HISTORY]),
        ("Trials", f"The best first; a pruned trial has no score.{more}", rows, []),
    ]
    if study.importance:
        text = (
            "The share of each setting in what tells the best trials from the others, "
            "within the ranges tried. With few trials it means little."
        )
        importance = [{"setting": name, "share": f"{share:.3f}"} for name, share in study.importance.items()]
        parts.insert(2, ("Importance", text, importance, [IMPORTANCE]))
    return parts


def _row(study: StudyRecord, trial: TrialRecord, names: list[str]) -> TableRow:
    row: dict[str, Cell] = {
        "trial": trial.number,
        "state": trial.state,
        study.metric.upper(): "-" if trial.score is None else f"{trial.score:.4f}",
        "epochs": len(trial.epochs),
        "seconds": "-" if trial.seconds is None else f"{trial.seconds:.0f}",
    }
    return row | {name: _short(trial.values, name) for name in names}


def _short(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "-")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _write(path: Path, content: bytes) -> Path:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)
    return path
