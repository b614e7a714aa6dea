"""The files that an import read, so that the next refresh knows whether they are the same."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import save_text

SOURCES_FILE = "sources.json"


@dataclass(frozen=True)
class SourceFile:
    """One file; `name` is relative to the folder of the shop's files."""

    name: str
    size: int
    mtime_ns: int
    sha256: str


def describe_files(files: Sequence[Path], folder: Path) -> tuple[SourceFile, ...]:
    """What the files are like now, each once, by name.

    Raises:
        DataError: a file cannot be read.
    """
    found = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        status = _status(path)
        found[name] = SourceFile(name, *status, _sha256(path))
    return tuple(found[name] for name in sorted(found))


def save_sources(paths: HomePaths, files: Sequence[SourceFile]) -> None:
    """Writes data/sources.json, atomically."""
    save_text(paths.data / SOURCES_FILE, json.dumps([asdict(file) for file in files], indent=2) + "\n")


def load_sources(paths: HomePaths) -> tuple[SourceFile, ...] | None:
    """The files of the last import; None where an earlier version imported, which wrote none down."""
    try:
        return tuple(SourceFile(**row) for row in json.loads((paths.data / SOURCES_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def changed_files(before: Sequence[SourceFile], files: Sequence[Path], folder: Path) -> list[str]:
    """The names of files that are new, changed or gone since `before`.

    A file of the same name, size and time is the same; one of another time is if it has the same content.

    Raises:
        DataError: a file cannot be read.
    """
    known = {file.name: file for file in before}
    there = {path.relative_to(folder).as_posix(): path for path in files}
    changed = [name for name in known if name not in there]
    for name, path in there.items():
        file = known.get(name)
        if file is None:
            changed.append(name)
            continue
        size, mtime_ns = _status(path)
        if size != file.size or (mtime_ns != file.mtime_ns and _sha256(path) != file.sha256):
            changed.append(name)
    return sorted(changed)


def _status(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return status.st_size, status.st_mtime_ns


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror or error}. Give this account the right to.")
