"""A randomised experiment, read from any table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.arrays import DoubleArray
from recsys.errors import DataError
from recsys.evaluation.off_policy.context import context_features
from recsys.evaluation.off_policy.log import Gap, PolicyLog, policy_log, refuse_gaps
from recsys.ingest.raw.cells import as_number
from recsys.instants import as_utc
from recsys.jobs.search.judged_files.table_files import TableRows, read_table

_FEATURE, _CONTEXT = "feature ", "context "  # before the name of such a column


@dataclass(frozen=True)
class ExperimentColumns:
    """Which column of a table holds what.

    Attributes:
        unit: whose rows belong together; None = each row is a unit.
        features: what the outcome model may read.
        at: when each row was logged, only needed for `gaps`.
    """

    arm: str
    outcome: str
    propensity: str
    unit: str | None = None
    features: tuple[str, ...] = ()
    at: str | None = None
    gaps: tuple[Gap, ...] = ()

    def given(self, context: Collection[str]) -> dict[str, str]:
        """Field -> its column; `context` are further columns."""
        found = {"arm": self.arm, "outcome": self.outcome, "propensity": self.propensity}
        found |= {"unit": self.unit} if self.unit else {}
        found |= {"at": self.at} if self.at and self.gaps else {}
        found |= {_FEATURE + name: name for name in self.features}
        return found | {_CONTEXT + name: name for name in context}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are named."""
        return tuple(self.given(()).values())


@dataclass(frozen=True)
class Experiment:
    """The log of an experiment and the table that it was read from."""

    log: PolicyLog
    table: TableRows

    def where(self, row: int) -> str:
        """The place of row i, from 0, for messages."""
        return self.table.where(row)

    def context(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """The texts of these columns, a row at a time; an empty cell is an empty text."""
        columns = ([text or "" for text in self.table.columns[_CONTEXT + name]] for name in names)
        return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class _Reader:
    """The columns of one experiment, as what they have to be."""

    table: TableRows
    named: ExperimentColumns

    def numbers(self, field: str) -> DoubleArray:
        """(N,) the numbers of a field; NaN where a cell is empty.

        Raises:
            DataError: a cell is no number.
        """
        parsed = as_number(pa.array(self.table.columns[field], pa.string()))
        if parsed.bad.any():
            row = int(np.flatnonzero(parsed.bad)[0])
            raise DataError(
                f"{self.table.where(row)}: {self.table.columns[field][row]!r} is no number, but {field} has "
                "to be one. Write 0.5, or 0 and 1 for no and yes."
            )
        return np.where(parsed.missing, np.nan, parsed.values.astype(np.float64))

    def texts(self, field: str) -> list[str]:
        """(N,) the texts of a field.

        Raises:
            DataError: a cell is empty.
        """
        found = []
        for row, text in enumerate(self.table.columns[field]):
            if text is None:
                raise DataError(f"{self.table.where(row)} has no {field}. Name it, or leave the row out.")
            found.append(text)
        return found

    def features(self) -> DoubleArray | None:
        """(N, F) the context; None where no features are named."""
        columns: dict[str, DoubleArray | Sequence[str | None]] = {}
        for name in self.named.features:
            texts = self.table.columns[_FEATURE + name]
            parsed = as_number(pa.array(texts, pa.string()))
            numeric = not parsed.bad.any()
            columns[name] = np.where(parsed.missing, np.nan, parsed.values) if numeric else texts
        return context_features(columns) if columns else None

    @cached_property
    def instants(self) -> list[datetime]:
        """When each row was logged.

        Raises:
            DataError: a cell is no instant.
        """
        found = []
        for row, text in enumerate(self.texts("at")):
            try:
                found.append(as_utc(datetime.fromisoformat(text)))
            except ValueError as error:
                raise DataError(
                    f"{self.table.where(row)}: {text!r} is not an ISO 8601 instant. "
                    "Write 2026-01-31T12:00:00Z."
                ) from error
        return found


def read_experiment(path: Path, named: ExperimentColumns, context: Collection[str] = ()) -> Experiment:
    """The log that the file holds.

    Args:
        context: further columns, by which a policy's file names rows.

    Raises:
        SchemaMismatchError: the file lacks a column.
        DataError: it is missing or damaged, a cell is not what it has to be, propensities are missing or no
            probabilities, or rows reach across a gap.
    """
    given = named.given(context)
    nothing: Mapping[str, Sequence[str]] = dict.fromkeys(given, ())
    table = read_table(path, nothing, [], given)
    if not len(table):
        raise DataError(f"{path.name} has no rows. An experiment has one for each arm that was shown.")
    return experiment_of(table, named)


def experiment_of(table: TableRows, named: ExperimentColumns) -> Experiment:
    """The log that the rows of `table` are, which has the fields of `named.given`.

    Raises:
        DataError: a cell is not what it has to be, propensities are missing or no probabilities, or rows
            reach across a gap.
    """
    reader = _Reader(table, named)
    if "at" in table.columns:
        refuse_gaps(min(reader.instants), max(reader.instants), named.gaps)
    log = policy_log(
        reader.texts("arm"),
        reader.numbers("outcome"),
        reader.numbers("propensity"),
        reader.texts("unit") if named.unit else None,
        reader.features(),
        table.where,
    )
    return Experiment(log, table)
