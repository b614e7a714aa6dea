"""The files of an imported shop besides its events: items, users, and what is known about them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from recsys import atomic
from recsys.dataset.catalog_rows import without_ids_as_text
from recsys.dataset.info import DatasetInfo
from recsys.dataset.schemas import ITEM_SCHEMA, USER_SCHEMA, conform_table
from recsys.documents import JsonObject
from recsys.errors import DataError, SchemaMismatchError, StoreUnavailableError
from recsys.home import HomePaths
from recsys.stores.lake.import_swap import recover_import
from recsys.stores.lake.item_log import item_log, user_log

INFO_FILE = "dataset.json"
ITEMS_FILE = "items.parquet"
USERS_FILE = "users.parquet"
ITEM_VERSIONS_FILE = "item_versions.parquet"  # what an import said of items and a later one says otherwise
USER_VERSIONS_FILE = "user_versions.parquet"
REPORT_FILE = "report.json"
MAPPING_FILE = "mapping.toml"  # the mapping as it was when the shop was imported
QUARANTINE_FOLDER = "quarantine"

_REMEDY = "Run `recsys data import`."


def load_info(paths: HomePaths) -> DatasetInfo:
    """What is known of the imported shop.

    Raises:
        DataError: nothing was imported, or the file is damaged.
    """
    recover_import(paths)
    path = paths.data / INFO_FILE
    try:
        return DatasetInfo.model_validate_json(_read_bytes(path))
    except ValidationError as error:
        raise DataError(f"{path} is damaged: {error.errors()[0]['msg']}. {_REMEDY}") from error


def is_catalog_alone(paths: HomePaths) -> bool:
    """Whether the imported shop has items and no events."""
    return (paths.data / INFO_FILE).exists() and not load_info(paths).events


def load_items(paths: HomePaths) -> pa.Table:
    """The catalog as it is now, sorted by item id, as `ITEM_SCHEMA` has it.

    That is what was imported, and what came by the stream since: the newest version of each item by `at`.

    Raises:
        DataError: nothing was imported, or a file is damaged.
    """
    return item_log(paths).newest(load_imported_items(paths), load_earlier_items(paths))


def load_imported_items(paths: HomePaths) -> pa.Table:
    """The catalog as it was imported last, sorted by item id; raises as `load_items`."""
    recover_import(paths)
    return _load(paths.data / ITEMS_FILE, ITEM_SCHEMA, "items")


def load_earlier_items(paths: HomePaths) -> pa.Table:
    """The versions of items that later imports replaced, sorted by item id and `at`; empty at first.

    An item that an import lacks has an unavailable version here, of that import's instant.
    """
    return _load_earlier(paths, ITEM_VERSIONS_FILE, ITEM_SCHEMA)


def load_earlier_users(paths: HomePaths) -> pa.Table:
    """The same of users."""
    return _load_earlier(paths, USER_VERSIONS_FILE, USER_SCHEMA)


def load_item_versions(paths: HomePaths) -> pa.Table:
    """Every version of every item, sorted by item id and `at`, each pair once; raises as `load_items`."""
    return item_log(paths).over(pa.concat_tables([load_earlier_items(paths), load_imported_items(paths)]))


def load_users(paths: HomePaths) -> pa.Table:
    """Users with what they told the shop, sorted by user id, as `USER_SCHEMA` has it; newest as for items.

    Raises:
        DataError: nothing was imported, or a file is damaged.
    """
    return user_log(paths).newest(load_imported_users(paths))


def load_imported_users(paths: HomePaths) -> pa.Table:
    """Users as they were imported, sorted by user id; raises as `load_users`."""
    recover_import(paths)
    return _load(paths.data / USERS_FILE, USER_SCHEMA, "users")


def load_report(paths: HomePaths) -> JsonObject:
    """What the import counted: rows in, kept, quarantined by reason, duplicates.

    Raises:
        DataError: nothing was imported, or the file is damaged.
    """
    recover_import(paths)
    path = paths.data / REPORT_FILE
    try:
        return dict(json.loads(_read_bytes(path)))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. {_REMEDY}") from error


def save_info(paths: HomePaths, info: DatasetInfo) -> None:
    """Writes dataset.json, atomically."""
    _write_bytes(paths.data / INFO_FILE, (info.model_dump_json(indent=2) + "\n").encode())


def save_report(paths: HomePaths, report: Mapping[str, Any]) -> None:
    """Writes report.json, atomically."""
    _write_bytes(paths.data / REPORT_FILE, (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode())


def save_items(paths: HomePaths, items: pa.Table) -> None:
    """Writes items.parquet, atomically.

    Raises:
        SchemaMismatchError: `items` is not a table of canonical items.
        StoreUnavailableError: the disk refused.
    """
    save_table(paths.data / ITEMS_FILE, conform_table(items, ITEM_SCHEMA, "items"))


def save_users(paths: HomePaths, users: pa.Table) -> None:
    """Writes users.parquet, atomically.

    Raises:
        SchemaMismatchError: `users` is not a table of canonical users.
        StoreUnavailableError: the disk refused.
    """
    save_table(paths.data / USERS_FILE, conform_table(users, USER_SCHEMA, "users"))


def save_earlier(paths: HomePaths, items: pa.Table, users: pa.Table) -> None:
    """Writes the versions that `load_earlier_items` and `load_earlier_users` read, where there are any.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    for name, table in ((ITEM_VERSIONS_FILE, items), (USER_VERSIONS_FILE, users)):
        if len(table):
            save_table(paths.data / name, table)


def save_text(path: Path, text: str) -> None:
    """Writes a text file, atomically."""
    _write_bytes(path, text.encode("utf-8"))


def save_table(path: Path, table: pa.Table) -> None:
    """Writes one Parquet file so that it appears whole or not at all.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    _write_bytes(path, sink.getvalue())


def _load_earlier(paths: HomePaths, name: str, schema: pa.Schema) -> pa.Table:
    recover_import(paths)
    path = paths.data / name
    return _load(path, schema, "versions") if path.exists() else schema.empty_table()


def _load(path: Path, schema: pa.Schema, name: str) -> pa.Table:
    try:
        table = pq.ParquetFile(path).read()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. {_REMEDY}") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}. {_REMEDY}") from error
    try:
        return conform_table(without_ids_as_text(table), schema, name)
    except SchemaMismatchError as error:
        raise SchemaMismatchError(f"{path}: {error}") from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. {_REMEDY}") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}. Give this account the right to."
        ) from error


def _write_bytes(path: Path, content: bytes | pa.Buffer) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, content)
    except OSError as error:
        raise StoreUnavailableError(
            "disk",
            f"write {path} ({error.strerror or error})",
            0.0,
            "Free some space or choose another home.",
        ) from error
