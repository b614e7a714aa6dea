"""The tables of the workers' state, and the statements that change a row of one."""

# Blobs come last: a scan of what stands before them does not read their pages.
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (partition INTEGER PRIMARY KEY, offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY, partition INTEGER NOT NULL, expires INTEGER NOT NULL, log BLOB NOT NULL,
    searches BLOB NOT NULL DEFAULT x'');
CREATE INDEX IF NOT EXISTS users_due ON users (partition, expires);
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
# States of earlier versions have no queries of users.
ADD_SEARCHES = "ALTER TABLE users ADD COLUMN searches BLOB NOT NULL DEFAULT x''"
SET_USER = """INSERT INTO users (user_id, partition, expires, log, searches) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET partition = excluded.partition, expires = excluded.expires,
    log = excluded.log, searches = excluded.searches"""
FILL_SEARCHES = """INSERT INTO users (user_id, partition, expires, log, searches) VALUES (?, ?, ?, ?, ?)
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
