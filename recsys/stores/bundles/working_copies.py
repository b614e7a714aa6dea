"""A copy of an index for each process that changes it: the bundle's own files never change.

    <folder>/<pid>-<random>/       the files of the index; links where a link will do
    <folder>/<pid>-<random>.lock   locked as long as the process lives

Segments of an index are never written again, so that a link to one costs nothing and is safe; what the writer
replaces is copied. A process that ends, however, frees its lock, and the next one to come removes its folder.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from recsys.errors import ArtifactMismatchError
from recsys.stores.bundles.files import file_sha256
from recsys.stores.locks import try_lock

_LOCK = ".lock"
_REPLACED = frozenset({".json"})  # endings of files that an index writes anew


@dataclass(frozen=True)
class WorkingCopy:
    """A folder that belongs to this process until `close`, or its end.

    Attributes:
        path: the folder. linked: how many of its files are links to the bundle's.
    """

    path: Path
    linked: int
    lock: IO[bytes]

    def close(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        _lock_of(self.path).unlink(missing_ok=True)
        self.lock.close()

    def __enter__(self) -> "WorkingCopy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def working_copy(source: Path, digests: Mapping[str, str], folder: Path) -> WorkingCopy:
    """A copy of the files of `source` in a new folder below `folder`; those of dead processes are removed.

    Args:
        digests: name -> SHA-256 of each file that is copied, see `extra_folder`.
        folder: best on the file system of `source`: elsewhere the files are copied byte by byte.

    Raises:
        ArtifactMismatchError: a file is missing or not as it was written; the index is built anew then.
        OSError: the disk refuses.
    """
    for name, digest in digests.items():
        _check_digest(source / name, digest)
    folder.mkdir(parents=True, exist_ok=True)
    remove_dead_copies(folder)
    path, lock = _claimed(folder)
    try:
        path.mkdir()
        linked = sum(_link_or_copy(source / name, path / name) for name in digests)
    except BaseException:
        WorkingCopy(path, 0, lock).close()
        raise
    return WorkingCopy(path, linked, lock)


def remove_dead_copies(folder: Path) -> int:
    """Removes the working copies below `folder` whose processes are gone; returns how many."""
    removed = 0
    for path in sorted(folder.iterdir()):
        if not path.is_dir():
            if path.suffix == _LOCK and not path.with_suffix("").exists():
                _remove_if_free(path.with_suffix(""))
            continue
        removed += _remove_if_free(path)
    return removed


def _remove_if_free(path: Path) -> bool:
    lock = try_lock(_lock_of(path))
    if lock is None:
        return False
    with lock:
        shutil.rmtree(path, ignore_errors=True)
        _lock_of(path).unlink(missing_ok=True)
    return True


def _claimed(folder: Path) -> tuple[Path, IO[bytes]]:
    """A name in `folder` that nobody has, and its lock."""
    while True:
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        lock = try_lock(_lock_of(path))
        if lock is None:
            continue
        with suppress(FileNotFoundError):  # somebody took it for a dead one's before it was locked
            if os.fstat(lock.fileno()).st_ino == _lock_of(path).stat().st_ino:
                return path, lock
        lock.close()


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + _LOCK)


def _link_or_copy(source: Path, target: Path) -> bool:
    """Whether `target` is now a link to the content of `source`; else a copy of it."""
    if source.suffix not in _REPLACED:
        with suppress(OSError):  # another file system, or one without links
            os.link(source, target)
            return True
    shutil.copyfile(source, target)
    return False


def _check_digest(file: Path, digest: str) -> None:
    try:
        found = file_sha256(file)
    except OSError as error:
        raise ArtifactMismatchError(f"{file} cannot be read: {error}. Copy the bundle again.") from error
    if found != digest:
        raise ArtifactMismatchError(
            f"{file} was changed since it was written: SHA-256 {found}, not {digest}. "
            "The index is built anew from the catalog of its bundle."
        )
