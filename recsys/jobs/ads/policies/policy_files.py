"""A target policy, read from a table: which arm, or with which probability, in which row or context."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import DataError, SchemaMismatchError
from recsys.evaluation.off_policy.policies import TargetPolicy, policy_of_choices
from recsys.jobs.ads.policies.experiment_files import Experiment
from recsys.jobs.search.judged_files.table_files import TableRows, read_table

ARM, PROBABILITY, ROW = "arm", "probability", "row"


@dataclass(frozen=True)
class PolicyFile:
    """What a policy's file says.

    Attributes:
        context: columns that name a context; empty where `row` names the rows of the experiment.
    """

    path: Path
    table: TableRows
    context: tuple[str, ...]


def read_policy_file(path: Path, arm_column: str) -> PolicyFile:
    """The file at `path`.

    It has a column `arm`, or one named as in the experiment; `probability`, or each arm has 1; and either
    `row`, the number of a row of the experiment from 1, or columns of its context.

    Raises:
        SchemaMismatchError: it has no column of arms, or nothing that names rows.
        DataError: it is missing or damaged.
    """
    fields = {ARM: (arm_column.lower(), ARM), PROBABILITY: (PROBABILITY,), ROW: (ROW,)}
    table = read_table(path, fields, [], {}, others=True)
    if ARM not in table.columns:
        raise SchemaMismatchError(
            f"{path.name} has no column {arm_column!r} or {ARM!r}. It has: {', '.join(table.columns)}."
        )
    context = () if ROW in table.columns else tuple(sorted(set(table.columns) - set(fields)))
    if ROW not in table.columns and not context:
        raise SchemaMismatchError(
            f"{path.name} says no row and no context for its arms. Give it a column {ROW!r} (from 1) or "
            "columns of the experiment; a policy of one arm is --always ARM."
        )
    return PolicyFile(path, table, context)


def policy_on(file: PolicyFile, experiment: Experiment) -> TargetPolicy:
    """The policy on the rows of the experiment, which was read with the context of the file.

    Raises:
        DataError: a row has no arm, or probabilities do not sum to 1, see `policy_of_choices`.
    """
    keys: list[Hashable] = (
        [*experiment.context(file.context)] if file.context else [*range(1, len(experiment.log) + 1)]
    )
    choices = list(_choices(file))
    return policy_of_choices(experiment.log, file.path.stem, choices, keys, experiment.where)


def _choices(file: PolicyFile) -> Iterator[tuple[Hashable, str, float]]:
    table = file.table
    for place, arm in enumerate(table.columns[ARM]):
        if arm is None:
            raise DataError(f"{table.where(place)} has no arm. Name one of the experiment's.")
        yield _key(file, place), arm, _probability(table, place)


def _key(file: PolicyFile, place: int) -> Hashable:
    if file.context:
        return tuple(file.table.columns[name][place] or "" for name in file.context)
    text = file.table.columns[ROW][place]
    if text is None or not text.isdecimal():
        raise DataError(f"{file.table.where(place)}: {text!r} is no number of a row. Count from 1.")
    return int(text)


def _probability(table: TableRows, place: int) -> float:
    if PROBABILITY not in table.columns:
        return 1.0
    text = table.columns[PROBABILITY][place]
    try:
        return float(text or "")
    except ValueError as error:
        raise DataError(f"{table.where(place)}: {text!r} is no probability. Write 0.25.") from error
