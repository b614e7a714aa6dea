"""Rows of files as a mapping names their columns: filled down, split into lines, joined with other files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recsys.errors import ConfigError, did_you_mean
from recsys.ingest.mapping.row_sources import RowSource
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.batch import RawBatch
from recsys.ingest.readers.files import read_batches, with_lists, without_nulls
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
    if not isinstance(source, RowSource):
        return read_batches(source, folder, plan.read, limits)
    own = {
        name: mark for name, mark in source.lists.items() if name not in plan.lines or name == source.lines
    }
    cells = source.model_copy(update={"lists": own})
    batches = read_batches(cells, folder, plan.read, limits, source.lines)
    if source.fill_down:
        _reject_unread(source.fill_down.columns, plan.read)
        batches = filled_down(batches, source.fill_down)
    if source.lines:
        batches = _of_lines(exploded(batches, source.lines, plan.lines, source.optional), source, plan)
    return _joined(batches, joins) if joins else batches


def _of_lines(batches: Iterator[RawBatch], source: RowSource, plan: Plan) -> Iterator[RawBatch]:
    """`batches` with what the source says of cells done to the columns of lines too."""
    lists = {name: mark for name, mark in source.lists.items() if name in plan.lines and name != source.lines}
    for batch in batches:
        lines = with_lists(without_nulls(batch.table.select(plan.lines), source.nulls), lists)
        table = batch.table
        for name in plan.lines:
            table = table.set_column(table.column_names.index(name), name, lines[name])
        yield replace(batch, table=table)


def _reject_unread(columns: Sequence[str], read: Sequence[str]) -> None:
    for name in columns:
        if name not in read:
            hint = did_you_mean(name, read)
            raise ConfigError(
                f"`fill_down` names {name!r}, a column that the mapping does not read.{hint} "
                "Use the column in the mapping, or delete it from `fill_down`."
            )


def _joined(batches: Iterator[RawBatch], joins: Sequence[JoinedFile]) -> Iterator[RawBatch]:
    for batch in batches:
        for join in joins:
            batch = join.joined(batch)
        yield batch
