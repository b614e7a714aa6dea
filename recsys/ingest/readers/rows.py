"""The rows that a mapping's keys speak of: filled down, taken apart into lines, joined with other files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.ingest.mapping.row_sources import RowSource
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.readers.files import read_batches
from recsys.ingest.readers.fill_down import filled_down
from recsys.ingest.readers.joins import JoinedFile, read_joined
from recsys.ingest.readers.limits import DEFAULT_LIMITS, ReadLimits
from recsys.ingest.readers.lines import exploded


@dataclass(frozen=True)
class Plan:
    """From where each wanted column comes.

    Attributes:
        read: columns of the source's own files. lines: columns of the elements of a list.
        joined: columns of each joined file, by the name of the join, in the mapping's order.
    """

    read: tuple[str, ...]
    lines: tuple[str, ...]
    joined: dict[str, tuple[str, ...]]


def plan_columns(source: Source, wanted: Sequence[str]) -> Plan:
    """Where `wanted` comes from, with the keys that joins and groups need besides."""
    if not isinstance(source, RowSource):
        return Plan(tuple(dict.fromkeys(wanted)), (), {})
    joined: dict[str, list[str]] = {name: [] for name in source.join}
    names = [*wanted, *(join.on for join in source.join.values())]
    read, lines = [], []
    for name in dict.fromkeys(names):
        first, _, rest = name.partition(".")
        if first in joined and rest:
            joined[first].append(rest)
        elif source.lines and (name == source.lines or name.startswith(source.lines + ".")):
            lines.append(name)
        else:
            read.append(name)
    read += [source.lines] if source.lines else []
    read += [source.fill_down.by] if source.fill_down else []
    return Plan(tuple(dict.fromkeys(read)), tuple(lines), {name: tuple(c) for name, c in joined.items()})


def read_joins(
    source: Source, folder: Path, plan: Plan, limits: ReadLimits = DEFAULT_LIMITS
) -> list[JoinedFile]:
    """The joined files of `source`; raises as `read_joined`."""
    if not isinstance(source, RowSource):
        return []
    return [read_joined(name, join, folder, plan.joined[name], limits) for name, join in source.join.items()]


def read_rows(
    source: Source,
    folder: Path,
    plan: Plan,
    joins: Sequence[JoinedFile],
    limits: ReadLimits = DEFAULT_LIMITS,
) -> Iterator[RawBatch]:
    """All rows of `source` with the columns of `plan`; raises as `read_batches` and `exploded`."""
    batches = read_batches(source, folder, plan.read, limits)
    if not isinstance(source, RowSource):
        return batches
    if source.fill_down:
        batches = filled_down(batches, source.fill_down)
    if source.lines:
        batches = exploded(batches, source.lines, plan.lines, source.optional)
    return _joined(batches, joins) if joins else batches


def _joined(batches: Iterator[RawBatch], joins: Sequence[JoinedFile]) -> Iterator[RawBatch]:
    for batch in batches:
        for join in joins:
            batch = join.joined(batch)
        yield batch
