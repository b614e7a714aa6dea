"""Which worker owns which partition: locks of the kernel, which a killed process loses at once.

Every worker that shares holds the lock of a file of its own, so that the others can count the living. The
n workers in the order of their names take every n-th partition; a partition's own lock decides, so that two
never own one, not even while they disagree about n.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import IO
from uuid import uuid4

from recsys.errors import ConfigError, StoreUnavailableError
from recsys.stores.locks import try_lock


class PartitionLocks:
    """The partitions of one worker.

    Attributes:
        owned: partitions whose locks this worker holds.
    """

    def __init__(self, folder: Path, count: int, pinned: Collection[int] = ()) -> None:
        """Joins the workers of `folder`.

        Args:
            count: of partitions, the catalog's included.
            pinned: these partitions and no others; they are not shared.

        Raises:
            ConfigError: a pinned partition does not exist.
        """
        wrong = [partition for partition in sorted(pinned) if not 0 <= partition < count]
        if wrong:
            raise ConfigError(f"there is no partition {wrong[0]}: they are 0 to {count - 1}. Pass others.")
        self._folder, self._count, self._pinned = folder, count, frozenset(pinned)
        self._files: dict[int, IO[bytes]] = {}
        self._name = ""
        self._member: IO[bytes] | None = None
        if not pinned:
            self._name, self._member = _join_workers(folder / "workers")

    @property
    def owned(self) -> frozenset[int]:
        """The partitions whose locks this worker holds."""
        return frozenset(self._files)

    def wanted(self) -> frozenset[int]:
        """The partitions that this worker should own among those that live now."""
        if self._pinned:
            return self._pinned
        names = sorted({self._name, *_living_workers(self._folder / "workers", self._name)})
        place = names.index(self._name)
        return frozenset(range(place, self._count, len(names)))

    def acquire(self, partitions: Collection[int]) -> None:
        """Takes those of `partitions` that no other worker owns."""
        for partition in sorted(set(partitions) - set(self._files)):
            file = _try_lock(self._folder / f"partition-{partition}.lock")
            if file is not None:
                self._files[partition] = file

    def release(self, partitions: Collection[int]) -> None:
        """Gives partitions back; what was read of them must be done."""
        for partition in partitions:
            self._files.pop(partition).close()

    def close(self) -> None:
        """Gives everything back and leaves the workers."""
        self.release(list(self._files))
        if self._member is not None:
            (self._folder / "workers" / self._name).unlink(missing_ok=True)
            self._member.close()
            self._member = None


def _join_workers(folder: Path) -> tuple[str, IO[bytes]]:
    """A locked file of one's own: its name, and the open file."""
    while True:
        name = f"{os.getpid()}-{uuid4().hex}.lock"
        file = _try_lock(folder / name)
        if file is not None:
            if (folder / name).exists():  # another worker may have taken the new file for a dead one's
                return name, file
            file.close()


def _try_lock(path: Path) -> IO[bytes] | None:
    """The open file with its lock, or None if another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return try_lock(path)
    except OSError as error:
        raise StoreUnavailableError(
            "stream state", f"lock {path} ({error.strerror})", 0.0, "Mend the rights of the folder."
        ) from error


def _living_workers(folder: Path, own: str) -> list[str]:
    """Names of the other workers that live; files of dead ones are removed."""
    living = []
    for path in folder.glob("*.lock"):
        if path.name == own:
            continue
        file = _try_lock(path)
        if file is None:
            living.append(path.name)
        else:
            path.unlink(missing_ok=True)
            file.close()
    return living
