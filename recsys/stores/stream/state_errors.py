"""Errors of the stream's state file as ours, with what helps."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import StoreUnavailableError
from recsys.stores.sqlite_errors import sqlite_remedy

IF_DAMAGED = (
    "End the workers and delete state.db and what lies beside it (state.db-wal, state.db-shm): they make it "
    "anew from the event lake and the stream."
)
BUSY_SECONDS = 30.0  # that a connection waits for another one to commit


@contextmanager
def state_errors(operation: str, file: Path) -> Iterator[None]:
    """Tells SQLite's errors as ours; a violated constraint is for the caller.

    Raises:
        StoreUnavailableError: the file cannot be read or written, or is damaged.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except (sqlite3.Error, OSError) as error:
        seconds = BUSY_SECONDS if "locked" in str(error) else 0.0
        remedy = f"{sqlite_remedy(str(error), IF_DAMAGED)} Then start the workers again; nothing is lost."
        raise StoreUnavailableError(
            "stream state", f"{operation} {file} ({error})", seconds, remedy
        ) from error
