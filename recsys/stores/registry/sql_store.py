"""What all stores in the shop's SQL database have: connections that are closed, and transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Connection, Engine

from recsys.config import Settings
from recsys.stores.registry.database import database_errors, database_url, open_engine, write_transaction
from recsys.stores.registry.migrations import upgrade_database


def open_database(settings: Settings) -> Engine:
    """The database that `settings` name, its tables brought up to date.

    Raises:
        ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
        StoreUnavailableError: the database did not answer.
    """
    url = database_url(settings)
    upgrade_database(url)
    return open_engine(url)


class SqlStore:
    """A store in a database; each transaction raises StoreUnavailableError where that is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """Closes the connections; the store can still be used and opens new ones."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _reading(self, operation: str) -> Iterator[Connection]:
        with database_errors(self._engine.url, operation), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _snapshot(self, operation: str) -> Iterator[Connection]:
        """Reads several tables as they were at one instant: SQLite's transaction is that already."""
        level = {} if self._engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        with (
            database_errors(self._engine.url, operation),
            self._engine.connect().execution_options(**level) as connection,
        ):
            yield connection

    @contextmanager
    def _writing(self, operation: str) -> Iterator[Connection]:
        with database_errors(self._engine.url, operation), write_transaction(self._engine) as connection:
            yield connection
