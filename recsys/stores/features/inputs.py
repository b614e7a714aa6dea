"""What the rows of a view depend on, by content: a home that was copied or moved has the same inputs."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from recsys import amounts, columns, features
from recsys.config import Settings
from recsys.dataset import cancellations, searches
from recsys.home import HomePaths
from recsys.instants import to_micros
from recsys.stores.lake.dataset_files import ITEM_VERSIONS_FILE, ITEMS_FILE
from recsys.stores.lake.day import merged_names
from recsys.stores.lake.event_lake import RETURNED_FOLDER
from recsys.stores.lake.item_log import VersionLog, item_log

EVENT_VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY, columns.USER_SEARCHES, columns.ITEM_ENGAGEMENT)
ITEM_VIEWS = (columns.ITEM_CONTENT, columns.ITEM_VECTORS, columns.ITEM_TEXT)
OF_IMPORTED_ITEMS = (columns.USER_ACTIVITY, *ITEM_VIEWS)  # the first for the categories
CODE = [Path(str(module.__file__)) for module in (columns, amounts, cancellations, searches)]
BEGINNING = 0

Inputs = Mapping[str, Any]


def view_inputs(settings: Settings, with_text: bool) -> dict[str, Inputs]:
    """View -> all that its rows depend on.

    A file of the lake never changes under its name, and no two have one name, so names and sizes tell lakes
    apart without reading them.
    """
    paths = settings.paths
    shared = {
        "code": _content([*sorted(Path(features.__file__).parent.glob("*.py")), *CODE]),
        "items": _content([paths.data / ITEMS_FILE, paths.data / ITEM_VERSIONS_FILE]),
        "log": item_log(paths).last_version(),
        "days": _days(paths),
    }
    text = settings.text.model_dump_json() if with_text else ""
    return {
        **dict.fromkeys((*EVENT_VIEWS, columns.ITEM_CONTENT, columns.ITEM_VECTORS), shared),
        columns.ITEM_TEXT: {**shared, "text": text},
    }


def fingerprint(inputs: Inputs) -> str:
    """Equal for equal inputs."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def changed_since(view: str, before: Inputs | None, after: Inputs, log: VersionLog) -> int | None:
    """The instant (microseconds) from which rows of `view` may differ, None = none does.

    Features at an instant depend on events up to it, so an event changes no row of an earlier day.

    Args:
        before: the inputs of the rows that were there; None where they are not known.
    """
    if before is None or any(before.get(name) != after.get(name) for name in ("code", "text")):
        return BEGINNING
    if view in OF_IMPORTED_ITEMS and before["items"] != after["items"]:
        return BEGINNING
    found: list[int] = []
    if view in ITEM_VIEWS and before["log"] != after["log"]:
        at = pc.min(log.read(after=before["log"])[columns.AT]).as_py()
        found.append(BEGINNING if at is None else to_micros(at))
    if view in EVENT_VIEWS:
        old, new = before["days"], after["days"]
        found += [_midnight(day) for day in {*old, *new} if old.get(day) != new.get(day)]
    return min(found, default=None)


def grown_days(view: str, before: Inputs | None, after: Inputs, paths: HomePaths) -> tuple[date, ...] | None:
    """The days that got events after rows of `view` were built; None where something else changed too.

    Files that a compaction merged are there still.

    Args:
        before: the inputs of the rows that were there; None where they are not known.
    """
    if before is None or any(before.get(name) != after.get(name) for name in ("code", "text")):
        return None
    if view in OF_IMPORTED_ITEMS and any(before[name] != after[name] for name in ("items", "log")):
        return None
    old, new = before["days"], after["days"]
    grown = [day for day in {*old, *new} if old.get(day) != new.get(day)]
    streamed = any(file.startswith("live/") for files in new.values() for file in files)
    for day in grown:
        there, now = (_names(days.get(day, ())) for days in (old, new))
        added = now - there
        # Imported events may be those of the stream, and what an import took back changes what was there.
        if any(name.startswith("returned/") or (streamed and name.startswith("imported/")) for name in added):
            return None
        if not there - now <= _merged(paths, day, added):
            return None
    return tuple(sorted(date.fromisoformat(day) for day in grown))


def _names(files: Iterable[str]) -> set[str]:
    return {file.rpartition(" ")[0] for file in files}


def _merged(paths: HomePaths, day: str, added: set[str]) -> set[str]:
    """The names of the files that a compaction merged into files `added` to a day."""
    roots, found = _roots(paths), set[str]()
    for name in added:
        lake, _, file = name.partition("/")
        found |= {f"{lake}/{merged}" for merged in merged_names(roots[lake] / f"day={day}" / file)}
    return found


def _midnight(day: str) -> int:
    return to_micros(datetime.combine(date.fromisoformat(day), time(0), UTC))


def _roots(paths: HomePaths) -> dict[str, Path]:
    return {"imported": paths.lake, "live": paths.live, "returned": paths.data / RETURNED_FOLDER}


def _days(paths: HomePaths) -> dict[str, list[str]]:
    """Day -> its files with their sizes: imported, live, and what the import took back."""
    seen: dict[str, list[str]] = {}
    for name, root in _roots(paths).items():
        for file in sorted(root.glob("day=*/*.parquet")):
            day = seen.setdefault(file.parent.name.removeprefix("day="), [])
            day.append(f"{name}/{file.name} {file.stat().st_size}")
    return dict(sorted(seen.items()))


def _content(files: list[Path]) -> str:
    seen = hashlib.sha256()
    for file in files:
        if file.exists():
            seen.update(f"{file.name} {file.stat().st_size}\n".encode())
            seen.update(file.read_bytes())
    return seen.hexdigest()
