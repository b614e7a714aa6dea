"""Experiments of one shop in SQL: each change is one transaction, with its row of the history."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select, update

from recsys.config import Settings
from recsys.errors import RequestError, StaleVersionError, UnknownEntryError, did_you_mean
from recsys.experiments.experiment import Experiment
from recsys.instants import utc_now
from recsys.stores.experiments.records import (
    ExperimentChange,
    experiment_document,
    experiment_of,
    experiment_values,
)
from recsys.stores.experiments.tables import ExperimentChangeRow, ExperimentRow
from recsys.stores.registry.sql_store import SqlStore, open_database


class ExperimentStore(SqlStore):
    """Experiments; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "ExperimentStore":
        """The store of the database that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings), clock)

    def experiments(self) -> tuple[Experiment, ...]:
        """All experiments, also those that are over, sorted by name."""
        with self._reading("read experiments") as connection:
            return _experiments(connection)

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name.

        Raises:
            UnknownEntryError: there is none.
        """
        with self._reading("read an experiment") as connection:
            return _experiment(connection, name)

    def add(self, experiment: Experiment, author: str, remark: str = "") -> Experiment:
        """Keeps a new experiment.

        Raises:
            RequestError: another one, which may be over, has the name or the salt.
        """
        with self._writing("keep an experiment") as connection:
            for other in _experiments(connection):
                if experiment.name == other.name:
                    raise RequestError(f"there is an experiment {other.name!r} already. Choose another name.")
                if experiment.salt == other.salt:
                    raise RequestError(
                        f"salt {experiment.salt!r} is that of experiment {other.name!r}: the same people "
                        "would be held out of both. Choose another salt."
                    )
            return self._write(connection, experiment, None, author, remark)

    def save(self, experiment: Experiment, author: str, remark: str = "") -> Experiment:
        """Changes an experiment that was read; one that is as it was stays untouched.

        Raises:
            UnknownEntryError: it is not there. StaleVersionError: it was changed since it was read.
            RequestError: its salt is another one: people would change arms.
        """
        with self._writing("change an experiment") as connection:
            before = _experiment(connection, experiment.name)
            if experiment.version != before.version:
                raise StaleVersionError(
                    f"experiment {before.name!r} was read at version {experiment.version} and is at "
                    f"{before.version} now: somebody changed it since. Read it again and repeat the change."
                )
            if experiment.salt != before.salt:
                raise RequestError(
                    f"the salt of experiment {before.name!r} cannot change: people would change arms. "
                    "End it and add another."
                )
            if experiment_values(experiment) == experiment_values(before):
                return before
            return self._write(connection, experiment, before, author, remark)

    def history(self, name: str | None = None) -> Sequence[ExperimentChange]:
        """Every change, of the experiment of that name or of all, oldest first."""
        query = select(ExperimentChangeRow.__table__).order_by(ExperimentChangeRow.change_id)
        if name is not None:
            query = query.where(ExperimentChangeRow.name == name)
        with self._reading("read changes of experiments") as connection:
            rows = connection.execute(query).mappings().all()
        return [ExperimentChange(**{key: row[key] for key in row if key != "change_id"}) for row in rows]

    def _write(
        self,
        connection: Connection,
        experiment: Experiment,
        before: Experiment | None,
        author: str,
        remark: str,
    ) -> Experiment:
        at = self._clock()
        written = replace(experiment, version=1 if before is None else before.version + 1, changed_at=at)
        changed = {"version": written.version, "changed_at": at, "changed_by": author}
        values = {**experiment_values(written), **changed}
        if before is None:
            connection.execute(insert(ExperimentRow).values(name=written.name, **values))
        else:
            chosen = update(ExperimentRow).where(ExperimentRow.name == written.name)
            connection.execute(chosen.values(values))
        connection.execute(
            insert(ExperimentChangeRow).values(
                name=written.name,
                before=None if before is None else experiment_document(before),
                after=experiment_document(written),
                remark=remark,
                **changed,
            )
        )
        return written


def _experiments(connection: Connection) -> tuple[Experiment, ...]:
    query = select(ExperimentRow.__table__).order_by(ExperimentRow.name)
    return tuple(experiment_of(row) for row in connection.execute(query).mappings())


def _experiment(connection: Connection, name: str) -> Experiment:
    found = {each.name: each for each in _experiments(connection)}
    if name not in found:
        raise UnknownEntryError(f"there is no experiment {name[:80]!r}.{did_you_mean(name, found)}")
    return found[name]
