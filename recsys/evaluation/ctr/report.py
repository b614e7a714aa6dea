"""The report of click models: Markdown and one HTML file with a reliability diagram, and JSON."""

import json
from pathlib import Path

from recsys import atomic
from recsys.errors import ArtifactError
from recsys.evaluation.ctr.comparison import ClickComparison
from recsys.evaluation.plots import reliability_plot
from recsys.evaluation.report import Section, calibration_sections, render_html, render_markdown

PICTURE = "reliability.png"


def write_click_report(
    comparison: ClickComparison, folder: Path, *, title: str, summary: str
) -> tuple[Path, ...]:
    """Writes clicks.html, clicks.md, clicks.json and reliability.png; returns their paths.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    pictures = {PICTURE: reliability_plot(comparison.reliability)}
    parts, served = report_sections(comparison), comparison.served
    files = {
        **pictures,
        "clicks.md": render_markdown(title, summary, parts, served=served).encode(),
        "clicks.html": render_html(title, summary, parts, pictures, served=served).encode(),
        "clicks.json": (json.dumps(comparison.to_json(), indent=2, ensure_ascii=False) + "\n").encode(),
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


def report_sections(comparison: ClickComparison) -> list[Section]:
    """What the report says, in order."""
    parts: list[Section] = [
        (
            "All impressions",
            "In brackets: 95% interval over resampled users. gAUC: each user's AUC, weighted by impressions. "
            "PCOC: expected clicks over clicks, 1 is right. ECE lies above 0 by chance.",
            comparison.rows,
            [],
        )
    ]
    if comparison.differences:
        text = "On the same resampled users. Less log loss is better."
        parts.append(("Differences", text, comparison.difference_rows, []))
    parts += calibration_sections(comparison.served, {"": comparison.reliability})
    parts.append(("Slices", f"{comparison.served}, where there are enough.", comparison.slice_rows, []))
    if comparison.purchases:
        text = "Expected purchases after clicks beside those that came; of young clicks some may yet come."
        parts.append(("Purchases by age of the click", text, comparison.purchase_rows, []))
    return parts
