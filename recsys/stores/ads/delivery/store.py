"""What became of ads, in SQL: each process adds its counts, each batch of them once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Engine,
    Executable,
    TableValuedAlias,
    cast,
    delete,
    event,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from recsys.ads.delivery.counts import HOUR, CountedHour, CountingProcess
from recsys.ads.delivery.steps import Step
from recsys.config import Settings
from recsys.instants import utc_now
from recsys.stores.ads.delivery.campaign_sums import (
    CampaignSums,
    SoldEvents,
    charged_events,
    returned_micros,
    sold_events,
)
from recsys.stores.ads.delivery.tables import CountingProcessRow, DeliveryRequestsRow, DeliveryStepsRow
from recsys.stores.registry.database import Tables, database_errors
from recsys.stores.registry.sql_store import SqlStore, open_database


class DeliveryStore(SqlStore):
    """Counts of delivery; safe to share between threads. Use `open`.

    Every method raises StoreUnavailableError where the database does not answer; each is safe to repeat.

    Args:
        keep: how long counts are kept, from the end of their hour.
    """

    def __init__(self, engine: Engine, keep: timedelta, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(engine)
        self._keep = keep
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], datetime] = utc_now) -> "DeliveryStore":
        """The store of the database that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        engine = open_database(settings)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _sync_with_checkpoints)
        return cls(engine, timedelta(days=settings.ads.log_days), clock)

    @property
    def kept_since(self) -> datetime:
        """Hours that ended before it are removed."""
        return self._clock() - self._keep

    def add(self, process: str, sequence: int, counts: Sequence[CountedHour]) -> bool:
        """Adds a batch in one transaction; False, and nothing is added, where it was added before.

        Args:
            process: names the one that counted; its first batch makes it known.
            sequence: of the batch, from 1 and rising; of batches that are repeated the same one.
            counts: may be empty: then the process only says that it is alive.
        """
        with self._writing("keep what became of ads") as connection:
            if not _note_flush(connection, process, sequence, self._clock()):
                return False
            in_order = sorted(counts, key=lambda each: (each.hour, each.surface, each.holdout))
            for counted in in_order:  # in one order in all processes: no deadlock
                _add_requests(connection, counted)
            for counted in in_order:
                _add_steps(connection, counted)
            return True

    def end(self, process: str) -> None:
        """Keeps that the process ended and wrote all that it had counted."""
        with self._writing("keep that a process ended") as connection:
            chosen = update(CountingProcessRow).where(CountingProcessRow.process == process)
            connection.execute(chosen.values(ended_at=self._clock()))

    def remove_oldest(self) -> None:
        """Removes the oldest hour that is kept no longer, and the processes that ended before that.

        One hour, which may be a row for each campaign and step: no writer waits for more than that.
        """
        requests, steps, process = DeliveryRequestsRow, DeliveryStepsRow, CountingProcessRow
        edge = self.kept_since - HOUR
        with self._writing("remove old counts of ads") as connection:
            connection.execute(delete(process).where(process.flushed_at < edge))
            oldest = connection.scalar(select(func.min(requests.hour)).where(requests.hour <= edge))
            if oldest is not None:
                connection.execute(delete(steps).where(steps.hour <= oldest))
                connection.execute(delete(requests).where(requests.hour <= oldest))

    def hours(
        self, start: datetime, end: datetime, campaign_id: str | None = None
    ) -> tuple[CountedHour, ...]:
        """What was counted in the hours that begin from `start` and before `end`, in their order.

        Args:
            campaign_id: the steps of that campaign alone; None = of all.
        """
        requests, steps = DeliveryRequestsRow, DeliveryStepsRow
        all_requests = select(requests.__table__).where(requests.hour >= start, requests.hour < end)
        chosen = select(steps.__table__).where(steps.hour >= start, steps.hour < end)
        if campaign_id is not None:
            chosen = chosen.where(steps.campaign_id == campaign_id)
        with self._snapshot("read what became of ads") as connection:
            counted = connection.execute(all_requests).mappings().all()
            of_steps = connection.execute(chosen).mappings().all()
        found: dict[tuple[datetime, str, bool], dict[tuple[str, Step], int]] = {}
        for row in of_steps:
            place = found.setdefault((row["hour"], row["surface"], row["holdout"]), {})
            place[row["campaign_id"], Step(row["step"])] = row["requests"]
        hours = [
            CountedHour(**row, steps=found.get((row["hour"], row["surface"], row["holdout"]), {}))
            for row in counted
        ]
        return tuple(sorted(hours, key=lambda each: (each.hour, each.surface, each.holdout)))

    def requests(self, start: datetime, end: datetime) -> Mapping[datetime, int]:
        """Begin of an hour -> its requests on all surfaces, of units that are not held out."""
        row = DeliveryRequestsRow
        query = (
            select(row.hour, func.sum(row.requests))
            .where(row.hour >= start, row.hour < end, row.holdout.is_(False))
            .group_by(row.hour)
        )
        with self._reading("read how many requests there were") as connection:
            return {hour: int(count) for hour, count in connection.execute(query)}

    def processes(self, start: datetime, end: datetime) -> tuple[CountingProcess, ...]:
        """The processes that counted at some time from `start` to before `end`, by when they began."""
        row = CountingProcessRow
        query = (
            select(row.process, row.started_at, row.flushed_at, row.ended_at)
            .where(row.started_at < end, or_(row.flushed_at >= start, row.ended_at >= start))
            .order_by(row.started_at, row.process)
        )
        with self._reading("read which processes counted ads") as connection:
            return tuple(CountingProcess(*found) for found in connection.execute(query))

    def charged(self, campaign_id: str, first: date, last: date) -> CampaignSums:
        """What the books say of a campaign from one day of its account to another, both included."""
        with self._snapshot("read what a campaign was charged") as connection:
            return CampaignSums(
                charged_events(connection, campaign_id, first, last),
                returned_micros(connection, campaign_id, first, last),
            )

    def sold(self, start: datetime) -> tuple[SoldEvents, ...]:
        """What the books say of every campaign's ads that were served at `start` or later."""
        with self._reading("read what campaigns were charged") as connection:
            return sold_events(connection, start)

    @contextmanager
    def _writing(self, operation: str) -> Iterator[Connection]:
        # Not `write_transaction`: processes count at the same time, and rows are locked in one order.
        with (
            database_errors(self._engine.url, operation),
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection


def _sync_with_checkpoints(connection: Any, record: Any) -> None:
    """Lets a commit return before it is on the disk: else each second the log of ads waits for its sync.

    A process that is killed loses nothing by it; a power cut takes the counts since the last checkpoint.
    """
    connection.execute("PRAGMA synchronous = NORMAL")


def _note_flush(connection: Connection, process: str, sequence: int, now: datetime) -> bool:
    """Whether the batch is a new one; then the process's row says so, and is locked until the end."""
    values = {"process": process, "started_at": now, "flushed_at": now, "sequence": 0}
    connection.execute(_insert(connection)(CountingProcessRow).values(values).on_conflict_do_nothing())
    row = CountingProcessRow
    chosen = update(row).where(row.process == process, row.sequence < sequence)
    return connection.execute(chosen.values(sequence=sequence, flushed_at=now)).rowcount == 1


def _add_requests(connection: Connection, counted: CountedHour) -> None:
    names = ("hour", "surface", "holdout", "requests")
    insert = _insert(connection)(DeliveryRequestsRow).values({name: getattr(counted, name) for name in names})
    connection.execute(_adding_up(insert, DeliveryRequestsRow))


def _add_steps(connection: Connection, counted: CountedHour) -> None:
    """A statement a step, which the database takes the campaigns of: there are thousands each second."""
    campaigns: dict[Step, dict[str, int]] = {}
    for (campaign_id, step), count in counted.steps.items():
        if count > 0:
            campaigns.setdefault(step, {})[campaign_id] = count
    names = ["campaign_id", "requests", "hour", "surface", "holdout", "step"]
    table = DeliveryStepsRow.__table__.c
    for step in sorted(campaigns):
        each = _each_of(connection, campaigns[step])
        values = (counted.hour, counted.surface, counted.holdout, step.value)
        same = [literal(value, table[name].type) for name, value in zip(names[2:], values, strict=True)]
        chosen = select(each.c.key, cast(each.c.value, BigInteger), *same).order_by(each.c.key)
        insert = _insert(connection)(DeliveryStepsRow).from_select(names, chosen)
        connection.execute(_adding_up(insert, DeliveryStepsRow))


def _each_of(connection: Connection, numbers: dict[str, int]) -> TableValuedAlias:
    """A table with the `key` and the `value` of each of `numbers`, which go as one parameter."""
    given = literal(numbers, JSON)
    if connection.dialect.name == "postgresql":
        return func.json_each_text(cast(given, JSON)).table_valued("key", "value")
    return func.json_each(given).table_valued("key", "value")


def _insert(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def _adding_up(insert: Any, table: type[Tables]) -> Executable:
    """Adds the requests of the rows to those that are there."""
    keys = [column.name for column in table.__table__.primary_key]
    requests = table.__table__.c.requests + insert.excluded.requests
    added: Executable = insert.on_conflict_do_update(index_elements=keys, set_={"requests": requests})
    return added
