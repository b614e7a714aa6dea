"""The items and users of a home as the catalog's worker sees them: imported, and changed since."""

import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import combined
from recsys.catalog import Item, User
from recsys.dataset.catalog_rows import items_of, items_table, users_of, users_table
from recsys.dataset.row_versions import last_of
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import (
    ITEMS_FILE,
    load_earlier_items,
    load_imported_items,
    load_imported_users,
)
from recsys.stores.lake.item_log import VERSION, item_log, user_log


class CatalogHistory:
    """Newest versions in memory, the log (`item_log`) on disk. One process appends.

    Only what the stream has changed is held as objects; an imported row becomes one when it is asked for.
    """

    def __init__(self, paths: HomePaths) -> None:
        """Reads what is there.

        Raises:
            DataError: nothing was imported, or a file is damaged.
        """
        self._paths = paths
        self._item_log, self._user_log = item_log(paths), user_log(paths)
        self._version = max(self._item_log.last_version(), self._user_log.last_version())
        self._load()

    def items(self, item_ids: Sequence[str]) -> dict[str, Item]:
        """The newest version of each of these items; unknown ones are left out."""
        self._refresh()
        imported = {item.item_id: item for item in items_of(_rows_of(*self._items, item_ids))}
        return imported | _newer(self._changed_items, imported, item_ids)

    def users(self, user_ids: Sequence[str]) -> dict[str, User]:
        """The same of users."""
        self._refresh()
        imported = {user.user_id: user for user in users_of(_rows_of(*self._users, user_ids))}
        return imported | _newer(self._changed_users, imported, user_ids)

    def items_with_new_text(self, item_ids: Sequence[str]) -> set[str]:
        """Those of these items whose text was ever another than the imported one, new items included."""
        return self._retexted.intersection(item_ids)

    def changed_after(self, version: int) -> list[tuple[int, list[str]]]:
        """The items that changed after `version`, each under the version that changed it last, in order."""
        by_version: dict[int, list[str]] = {}
        for item_id, changed_at in self._changed_at.items():
            if changed_at > version:
                by_version.setdefault(changed_at, []).append(item_id)
        return sorted(by_version.items())

    def last_version(self) -> int:
        """The newest version of items or users, 0 = none."""
        return self._version

    def append(self, items: Sequence[Item], users: Sequence[User], version: int) -> None:
        """Adds versions; returns when they are on the disk.

        Raises:
            StoreUnavailableError: the disk refused.
        """
        if users:
            self._user_log.append(users_table(users), version)
            self._changed_users |= {user.user_id: user for user in users}
        if items:
            self._item_log.append(items_table(items), version)
            self._took([item.item_id for item in items], [item.text for item in items])
            self._changed_at |= dict.fromkeys((item.item_id for item in items), version)
            self._changed_items |= {item.item_id: item for item in items}
        self._version = max(self._version, version)

    def _took(self, item_ids: Sequence[str], texts: Sequence[str | None]) -> None:
        """Remembers the items whose text is not the imported one."""
        table, places = self._items
        imported = table[columns.TEXT]
        for item_id, text in zip(item_ids, texts, strict=True):
            place = places.get(item_id)
            if place is None or imported[place].as_py() != text:
                self._retexted.add(item_id)

    def _refresh(self) -> None:
        """Reads everything again when another import has come."""
        if self._imported != self._stamp():
            self._load()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._paths.data / ITEMS_FILE)
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def _load(self) -> None:
        self._imported = self._stamp()
        imported = _newest(load_earlier_items(self._paths), load_imported_items(self._paths))
        self._items = _placed(imported, columns.ITEM_ID)
        self._users = _placed(load_imported_users(self._paths), columns.USER_ID)
        versions = self._item_log.read()
        item_ids = versions[columns.ITEM_ID].to_pylist()
        self._changed_at: dict[str, int] = dict(zip(item_ids, versions[VERSION].to_pylist(), strict=True))
        self._retexted: set[str] = set()
        self._took(item_ids, versions[columns.TEXT].to_pylist())
        items, users = self._item_log.newest(imported[:0]), self._user_log.newest(self._users[0][:0])
        self._changed_items = {item.item_id: item for item in items_of(items)}
        self._changed_users = {user.user_id: user for user in users_of(users)}


def _newest(earlier: pa.Table, imported: pa.Table) -> pa.Table:
    """`imported`, and the last version of each item that the files do not have any more."""
    gone = pc.invert(pc.is_in(earlier[columns.ITEM_ID], value_set=combined(imported[columns.ITEM_ID])))
    return pa.concat_tables([imported, last_of(earlier.filter(gone), [columns.ITEM_ID])])


def _placed(table: pa.Table, key: str) -> tuple[pa.Table, dict[str, int]]:
    return table, {identifier: place for place, identifier in enumerate(table[key].to_pylist())}


def _rows_of(table: pa.Table, places: dict[str, int], identifiers: Sequence[str]) -> pa.Table:
    known = dict.fromkeys(identifier for identifier in identifiers if identifier in places)
    return table.take(pa.array([places[identifier] for identifier in known], pa.int64()))


def _newer(changed: dict[str, Any], imported: dict[str, Any], identifiers: Sequence[str]) -> dict[str, Any]:
    """What the stream knows at least as newly as the import."""
    return {
        identifier: found
        for identifier in identifiers
        if (found := changed.get(identifier)) is not None
        and (identifier not in imported or found.at >= imported[identifier].at)
    }
