"""Compaction of a home's event lakes, with what it did."""

from dataclasses import asdict, dataclass
from pathlib import Path

from recsys.documents import JsonObject
from recsys.home import HomePaths
from recsys.progress import Progress, silent
from recsys.stores.lake.event_lake import EventLake


@dataclass(frozen=True)
class Compaction:
    """What one compaction did; `merged` files were replaced by one a day, `megabytes` are on disk now."""

    lake: str
    days: int
    files_before: int
    merged: int
    files: int
    megabytes: float

    def to_json(self) -> JsonObject:
        """One row of what `recsys data compact` prints."""
        return asdict(self)


def compact_lakes(paths: HomePaths, progress: Progress = silent) -> list[Compaction]:
    """Merges the files of each day, of imported and of live events.

    Raises:
        StoreUnavailableError: the disk refused; nothing is lost.
    """
    done = []
    for name, root in (("imported", paths.lake), ("live", paths.live)):
        with progress(f"compact {name} events", None):
            done.append(_compact(name, root))
    return done


def _compact(name: str, root: Path) -> Compaction:
    lake, before = EventLake(root), len(_files(root))
    merged = lake.compact()
    files = _files(root)
    size = sum(file.stat().st_size for file in files if file.exists())  # another process may compact too
    return Compaction(name, len(lake.days()), before, merged, len(files), round(size / 1e6, 3))


def _files(root: Path) -> list[Path]:
    return sorted(root.glob("day=*/*.parquet"))
