"""Reads the ad log back, and says what it lacks: no slot is passed over in silence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from recsys.ads.delivery.served_slot import ServedSlot
from recsys.errors import DataError
from recsys.stores.served.ad_log_index import INDEX, LogIndex, day_of, read_index
from recsys.stores.served.ad_log_lines import slots_of_line

GapKind = Literal["removed", "missing", "damaged", "unfinished"]
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class AdLogGap:
    """Something that the log lacks or that cannot be read.

    Attributes:
        kind: `removed` by the setting of days; `missing`: the file is gone; `damaged`: lines that cannot be
            read; `unfinished`: a last line that a killed process left, or a running one is about to end.
        file: its name.
        since, until: slots served in [since, until) may lack; None = at any time.
        lines: how many cannot be read; 0 where the whole file is gone.
    """

    kind: GapKind
    file: str
    since: datetime | None
    until: datetime | None
    lines: int = 0

    @property
    def loses_slots(self) -> bool:
        """Whether slots that were shown may lack: the answer of an unfinished line never left."""
        return self.kind != "unfinished"

    def __str__(self) -> str:
        if self.since is None or self.until is None:
            return f"{self.file} is gone, so that nobody knows which files the log has had"
        what = {
            "removed": "was removed after `ads.log_days`",
            "missing": "is gone",
            "damaged": f"has {self.lines} lines that cannot be read",
            "unfinished": "ends within a line, whose answer never left",
        }[self.kind]
        return f"{self.file} {what}: slots from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"


def read_ad_log(
    folder: Path, since: datetime, until: datetime, on_gap: Callable[[AdLogGap], None]
) -> Iterator[ServedSlot]:
    """The slots served in [since, until), ghosts too: by day, process and order of writing.

    Args:
        since, until: aware.
        on_gap: called with each thing that the log lacks of that time, at the latest when the iterator ends.

    Raises:
        DataError: a file cannot be read.
    """
    try:
        index = read_index(folder)
        for gap in _gone(index, since, until):
            on_gap(gap)
        for name in sorted(index.there):
            if _reaches(name, since, until):
                for slot in _read_file(folder / name, on_gap):
                    if since <= slot.served_at < until:
                        yield slot
    except OSError as error:
        raise DataError(
            f"{error.filename or folder} cannot be read: {error.strerror}. Give this account the right to."
        ) from error


def ad_log_gaps(folder: Path, since: datetime, until: datetime) -> tuple[AdLogGap, ...]:
    """All that the log lacks of [since, until); every file of that time is read.

    Raises:
        DataError: a file cannot be read.
    """
    gaps: list[AdLogGap] = []
    for _ in read_ad_log(folder, since, until, gaps.append):
        pass
    return tuple(gaps)


def _gone(index: LogIndex, since: datetime, until: datetime) -> Iterator[AdLogGap]:
    if not index.whole:
        yield AdLogGap("missing", INDEX, None, None)
    kinds: tuple[tuple[GapKind, frozenset[str]], ...] = (
        ("removed", index.removed - index.there),
        ("missing", index.lost),
    )
    for kind, names in kinds:
        for name in sorted(names):
            if _reaches(name, since, until):
                yield _gap(kind, name)


def _read_file(path: Path, on_gap: Callable[[AdLogGap], None]) -> Iterator[ServedSlot]:
    damaged = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    on_gap(_gap("unfinished", path.name, 1))
                    break
                try:
                    slots = slots_of_line(line[:-1])
                except (ValueError, TypeError, KeyError, AttributeError):
                    damaged += 1
                    continue
                yield from slots
    except FileNotFoundError:  # removed since we looked
        removed = path.name in read_index(path.parent).removed
        on_gap(_gap("removed" if removed else "missing", path.name))
    if damaged:
        on_gap(_gap("damaged", path.name, damaged))


def _span(name: str) -> tuple[datetime, datetime] | None:
    """When slots of the file were served; None where the name is not one of the log's."""
    day = day_of(name)
    return None if day is None else (day, day + _DAY)


def _reaches(name: str, since: datetime, until: datetime) -> bool:
    span = _span(name)
    return span is not None and span[0] < until and since < span[1]


def _gap(kind: GapKind, name: str, lines: int = 0) -> AdLogGap:
    since, until = _span(name) or (None, None)
    return AdLogGap(kind, name, since, until, lines)
