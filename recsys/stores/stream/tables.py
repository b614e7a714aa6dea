"""The tables of the workers' state, and the statements that change a row of one."""

import sqlite3
from collections.abc import Mapping

from recsys.streaming.state import LogParts

# Blobs come last: a scan of what stands before them does not read their pages.
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY, partition INTEGER NOT NULL, expires INTEGER NOT NULL, log BLOB NOT NULL,
    searches BLOB NOT NULL DEFAULT x'', parts INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS users_due ON users (partition, expires);
CREATE TABLE IF NOT EXISTS log_parts (part INTEGER PRIMARY KEY, user_id TEXT NOT NULL, log BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS log_parts_user ON log_parts (user_id);
CREATE TABLE IF NOT EXISTS items (
    item_id TEXT PRIMARY KEY, expires INTEGER NOT NULL, tiles BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS items_due ON items (expires);
CREATE TABLE IF NOT EXISTS seen (hash INTEGER PRIMARY KEY, day INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bots (user_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lake (batch INTEGER PRIMARY KEY, flush INTEGER, events BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending (
    batch INTEGER PRIMARY KEY, partitions TEXT NOT NULL, users TEXT NOT NULL, items TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS minutes (minute INTEGER PRIMARY KEY, events INTEGER NOT NULL);
"""
ADD_COUNT = "INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
ADD_EVENTS = "INSERT INTO minutes VALUES (?, ?) ON CONFLICT DO UPDATE SET events = events + excluded.events"
# States of earlier versions have no queries of users, and all logs in one part.
ADDED_COLUMNS = {
    "searches": "ALTER TABLE users ADD COLUMN searches BLOB NOT NULL DEFAULT x''",
    "parts": "ALTER TABLE users ADD COLUMN parts INTEGER NOT NULL DEFAULT 0",
}
SET_USER = """INSERT INTO users (user_id, partition, expires, log, searches, parts) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET partition = excluded.partition, expires = excluded.expires,
    log = excluded.log, searches = excluded.searches, parts = excluded.parts"""
LOG_PARTS = "SELECT log FROM log_parts WHERE user_id = ? ORDER BY part"
DROP_PARTS = "DELETE FROM log_parts WHERE user_id = ?"
ADD_PART = "INSERT INTO log_parts (user_id, log) VALUES (?, ?)"
FILL_SEARCHES = """INSERT INTO users (user_id, partition, expires, log, searches, parts)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET expires = excluded.expires, searches = excluded.searches"""
SET_ITEM = """INSERT INTO items (item_id, expires, tiles) VALUES (?, ?, ?) ON CONFLICT DO UPDATE
    SET expires = excluded.expires, tiles = excluded.tiles"""
# After a clock ran ahead: its midnights come again, and nothing is kept until its days are over.
UNDO_FUTURE = (
    "UPDATE users SET expires = :due",
    "UPDATE items SET expires = :due",
    "UPDATE seen SET day = :day WHERE day > :day",
    "DELETE FROM minutes WHERE minute > :minute",
)


def upgrade_tables(db: sqlite3.Connection) -> None:
    """Adds the columns that users of an earlier version lack."""
    there = {name for _, name, *_ in db.execute("PRAGMA table_info(users)")}
    for name in ADDED_COLUMNS.keys() - there:
        db.execute(ADDED_COLUMNS[name])


def write_log_parts(db: sqlite3.Connection, changed: Mapping[str, LogParts]) -> None:
    """Stores the new parts of logs, after those that stay."""
    for user, parts in changed.items():
        if not parts.keep:
            db.execute(DROP_PARTS, (user,))
        db.executemany(ADD_PART, ((user, log) for log in parts.new))
