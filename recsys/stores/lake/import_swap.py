"""Putting a finished import in the place of the old data; the next process after a crash completes it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from recsys.errors import ConfigError, DataError
from recsys.home import HomePaths
from recsys.stores.locks import try_lock, wait_for_lock

READY = "import-ready"
_OLD = "import-old"
_LOCK = "import.lock"


@contextmanager
def import_lock(paths: HomePaths, wait: bool = False) -> Iterator[None]:
    """Holds the right to change a home's data; the kernel takes it back from a dead process.

    Raises:
        ConfigError: the home cannot be written.
        DataError: another process holds it, and `wait` is false.
    """
    try:
        paths.home.mkdir(parents=True, exist_ok=True)
        lock = paths.home / _LOCK
        file = wait_for_lock(lock) if wait else try_lock(lock)
    except OSError as error:
        raise ConfigError(
            f"home {paths.home} cannot be written: {error.strerror}. Set RECSYS_HOME to a folder that can."
        ) from error
    if file is None:
        raise DataError(f"another import into {paths.home} is running. Wait for it to end.")
    with file:
        yield


def finish_import(paths: HomePaths) -> None:
    """Moves the parts of a finished import into place, under `import_lock`; repeating it does no harm."""
    ready = HomePaths(paths.home / READY)
    if ready.home.exists():
        old = paths.home / f"{_OLD}-{uuid4().hex}"
        for part, place in ((ready.lake, paths.lake), (ready.data, paths.data)):
            if part.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.exists():
                    old.mkdir(exist_ok=True)
                    place.rename(old / place.name)
                part.rename(place)
        shutil.rmtree(ready.home)
    for folder in paths.home.glob(f"{_OLD}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def recover_import(paths: HomePaths) -> None:
    """Completes an import that was killed while its parts moved; costs a look at one name otherwise."""
    if (paths.home / READY).exists():
        with import_lock(paths, wait=True):
            finish_import(paths)
