"""What the shop told of its users, held in memory for segments that ask `user.NAME`."""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from recsys import columns
from recsys.catalog import AttributeValue
from recsys.dataset.catalog_rows import attributes_of
from recsys.home import HomePaths
from recsys.rules.fields import Kind
from recsys.stores.lake.dataset_files import USERS_FILE, load_users
from recsys.stores.lake.item_log import user_log

MOST_LOOKED_AT = 100_000  # users whose attributes tell which there are


class UserAttributes:
    """Attributes by user, as imported and as streamed since; nothing is read before `refresh`."""

    def __init__(self, paths: HomePaths) -> None:
        self._paths = paths
        self._lock = Lock()
        self._signature: tuple[object, ...] = ()
        # Sorted ids and their documents, Arrow's as there may be millions; one reference for many threads.
        self._held: tuple[Any, Any] = ((), ())

    def refresh(self) -> None:
        """Reads the users again if they changed; a shop without an import has none.

        Raises:
            DataError: a file is damaged.
        """
        with self._lock:
            signature = self._state()
            if signature == self._signature:
                return
            if (self._paths.data / USERS_FILE).exists():
                users = load_users(self._paths).combine_chunks()
                held = tuple(
                    users[name].combine_chunks() if len(users) else ()
                    for name in (columns.USER_ID, columns.ATTRIBUTES)
                )
            else:
                held = ((), ())
            self._held, self._signature = (held[0], held[1]), signature

    def of(self, user_id: str) -> Mapping[str, AttributeValue]:
        """The attributes of a user; none of an unknown one."""
        ids, documents = self._held
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            if ids[middle].as_py() < user_id:
                low = middle + 1
            else:
                high = middle
        if low == len(ids) or ids[low].as_py() != user_id:
            return {}
        return attributes_of(documents[low].as_py())

    def kinds(self) -> Mapping[str, Kind]:
        """Which attributes there are, by the first MOST_LOOKED_AT users, and the kind of their values."""
        found: dict[str, set[Kind]] = {}
        documents = self._held[1]
        for place in range(min(len(documents), MOST_LOOKED_AT)):
            for name, value in attributes_of(documents[place].as_py()).items():
                found.setdefault(name, set()).add(_kind(value))
        return {name: kinds.pop() if len(kinds) == 1 else "any" for name, kinds in found.items()}

    def _state(self) -> tuple[object, ...]:
        return (_modified(self._paths.data / USERS_FILE), user_log(self._paths).last_version())


def _kind(value: AttributeValue) -> Kind:
    if isinstance(value, str):
        return "text"
    return "texts" if isinstance(value, tuple) else "number"


def _modified(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
