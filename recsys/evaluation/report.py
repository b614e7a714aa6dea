"""The report of an evaluation: Markdown for a repository, one HTML file for a browser, JSON for programs."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from recsys import atomic
from recsys.errors import ArtifactError
from recsys.evaluation.compare import VALIDATION_CHOOSES, Evaluation
from recsys.evaluation.plots import accuracy_plot, popularity_plot, reliability_plot, slices_plot
from recsys.evaluation.reliability import Reliability
from recsys.evaluation.rendering import render
from recsys.evaluation.seeds import SeedStatistics, seed_rows
from recsys.evaluation.tables import (
    TableRow,
    calibration_rows,
    difference_rows,
    evaluation_headline,
    evaluation_json,
    kind_rows,
    metric_name,
    shown_rows,
    slice_groups,
    slice_rows,
    table_rows,
)
from recsys.evaluation.verdict import Verdict

__all__ = ["render_html", "render_markdown", "report_sections", "table_rows", "write_report"]

# A section is a heading, a line to explain it, its table and the names of its pictures.
Section = tuple[str, str, Sequence[TableRow], Sequence[str]]

# Of slices: what they are by, and what there is to say.
_GROUPS = {
    "slices": (
        "slice",
        "A slice has some of the targets only. Cold: at most 5 training events. Head: the most wanted "
        "items that take half of the training events. Repeat: the user had the item before.",
    ),
    "history": ("length of history", "By how many actions the user had before the case."),
    "categories": ("category", "The categories with most targets."),
}


def write_report(
    evaluation: Evaluation,
    folder: Path,
    *,
    title: str,
    learning_curves: Sequence[Path] = (),
    seeds: Sequence[SeedStatistics] = (),
    command: str = "",
) -> tuple[Path, ...]:
    """Writes report.html, report.md, its pictures, table.json and evaluation.json; returns their paths.

    Args:
        learning_curves: PNG files of the training, shown at the end.
        seeds: the served model's metrics over several seeds, if it was trained with several.
        command: what to type to get this report.

    Raises:
        ArtifactError: the folder cannot be written, or a picture cannot be read.
    """
    pictures = _pictures(evaluation)
    summary = evaluation_headline(evaluation) + (f" Made by: {command}" if command else "")
    verdict = evaluation.verdict
    try:
        curves = {f"curves-{place}.png": path.read_bytes() for place, path in enumerate(learning_curves, 1)}
        parts = report_sections(evaluation, tuple(curves), seeds)
        files = {
            **pictures,
            **curves,
            "report.md": render_markdown(title, summary, parts, verdict, evaluation.served).encode(),
            "report.html": render_html(
                title, summary, parts, pictures | curves, verdict, evaluation.served
            ).encode(),
            "evaluation.json": _json(evaluation_json(evaluation) | {"seeds": [asdict(row) for row in seeds]}),
            "table.json": _json(table_rows(evaluation)),
        }
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_write(folder / name, content) for name, content in files.items())
    except OSError as error:
        raise ArtifactError(
            f"the report under {folder} failed: {error}. Check space and permissions."
        ) from error


def report_sections(
    evaluation: Evaluation, learning_curves: Sequence[str] = (), seeds: Sequence[SeedStatistics] = ()
) -> list[Section]:
    """What the report says, in order."""
    first = min(evaluation.cutoffs)
    apart = (
        f" The row '{VALIDATION_CHOOSES}' was not fitted to validation events, as in published results."
        if VALIDATION_CHOOSES in evaluation.models
        else ""
    )
    parts: list[Section] = [
        (
            "All cases",
            "In brackets: 95% bootstrap interval over cases. Coverage is the share of the catalog that the "
            f"first {first} places show to anyone; novelty is the mean of -log2 of an item's share of "
            "training events, in bits; popularity bias: see below; seconds are for ranking all cases, "
            "a bundle's search for candidates not counted." + apart,
            table_rows(evaluation),
            ["accuracy.png"],
        )
    ]
    if differences := difference_rows(evaluation):
        text = (
            f"Differences from {evaluation.reference} on the same cases, resampled together. "
            "An interval that holds 0 tells nothing apart."
        )
        parts.append((f"Beside {evaluation.reference}", text, differences, []))
    if seeds:
        text = f"{evaluation.served}, trained {len(seeds[0].values)} times: mean and standard deviation."
        parts.append(("Over seeds", text, seed_rows(seeds), []))
    parts += _slice_sections(evaluation)
    text = (
        f"The first {first} places, and what people took. An item's percentile is the share of the catalog "
        "with fewer training events; bias is how much more popular what is shown is than what people took."
    )
    parts.append(("What is shown", text, shown_rows(evaluation), ["popularity.png"]))
    if evaluation.kinds:
        text = (
            "Each kind of request beside the baseline that is best for it. The order was chosen in training, "
            "on held-back requests. A kind loses where the whole interval lies below 0."
        )
        parts.append(("By kind of request", text, kind_rows(evaluation), []))
    parts += calibration_sections(evaluation.served, evaluation.calibration)
    if not evaluation.calibration and evaluation.no_ranker:
        text = f"There is no ranker, so nothing says how probable a click is: {evaluation.no_ranker}."
        parts.append(("Without probabilities", text, [], []))
    if learning_curves:
        parts.append(("Training", "", [], learning_curves))
    return parts


def _slice_sections(evaluation: Evaluation) -> list[Section]:
    first, last = min(evaluation.cutoffs), max(evaluation.cutoffs)
    parts: list[Section] = []
    for group, names in slice_groups(evaluation).items():
        by, text = _GROUPS[group]
        rows = slice_rows(evaluation, f"ndcg@{first}", names)
        parts.append((f"{metric_name(f'ndcg@{first}')} by {by}", text, rows, [f"{group}.png"]))
        if group == "slices":
            rows = slice_rows(evaluation, f"hr@{last}", names)
            parts.append((f"{metric_name(f'hr@{last}')} by {by}", "", rows, []))
    return parts


def calibration_sections(model: str, kinds: Mapping[str, Reliability]) -> list[Section]:
    """One section a kind of request; a kind "" stands for all of them."""
    return [_calibration_section(model, kind, found) for kind, found in kinds.items()]


def _calibration_section(model: str, kind: str, found: Reliability) -> Section:
    text = (
        f"p_click of {model} for {found.candidates:,} candidates of the test cases, beside how many "
        f"came true: {found.predicted:.5f} was predicted and {found.observed:.5f} came true on average. "
        f"Expected calibration error {found.error:.5f}, log loss {found.log_loss:.5f}, AUC {found.auc:.4f}. "
        "Bins hold about as many candidates each."
    )
    heading = f"Are probabilities right, {kind}?" if kind else "Are probabilities right?"
    return (heading, text, calibration_rows(found), [_reliability_file(kind)])


def _reliability_file(kind: str) -> str:
    return f"reliability-{kind.replace(' ', '-')}.png" if kind else "reliability.png"


def _pictures(evaluation: Evaluation) -> dict[str, bytes]:
    """File name -> PNG."""
    metric = f"ndcg@{min(evaluation.cutoffs)}"
    pictures = {"accuracy.png": accuracy_plot(evaluation)}
    for group, names in slice_groups(evaluation).items():
        pictures[f"{group}.png"] = slices_plot(evaluation, metric, names, _GROUPS[group][0])
    pictures["popularity.png"] = popularity_plot(evaluation)
    for kind, found in evaluation.calibration.items():
        pictures[_reliability_file(kind)] = reliability_plot(found)
    return pictures


def render_markdown(
    title: str,
    summary: str,
    parts: Sequence[Section],
    verdict: Verdict | None = None,
    served: str | None = None,
) -> str:
    """The report as Markdown that refers to its pictures by file name; what is of `served` is bold."""
    return render("report.md", title=title, summary=summary, sections=parts, verdict=verdict, served=served)


def render_html(
    title: str,
    summary: str,
    parts: Sequence[Section],
    pictures: Mapping[str, bytes],
    verdict: Verdict | None = None,
    served: str | None = None,
) -> str:
    """The report as one HTML file with its pictures inside; what is of `served` stands out."""
    images = {name: base64.b64encode(content).decode("ascii") for name, content in pictures.items()}
    return render(
        "report.html",
        title=title,
        summary=summary,
        sections=parts,
        images=images,
        verdict=verdict,
        served=served,
    )


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _write(path: Path, content: bytes) -> Path:
    """Writes the file whole or not at all."""
    atomic.write_bytes(path, content)
    return path
