"""Reading a shop's files for an import: ahead of the work, with a progress bar, or only their first rows."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from recsys.ingest.background import prefetch
from recsys.ingest.mapping.catalog_sources import ItemSource, UserSource
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch, concat_batches
from recsys.ingest.raw.distinct import distinct_rows
from recsys.ingest.readers.files import file_columns
from recsys.ingest.readers.joins import JoinedFile
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits
from recsys.ingest.readers.rows import plan_columns, read_joins, read_rows
from recsys.progress import Progress, silent


@dataclass
class FirstRows:
    """Says how many rows of events to read, and keeps what was read.

    Attributes:
        most: rows of each table of events.
        seen: the batches of each table of events; the first batch of a catalog, which is read as a whole.
        unused: columns of the first file of each table that the mapping does not read.
    """

    most: int
    seen: dict[str, list[RawBatch]] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=dict)

    def note_columns(self, name: str, there: Sequence[str], read: Sequence[str]) -> None:
        """The files of the table `name` have the columns `there`, of which `read` are read."""
        unused = [
            each for each in there if not any(one == each or one.startswith(f"{each}.") for one in read)
        ]
        known = self.unused.setdefault(name, [])
        known += [each for each in unused if each not in known]


class ShopReader:
    """Reads the sources of one shop.

    Args:
        joined: told of each file that is joined to a source, before the source's first row.
        first: read no more than this, and remember it.
    """

    def __init__(
        self,
        folder: Path,
        joined: Callable[[JoinedFile], None],
        limits: ReadLimits = DEFAULT_LIMITS,
        progress: Progress = silent,
        first: FirstRows | None = None,
    ) -> None:
        self._folder = folder
        self._joined = joined
        self._limits = limits
        self._progress = progress
        self._first = first
        self.files: dict[str, int] = {}  # a number for each file that batches came from

    def batches(self, source: Source, wanted: Sequence[str], name: str) -> Iterator[RawBatch]:
        """Raw batches with the columns `wanted`; `name` is what a progress bar calls them.

        Raises:
            SchemaMismatchError: a column is missing.
            DataError: a file is missing, damaged or too large.
        """
        plan = plan_columns(source, wanted)
        with self._progress(f"reading {name}", None) as advance:
            joins = read_joins(source, self._folder, plan, self._limits)
            for join in joins:
                self._joined(join)
            if self._first:
                there = file_columns(source, self._folder, self._limits)
                self._first.note_columns(name, there, plan.read)
            left = self._first.most if self._first and name == "events" else None
            for batch in prefetch(read_rows(source, self._folder, plan, joins, self._limits)):
                if left is not None:
                    batch = first_rows(batch, left)
                    left -= len(batch.table)
                if self._first and (name == "events" or name not in self._first.seen):
                    self._first.seen.setdefault(name, []).append(batch)
                self.files.setdefault(batch.files[0][0], len(self.files))
                yield batch
                advance(batch.seen)
                if left is not None and left <= 0:
                    return

    def table(
        self, source: ItemSource | UserSource, wanted: list[str], name: str
    ) -> tuple[RawBatch, Counter[str]]:
        """All of `batches` in one, and how many rows of each file only repeat others; raises as `batches`."""
        kept: Literal["first", "last"] = "first" if source.rows == "first" else "last"
        repeated: Counter[str] = Counter()
        batches = []
        for batch in self.batches(source, wanted, name):
            batch, more = distinct_rows(replace(batch, table=batch.table.select(wanted)), source.id, kept)
            repeated.update(more)
            batches.append(batch)
        batch, more = distinct_rows(concat_batches(batches, wanted), source.id, kept)
        repeated.update(more)
        return batch, repeated


def first_rows(batch: RawBatch, count: int) -> RawBatch:
    """The first `count` rows of `batch`, with the rows between them that are none."""
    if len(batch.table) <= count:
        return batch
    last = int(batch.rows[count - 1]) if count else 0
    malformed = tuple(bad for bad in batch.malformed if bad.row <= last)
    files = tuple((file, start) for file, start in batch.files if start < max(count, 1))
    return RawBatch(batch.table.slice(0, count), files, batch.rows[:count], malformed)
