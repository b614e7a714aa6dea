"""Which files the ad log has had: each is noted before its first line, and again before it is removed.

So a reader knows a file that is gone, and whether the setting of days took it or somebody else.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from recsys.atomic import flush
from recsys.stores.locks import wait_for_lock

INDEX = "ads-index.jsonl"
_LOCK = "ads-index.lock"
_NAME = re.compile(r"ads-(\d{8})-([0-9a-f]{16})-(\d{4,9})\.jsonl")
_OPENED, _REMOVED = "opened", "removed"


def file_name(day: datetime, process: str, part: int) -> str:
    """The name of a file of the log: its day in UTC, 16 hexadecimal digits of its process, and its part."""
    return f"ads-{day.astimezone(UTC):%Y%m%d}-{process}-{part:04d}.jsonl"


def day_of(name: str) -> datetime | None:
    """Midnight (UTC) of the day of a file with that name; None where it is no file of the log."""
    found = _NAME.fullmatch(name)
    with suppress(ValueError):  # 20261399
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC) if found else None
    return None


@dataclass(frozen=True)
class LogIndex:
    """Names of files.

    Attributes:
        there: that lie in the folder. opened: that were ever noted. removed: that the setting of days took.
        whole: whether the index is there, or no file has a line.
    """

    there: frozenset[str]
    opened: frozenset[str]
    removed: frozenset[str]
    whole: bool

    @property
    def lost(self) -> frozenset[str]:
        """Files that were noted and are gone, and the setting did not take them."""
        return self.opened - self.there - self.removed


def read_index(folder: Path) -> LogIndex:
    """What was noted in `folder`, and what is there of it.

    A note that was cut short is none: its file has no line yet, or was not removed yet.

    Raises:
        OSError: the folder or the index cannot be read.
    """
    there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    noted: dict[str, set[str]] = {_OPENED: set(), _REMOVED: set()}
    content = (folder / INDEX).read_bytes() if INDEX in there else b""
    for line in content.splitlines():
        with suppress(ValueError, AttributeError, KeyError, TypeError):
            for kind, name in orjson.loads(line).items():
                noted[kind].add(name)
    files = frozenset(name for name in there if day_of(name) is not None)
    whole = INDEX in there or not any((folder / name).stat().st_size for name in files)
    return LogIndex(files, frozenset(noted[_OPENED]), frozenset(noted[_REMOVED]), whole)


def open_file(folder: Path, name: str) -> int:
    """The descriptor of a new file of the log, to append to; it is noted, on the disk.

    Raises:
        OSError: there is such a file, or the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        flush(folder)
        _note(folder, _OPENED, (name,))
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            (folder / name).unlink()
        raise
    return descriptor


def remove_old_files(folder: Path, before: datetime) -> tuple[str, ...]:
    """Removes the files of days that ended by `before`, and returns their names; each is noted first.

    Raises:
        OSError: the disk refuses.
    """
    index = read_index(folder)
    days = {name: day_of(name) for name in index.there}
    old = sorted(name for name, day in days.items() if day and day + timedelta(days=1) <= before)
    if old:
        _note(folder, _REMOVED, tuple(name for name in old if name not in index.removed))
        for name in old:
            (folder / name).unlink(missing_ok=True)
    return tuple(old)


def _note(folder: Path, kind: str, names: tuple[str, ...]) -> None:
    """Writes lines to the end of the index; returns when they are on the disk."""
    lines = b"".join(orjson.dumps({kind: name}) + b"\n" for name in names)
    with wait_for_lock(folder / _LOCK):
        new = not (folder / INDEX).exists()
        with (folder / INDEX).open("ab") as file:
            # A note that was cut short ends with the line feed of this one.
            file.write(b"\n" + lines)
        flush(folder / INDEX)
        if new:
            flush(folder)
