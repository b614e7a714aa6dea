"""The report of an evaluation of search: Markdown with a picture, and JSON for programs."""

import json
from collections.abc import Sequence
from pathlib import Path

from recsys import atomic
from recsys.errors import ArtifactError
from recsys.evaluation.plots import new_figure, png_bytes
from recsys.evaluation.rendering import markdown_table
from recsys.evaluation.search.compare import SearchEvaluation
from recsys.evaluation.search.tables import (
    difference_lines,
    half_sentence,
    headline_values,
    metric_label,
    row_label,
    search_headline,
    search_json,
    summary_rows,
)

_DEFAULT_COLOUR, _OTHER_COLOUR = "#0072B2", "#a3a3a3"  # as in the reports of recommendation
PICTURE = "search.png"


def write_search_report(
    evaluation: SearchEvaluation, folder: Path, *, title: str, notes: Sequence[str] = (), command: str = ""
) -> tuple[Path, ...]:
    """Writes search.md, search.json and search.png; returns their paths.

    Args:
        notes: what was decided on the way, a line each. command: what to type to get this report.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    document = {**search_json(evaluation), "notes": list(notes), "command": command}
    files = {
        "search.md": render_search_markdown(evaluation, title, notes, command).encode(),
        "search.json": (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(),
        PICTURE: search_plot(evaluation),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            atomic.write_bytes(folder / name, content)
    except OSError as error:
        raise ArtifactError(
            f"the report under {folder} failed: {error}. Check space and permissions."
        ) from error
    return tuple(folder / name for name in files)


def render_search_markdown(
    evaluation: SearchEvaluation, title: str, notes: Sequence[str] = (), command: str = ""
) -> str:
    """The report as Markdown; it refers to its picture by file name."""
    strong = row_label(evaluation, evaluation.default)
    parts = [f"# {title}", search_headline(evaluation)]
    if command:
        parts.append(f"Made by: `{command}`")
    parts += [f"- {note}" for note in notes]
    parts += ["## Rows", "In brackets: 95% bootstrap interval over queries."]
    parts += [markdown_table(summary_rows(evaluation), numbers=True, strong=strong), f"![rows]({PICTURE})"]
    if evaluation.beside_halves:
        parts.append("## The default beside the better of its halves")
        parts.append("Which half is better is seen on these very queries, which favours the half.")
        parts += [f"- {half_sentence(evaluation.default, part)}" for part in evaluation.beside_halves]
    if differences := difference_lines(evaluation):
        parts += ["## The default beside each row", "Paired: both rows on the same resampled queries."]
        parts.append(markdown_table(differences, numbers=True))
    return "\n\n".join(parts) + "\n"


def search_plot(evaluation: SearchEvaluation) -> bytes:
    """Recall and NDCG of every row with 95% intervals, as PNG; the default in colour."""
    metrics = evaluation.headline_metrics[:2]
    names = [row.name for row in evaluation.rows]
    figure = new_figure(9, 1.1 + 0.36 * len(names))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, metrics, strict=True):
        for name, value, low, high in headline_values(evaluation.rows, metric):
            error = [[max(value - low, 0)], [max(high - value, 0)]]
            colour = _DEFAULT_COLOUR if name == evaluation.default else _OTHER_COLOUR
            place = names.index(name)
            axes.barh(place, value, height=0.62, color=colour, xerr=error, error_kw={"lw": 1, "capsize": 2})
            axes.annotate(
                f"{value:.3f}", (high, place), (4, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_title(metric_label(metric), loc="left", fontsize=10)
        axes.set_xlim(left=0)
        axes.margins(x=0.18)
    panels[0].set_yticks(range(len(names)), [row_label(evaluation, name) for name in names])
    panels[0].invert_yaxis()
    figure.supxlabel("mean over queries, 95% bootstrap interval", fontsize=8)
    return png_bytes(figure)
