"""A home's files copied while it is in use: each kind in the way that gives a whole copy of it."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.stores.redis.client import open_url, redis_errors
from recsys.stores.redis.server import redis_url

APPEND_ONLY = "appendonlydir"  # in the folder of the embedded server
MANIFEST = "appendonly.aof.manifest"
REWRITE_SECONDS = 600.0  # that a rewrite of a large append-only file may take
REDIS_SECONDS = 5.0  # for an answer
_SQLITE = b"SQLite format 3\0"
_ATTEMPTS = 100
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")


def copy_append_only_files(settings: Settings, target: Path, running: bool) -> None:
    """Copies what the embedded server has on disk; it rewrites nothing by itself until that is done.

    A copy in which a rewrite ended that somebody else asked for is made again. A command that is only half
    there at the end of the copy is left out when a server reads it.

    Raises:
        StoreUnavailableError: the server does not answer, or the disk refuses.
    """
    source = settings.paths.redis / APPEND_ONLY
    if not source.is_dir():
        return
    with _without_rewrites(settings) if running else nullcontext(), _disk("copy", source):
        for _ in range(_ATTEMPTS - 1):
            if _copied_unchanged(source, target / APPEND_ONLY):
                return
            shutil.rmtree(target / APPEND_ONLY)
            time.sleep(0.05)
        shutil.copytree(source, target / APPEND_ONLY)


def _copied_unchanged(source: Path, target: Path) -> bool:
    """Copies `source`; whether its manifest, which names its files, is the same afterwards."""
    manifest = source / MANIFEST
    before = manifest.read_bytes()
    try:
        shutil.copytree(source, target)
    except shutil.Error as error:
        if all(Path(file).exists() for file, _, _ in error.args[0]):
            raise
        return False  # a rewrite removed what it replaced
    return manifest.read_bytes() == before


@contextmanager
def _without_rewrites(settings: Settings) -> Iterator[None]:
    """No rewrite of the append-only file is running or begins by itself inside of the block."""
    name = "auto-aof-rewrite-percentage"
    with open_url(redis_url(settings), REDIS_SECONDS) as client:
        with redis_errors("turn rewrites off", REDIS_SECONDS):
            before = client.config_get(name)[name]
            client.config_set(name, 0)
        try:
            with redis_errors("end a rewrite", REWRITE_SECONDS):
                end = time.monotonic() + REWRITE_SECONDS
                while _rewrites(client.info("persistence")):
                    if time.monotonic() > end:
                        raise StoreUnavailableError(
                            "redis", "end a rewrite of its append-only file", REWRITE_SECONDS, "Try again."
                        )
                    time.sleep(0.1)
            yield
        finally:
            with redis_errors("turn rewrites on", REDIS_SECONDS):
                client.config_set(name, before)


def _rewrites(info: dict[str, int]) -> bool:
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def copy_files(source: Path, target: Path, left_out: Callable[[Path], bool]) -> int:
    """Copies a folder whose files are replaced as a whole or not at all; returns how many files.

    A file may go while its folder is copied, because another one has taken its place: then that folder is
    copied again. SQLite databases are copied as of one instant. Hidden files and locks stay behind.

    Args:
        left_out: of the paths below `source`, which not to copy.

    Raises:
        StoreUnavailableError: the disk refuses, or a folder does not come to rest.
    """
    with _disk("copy", source):
        for _ in range(_ATTEMPTS):
            target.mkdir(parents=True, exist_ok=True)
            try:
                entries = [entry for entry in os.scandir(source) if not _is_passing(entry.name)]
                files = [Path(entry) for entry in entries if entry.is_file() and not left_out(Path(entry))]
                for file in files:
                    _copy_file(file, target / file.name)
                break
            except FileNotFoundError:
                shutil.rmtree(target)
        else:
            raise StoreUnavailableError(
                "disk", f"copy {source}, which changes all the time", 0.0, "Try again."
            )
        folders = [Path(entry) for entry in entries if entry.is_dir() and not left_out(Path(entry))]
        return len(files) + sum(copy_files(folder, target / folder.name, left_out) for folder in folders)


def _is_passing(name: str) -> bool:
    return name.startswith(".") or name.endswith((".lock", *_BESIDE_DATABASES))


def _copy_file(file: Path, target: Path) -> None:
    with file.open("rb") as opened:
        is_database = opened.read(len(_SQLITE)) == _SQLITE
    if is_database:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    else:
        shutil.copy2(file, target)


@contextmanager
def _disk(operation: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, shutil.Error, sqlite3.Error) as error:
        raise StoreUnavailableError(
            "disk", f"{operation} {path} ({error})", 0.0, "Free some space, or name another folder."
        ) from error
