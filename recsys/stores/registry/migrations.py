"""Brings a database to the tables that this version uses, by Alembic's revisions in `migrations/`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.engine import URL

import recsys
from recsys.distribution import carried_folder
from recsys.errors import ConfigError
from recsys.stores.registry.database import (
    database_errors,
    make_folder,
    open_engine,
    shown_address,
    write_transaction,
)

# Alembic keeps the migration in progress in module globals, so one thread of a process at a time.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Revisions:
    """Which revision a database is at (None: no tables yet) and which one the code needs."""

    current: str | None
    head: str

    @property
    def fit(self) -> bool:
        """Whether the database is at the revision that the code needs."""
        return self.current == self.head


def revisions_of(connection: Connection) -> Revisions:
    """Where the database behind `connection` is, and where it should be; changes nothing."""
    head = _scripts().get_current_head()
    return Revisions(MigrationContext.configure(connection).get_current_revision(), str(head))


def read_revisions(url: URL, *, read_only: bool = False) -> Revisions:
    """Like `revisions_of`, on a connection of its own."""
    engine = open_engine(url, read_only=read_only)
    try:
        with database_errors(url, "read its revision"), engine.connect() as connection:
            return revisions_of(connection)
    finally:
        engine.dispose()


def upgrade_database(url: URL, revision: str = "head") -> None:
    """Brings the database to `revision`; the first of many processes does it and the others wait.

    Raises:
        ConfigError: a newer version of recsys has been here.
        StoreUnavailableError: the database did not answer.
    """
    make_folder(url)
    if revision == "head" and read_revisions(url).fit:
        return
    with migration_transaction(url) as connection:
        if revision != "head" or not _check_known(revisions_of(connection), url).fit:
            command.upgrade(_config(connection), revision)


def downgrade_database(url: URL, revision: str) -> None:
    """Takes the database back to `revision` (`base`: no tables); what the dropped tables held is lost."""
    with migration_transaction(url) as connection:
        command.downgrade(_config(connection), revision)


@contextmanager
def migration_transaction(url: URL) -> Iterator[Connection]:
    """A connection in a transaction that no other writer overlaps; foreign keys are not checked."""
    make_folder(url)
    engine = open_engine(url, foreign_keys=False)
    try:
        with _ONE_AT_A_TIME, database_errors(url, "migrate"), write_transaction(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def _check_known(found: Revisions, url: URL) -> Revisions:
    if found.current is not None:
        try:
            _scripts().get_revision(found.current)
        except CommandError as error:
            raise ConfigError(
                f"the database {shown_address(url)} is at revision {found.current!r}, which this version "
                f"({recsys.__version__}) does not know. Upgrade recsys or point DATABASE_URL elsewhere."
            ) from error
    return found


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _config(connection: Connection | None) -> Config:
    config = Config()
    # Alembic's options interpolate %; a folder's name may hold one.
    config.set_main_option("script_location", str(carried_folder("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
