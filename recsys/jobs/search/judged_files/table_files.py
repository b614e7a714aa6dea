"""Any table of a user as named columns of texts with row numbers: CSV, TSV, Parquet, JSON Lines, packed or
not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import DataError, SchemaMismatchError, did_you_mean
from recsys.ingest.mapping.sources import Source
from recsys.ingest.raw.cells import as_text
from recsys.ingest.readers.files import file_columns, read_batches

DELIMITERS = ("\t", ";", "|")


@dataclass(frozen=True)
class TableRows:
    """The rows of one file.

    Attributes:
        file: its name. columns: field -> texts, None where a cell is empty; fields that the file lacks are
            not there. rows: row numbers as an editor counts them, header included.
    """

    file: str
    columns: Mapping[str, Sequence[str | None]]
    rows: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, place: int) -> str:
        """`file, row n` for a message."""
        return f"{self.file}, row {self.rows[place]}"


def read_table(
    path: Path,
    fields: Mapping[str, Sequence[str]],
    needed: Iterable[Sequence[str]],
    given: Mapping[str, str],
    others: bool = False,
) -> TableRows:
    """The columns of `path` that hold the fields.

    Args:
        fields: field -> names of columns that may hold it, the likeliest first, in lower case.
        needed: groups of fields, of each of which the file must have one.
        given: field -> the name of its column, where somebody said so.
        others: take all other columns too, each under its own name.

    Raises:
        DataError: the file is missing or damaged, or a row does not split into columns.
        SchemaMismatchError: it lacks a column.
        ConfigError: a given field is unknown.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file. Name a CSV, TSV, Parquet or JSON Lines file, packed or not.")
    source = _source_of(path)
    present = file_columns(source, path.parent)
    columns = _found_columns(path.name, present, fields, given)
    for group in needed:
        if not any(field in columns for field in group):
            raise _lacking(path.name, group, fields, present)
    if others:
        columns |= {name: name for name in present if name not in (*columns.values(), *columns)}
    texts: dict[str, list[str | None]] = {field: [] for field in columns}
    rows: list[int] = []
    for batch in read_batches(source, path.parent, list(columns.values())):
        if batch.malformed:
            bad = batch.malformed[0]
            raise DataError(
                f"{bad.file}, row {bad.row}: {bad.detail} ({bad.text[:80]!r}). Mend or delete it."
            )
        for field, name in columns.items():
            texts[field] += as_text(batch.table[name]).to_pylist()
        rows += batch.rows.tolist()
    return TableRows(path.name, texts, rows)


def _source_of(path: Path) -> Source:
    """How to read the file; a .csv that has tabs or semicolons between its columns is read by them."""
    source = Source(files=(path.name,), optional=())
    names = file_columns(source, path.parent)
    if len(names) == 1:
        for delimiter in DELIMITERS:
            if delimiter in names[0]:
                return Source(files=(path.name,), delimiter=delimiter, quote='"')
    return source


def _found_columns(
    file: str, present: Sequence[str], fields: Mapping[str, Sequence[str]], given: Mapping[str, str]
) -> dict[str, str]:
    """Field -> column: the one given, else the first of its names that the file has."""
    found = {}
    by_name = {name.strip().lower(): name for name in reversed(present)}
    for field, names in fields.items():
        if field in given:
            if given[field] not in present:
                near = did_you_mean(given[field], present)
                raise SchemaMismatchError(
                    f"{file} has no column {given[field]!r} for {field}.{near} It has: "
                    f"{', '.join(present[:30])}."
                )
            found[field] = given[field]
            continue
        name = next((by_name[name] for name in names if name in by_name), None)
        if name is not None and name not in found.values() and name not in given.values():
            found[field] = name
    return found


def _lacking(
    file: str, group: Sequence[str], fields: Mapping[str, Sequence[str]], present: Sequence[str]
) -> SchemaMismatchError:
    wanted = " or ".join(group)
    names = ", ".join(name for field in group for name in fields[field][:4])
    return SchemaMismatchError(
        f"{file} has no column for {wanted} (looked for: {names}). It has: {', '.join(present[:30])}. "
        f"Say which it is: --column {group[0]}=NAME."
    )
