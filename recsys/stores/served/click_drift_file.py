"""The last measurement of drift, in the home: services show it and call it a problem."""

import json
from pathlib import Path

from recsys import atomic
from recsys.errors import StoreUnavailableError
from recsys.health.facts import ClickDriftFacts, PlacePcoc


def write_click_drift(file: Path, facts: ClickDriftFacts) -> None:
    """Keeps `facts`, in place of those of before.

    Raises:
        StoreUnavailableError: the disk refuses.
    """
    places = [vars(place) for place in facts.places]
    try:
        atomic.write_text(file, json.dumps({"measured_at": facts.measured_at, "places": places}) + "\n")
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file} ({error})", 0.0) from error


def read_click_drift(file: Path) -> ClickDriftFacts | None:
    """What was measured last; None where nothing was, or it cannot be read."""
    try:
        found = json.loads(file.read_text("utf-8"))
        places = tuple(PlacePcoc(**place) for place in found["places"])
        return ClickDriftFacts(int(found["measured_at"]), places)
    except (OSError, ValueError, TypeError, KeyError):
        return None
