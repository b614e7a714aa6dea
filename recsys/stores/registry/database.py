"""The SQL database by SQLAlchemy: its address, engines, column types and errors.

SQLite in the home folder unless `DATABASE_URL` names PostgreSQL. Writers of SQLite take its write lock
when they begin, so that what a transaction has read is still true when it writes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, TimeoutError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from recsys.addresses import masked_url
from recsys.config import Settings
from recsys.distribution import install_command
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.stores.logins import check_login
from recsys.stores.sqlite_errors import sqlite_remedy

BUSY_SECONDS = 30  # how long a writer waits for another
CONNECT_SECONDS = 5
_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRESQL = "postgresql+psycopg"
_IF_DAMAGED = (
    "Put a back-up in its place, or move it away: then runs and stages of bundles are forgotten, data and "
    "events stay. Run `recsys train --promote` afterwards."
)
_EXAMPLE = "postgresql://user:password@host/database"
# One number for all processes that write here; any constant that other programs are unlikely to use.
_ADVISORY_LOCK = 7_233_174_017


class Tables(DeclarativeBase):
    """Root of every table; constraints have predictable names, which SQLite's batch migrations need."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, UTC when read, whatever the database keeps; naive ones are an error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is stored of `value`: SQLite keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; pass an aware instant")
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored instant, aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def database_url(settings: Settings) -> URL:
    """Where the database is: `DATABASE_URL`, or the SQLite file of the home folder.

    `postgres://` and `postgresql://` mean psycopg 3; a relative SQLite path is relative to the root.

    Raises:
        ConfigError: DATABASE_URL is not an address of SQLite or PostgreSQL.
    """
    if settings.database_url is None:
        return URL.create("sqlite", database=str(settings.paths.database))
    given = settings.database_url.get_secret_value()
    if not given.startswith("sqlite"):
        check_login(given, "DATABASE_URL")
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            f"DATABASE_URL ({masked_url(given)}) is not an address. Write {_EXAMPLE} or unset it."
        ) from error
    if url.drivername in ("postgres", "postgresql", _POSTGRESQL):
        return url.set(drivername=_POSTGRESQL)
    if url.drivername not in _SQLITE:
        raise ConfigError(
            f"DATABASE_URL names {url.drivername!r}; SQLite and PostgreSQL are known. "
            f"Write {_EXAMPLE} or unset it."
        )
    if not url.database or url.database == ":memory:":
        raise ConfigError("DATABASE_URL names an SQLite database in memory, which forgets. Name a file.")
    return url.set(database=str(settings.root / url.database))


def open_engine(url: URL, *, foreign_keys: bool = True, read_only: bool = False) -> Engine:
    """An engine for `url`; connects on first use.

    Args:
        foreign_keys: SQLite only: off while a migration rebuilds tables.
        read_only: SQLite only: neither makes nor changes the file.
    """
    if url.get_backend_name() != "sqlite":
        return _open_postgresql(url)
    if read_only:
        url = _without_writing(url)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below, so that DDL is transactional too
        if not read_only:
            _use_wal(connection)
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer of this database overlaps, in any process."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        yield connection


@contextmanager
def database_errors(url: URL, operation: str) -> Iterator[None]:
    """Translates the database's errors of one `operation`.

    Raises:
        StoreUnavailableError: the database did not answer or refused; the address is named, its password not.
    """
    started = time.monotonic()
    try:
        yield
    except (DBAPIError, TimeoutError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()
        said = cause[0] if cause else type(error).__name__
        waited = time.monotonic() - started
        raise StoreUnavailableError(
            "the database",
            operation,
            waited if waited >= 1.0 else 0.0,  # it refused at once
            f"DATABASE_URL is {shown_address(url)} ({said}). {_remedy(url, said)}",
        ) from error


def _remedy(url: URL, said: str) -> str:
    if url.get_backend_name() != "sqlite":
        if "password" in said:
            return "Mend user and password in DATABASE_URL; special characters are written as %40 for @."
        return "Start that server, or unset DATABASE_URL for SQLite; `recsys doctor` checks it."
    return sqlite_remedy(said, _IF_DAMAGED)


def make_folder(url: URL) -> None:
    """Makes the folder of an SQLite file; PostgreSQL needs none."""
    if url.get_backend_name() != "sqlite":
        return
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            "the database", f"make {folder}", 0.0, f"{error}. Make that folder writable or set RECSYS_HOME."
        ) from error


def shown_address(url: URL) -> str:
    """`url` as text without its password."""
    return masked_url(url.render_as_string(hide_password=False))


def _open_postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url, connect_args={"connect_timeout": CONNECT_SECONDS}, pool_pre_ping=True, pool_recycle=1800
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigError(
            f"DATABASE_URL is {shown_address(url)}, but psycopg is not installed. "
            f"Run `{install_command('postgres')}`."
        ) from error


def _without_writing(url: URL) -> URL:
    path = Path(str(url.database)).absolute()
    # Without a log beside it no process has the file open, and SQLite need not make a log only to read it.
    how = {"mode": "ro"} if path.with_name(f"{path.name}-wal").exists() else {"mode": "ro", "immutable": "1"}
    return url.set(database=f"file:{quote(str(path))}", query=how | {"uri": "true"})


def _use_wal(connection: Any) -> None:
    """Readers beside a writer. Switching a new file over fails, rather than waits, while another does it."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except connection.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
