"""The newest generations of accounts' gates, kept so that a Redis which was rolled back is noticed."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from recsys.stores.ads.traffic_tables import GateGenerationRow as Row


def generations(connection: Connection) -> dict[str, int]:
    """By account."""
    query = select(Row.account_id, Row.generation)
    return {account_id: generation for account_id, generation in connection.execute(query)}


def kept_at(connection: Connection) -> datetime | None:
    """When a charge worker last kept a gate: each look makes a newer generation. None = never."""
    return connection.execute(select(func.max(Row.at))).scalar_one()


def note_generations(connection: Connection, seen: Mapping[str, int], at: datetime) -> None:
    """Keeps those that are newer than what is there."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(Row)
    statement = statement.on_conflict_do_update(
        index_elements=[Row.account_id],
        set_={"generation": statement.excluded.generation, "at": statement.excluded.at},
        where=Row.generation < statement.excluded.generation,
    )
    rows = [{"account_id": each, "generation": number, "at": at} for each, number in sorted(seen.items())]
    connection.execute(statement, rows)
