"""A campaign's waterfall as a picture: from all requests down to those in which it was shown."""

from pathlib import Path

from recsys.ads.delivery.waterfall import Waterfall
from recsys.errors import RequestError
from recsys.evaluation.plots import new_figure, png_bytes
from recsys.jobs.ads.delivery.shown_report import ShownReport

_STAYS, _LOST, _WON = "#8c8c8c", "#d9d9d9", "#0072B2"  # Okabe and Ito's blue is what was shown
_LABELS = {
    "requests": "all requests",
    "running": "not running",
    "targets": "about something else",
    "quality": "quality too low",
    "floor": "below the reserve",
    "budget": "no budget left",
    "pacing": "paced",
    "cap": "seen often enough",
    "outbid": "outbid",
    "page": "not on the page",
    "won": "shown",
}


def draw_report(shown: ShownReport, file: Path) -> None:
    """Writes the waterfall of all days of a report as a PNG; raises RequestError where that cannot be."""
    title = f"{shown.campaign.name}, {min(shown.days)} to {max(shown.days)}"
    try:
        file.write_bytes(waterfall_picture(shown.total.waterfall, title))
    except OSError as error:
        raise RequestError(
            f"--picture {file} cannot be written: {error.strerror}. Name a file in a folder that is there."
        ) from error


def waterfall_picture(waterfall: Waterfall, title: str) -> bytes:
    """A PNG: a bar for each step, from what had not left before it to what was left after it."""
    figure = new_figure(8, 4)
    axes = figure.subplots()
    bars: list[tuple[str, int, int, str]] = [("requests", 0, waterfall.requests, _STAYS)]
    remaining = waterfall.requests
    for step, lost in waterfall.losses().items():
        remaining -= lost
        bars.append((step, remaining, lost, _LOST))
    bars.append(("won", 0, waterfall.won, _WON))
    for place, (_, start, width, colour) in enumerate(bars):
        axes.barh(place, width, left=start, color=colour, height=0.7)
        axes.text(start + width, place, f" {width:,}", va="center", ha="left", fontsize=8)
    axes.set_yticks(range(len(bars)), [_LABELS[step] for step, *_ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("requests", fontsize=8)
    return png_bytes(figure)
