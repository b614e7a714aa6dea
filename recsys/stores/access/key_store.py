"""Access keys in the SQL database of the registry."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Engine, insert, inspect, or_, select, update
from sqlalchemy.exc import IntegrityError

from recsys.access.keys import KeyRecord, KeySet, name_taken, no_such_key, successor
from recsys.config import Settings
from recsys.stores.access.tables import AccessKeyRow
from recsys.stores.registry.database import database_errors, database_url, open_engine
from recsys.stores.registry.sql_store import SqlStore, open_database

EXPIRED_DAYS = 30.0  # how long a service can tell an expired key from one that never was


class SqlKeyStore(SqlStore):
    """The keys of one shop, a `KeyStore`; safe to share between threads. Use `open`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)

    @classmethod
    def open(cls, settings: Settings) -> "SqlKeyStore":
        """The store that `settings` name, its tables brought up to date.

        Raises:
            ConfigError: DATABASE_URL is malformed, or a newer version made the tables.
            StoreUnavailableError: the database did not answer.
        """
        return cls(open_database(settings))

    def add(self, key: KeyRecord) -> None:
        """As the protocol says."""
        with self._writing("keep an access key") as connection:
            _insert(connection, key)

    def all_keys(self) -> list[KeyRecord]:
        """As the protocol says."""
        query = select(AccessKeyRow.__table__)
        query = query.order_by(AccessKeyRow.created_at.desc(), AccessKeyRow.key_id)
        with self._reading("list access keys") as connection:
            return [KeyRecord(**row) for row in connection.execute(query).mappings()]

    def key_set(self, now: datetime) -> KeySet:
        """As the protocol says."""
        recently = now - timedelta(days=EXPIRED_DAYS)
        unexpired = or_(AccessKeyRow.expires_at.is_(None), AccessKeyRow.expires_at > recently)
        query = select(AccessKeyRow.__table__).where(AccessKeyRow.revoked_at.is_(None), unexpired)
        with self._reading("read the access keys") as connection:
            found = [KeyRecord(**row) for row in connection.execute(query).mappings()]
            any_made = bool(found) or _any_made(connection)
        return KeySet({key.key_id: key for key in found}, any_made)

    def revoke(self, which: str, at: datetime, by: str) -> list[KeyRecord]:
        """As the protocol says."""
        with self._writing("revoke an access key") as connection:
            found = _matching(connection, _named(which))
            if not found:
                raise no_such_key(which)
            revoked = [replace(key, revoked_at=at, revoked_by=by) for key in found if key.revoked_at is None]
            ids = [key.key_id for key in revoked]
            chosen = update(AccessKeyRow).where(AccessKeyRow.key_id.in_(ids))
            connection.execute(chosen.values(revoked_at=at, revoked_by=by))
            return revoked

    def replace(self, which: str, new: KeyRecord, old_expires_at: datetime) -> KeyRecord:
        """As the protocol says."""
        with self._writing("rotate an access key") as connection:
            current = AccessKeyRow.revoked_at.is_(None) & AccessKeyRow.replaced_by.is_(None)
            found = _matching(connection, _named(which) & current)
            if not found:
                raise no_such_key(which)
            (old,) = found  # a name has one current key
            ends = min(old.expires_at or old_expires_at, old_expires_at)
            chosen = update(AccessKeyRow).where(AccessKeyRow.key_id == old.key_id)
            connection.execute(chosen.values(expires_at=ends, replaced_by=new.key_id))
            kept = successor(old, new)
            _insert(connection, kept)
            return kept

    def note_used(self, used: Mapping[str, datetime], every_minutes: float) -> None:
        """As the protocol says."""
        if not used:
            return
        with self._writing("keep when access keys were used") as connection:
            for key_id, at in used.items():
                old = AccessKeyRow.last_used_at.is_(None) | (
                    AccessKeyRow.last_used_at <= at - timedelta(minutes=every_minutes)
                )
                chosen = update(AccessKeyRow).where(AccessKeyRow.key_id == key_id, old)
                connection.execute(chosen.values(last_used_at=at))


def any_key_made(settings: Settings) -> bool:
    """Whether any access key was ever made; makes and upgrades nothing.

    Raises:
        ConfigError, StoreUnavailableError: as `SqlKeyStore.open`.
    """
    url = database_url(settings)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return False
    engine = open_engine(url, read_only=True)
    try:
        with database_errors(url, "look for access keys"), engine.connect() as connection:
            return inspect(connection).has_table(AccessKeyRow.__tablename__) and _any_made(connection)
    finally:
        engine.dispose()


def _insert(connection: Connection, key: KeyRecord) -> None:
    try:
        connection.execute(insert(AccessKeyRow).values(asdict(key)))
    except IntegrityError as error:
        raise name_taken(key.name) from error


def _matching(connection: Connection, chosen: ColumnElement[bool]) -> list[KeyRecord]:
    rows = connection.execute(select(AccessKeyRow.__table__).where(chosen)).mappings()
    return [KeyRecord(**row) for row in rows]


def _named(which: str) -> ColumnElement[bool]:
    return (AccessKeyRow.key_id == which) | (AccessKeyRow.name == which)


def _any_made(connection: Connection) -> bool:
    return connection.execute(select(AccessKeyRow.key_id).limit(1)).first() is not None
