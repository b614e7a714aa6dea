"""What workers begin with: the shop's rules, and the state as if all imported events had been streamed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, IntArray
from recsys.catalog import stable_key
from recsys.config import Settings
from recsys.errors import InvalidEventError, StoreUnavailableError
from recsys.features.item_content import keys_of
from recsys.features.user_searches import SEARCH_COLUMNS_READ
from recsys.home import HomePaths
from recsys.ingest.mapping.files import load_mapping
from recsys.ingest.mapping.schema import ShopMapping
from recsys.ingest.tables.live_rejects import live_rejects
from recsys.instants import from_micros
from recsys.jobs.stream.lake_state import LakeState
from recsys.stores.lake.dataset_files import INFO_FILE, ITEMS_FILE, MAPPING_FILE, load_info, load_items
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.locks import wait_for_lock
from recsys.stores.stream.lake_flush import flush_waiting
from recsys.stores.stream.state import SqliteStreamState
from recsys.streaming.parsing import event_id_hashes
from recsys.streaming.state import DUE, InitialState, ItemState, UserState
from recsys.streaming.stream import EventStream, partition_of
from recsys.streaming.user_logs.log import decode_logs, encode_logs
from recsys.streaming.user_logs.searches import add_searches, encode_searches
from recsys.streaming.worker import ShopRules


def epoch_of(paths: HomePaths, partitions: int) -> str:
    """The name of what a state is begun with: the import and the number of partitions of users.

    Raises:
        DataError: nothing was imported.
    """
    load_info(paths)  # says what is wrong, and completes an import that was cut short
    content = (paths.data / INFO_FILE).read_bytes()
    return f"{hashlib.sha256(content).hexdigest()[:16]}-{partitions}"


def begin_state(
    settings: Settings, state: SqliteStreamState, stream: EventStream, now: int, anew: bool = False
) -> bool:
    """Begins the state from the lake unless it belongs to the present import; returns whether it was begun.

    Only one process does, others wait for it. What workers have processed since the last import is in the
    lake's live part, so a new import takes it along.

    Args:
        anew: begin it in any case.
    """
    paths, partitions = settings.paths, stream.partitions
    current = not anew and belongs_to_import(state.epoch(), epoch_of(paths, partitions))
    if current and not state.lacks_searches():
        return False
    with _begin_lock(paths):
        epoch = epoch_of(paths, partitions)
        if not anew and belongs_to_import(state.epoch(), epoch):
            _fill_searches(paths, state, partitions)
            return False
        state.pause()  # from here on no worker commits anything, so what the lake gets now is all
        flush_waiting(state, EventLake(paths.live))
        epoch = f"{epoch}.{uuid4().hex[:8]}"
        with LakeState(open_lake(paths), shop_mapping(paths), paths.stream) as begun:
            state.begin(_initial_state(settings, state, stream, epoch, now, begun))
    return True


def belongs_to_import(epoch: str | None, origin: str) -> bool:
    """Whether a state of `epoch` was begun with `origin`, see `epoch_of`; each begin has its own epoch."""
    return epoch is not None and epoch.partition(".")[0] == origin


def shop_rules(paths: HomePaths, categories: "ItemCategories") -> ShopRules:
    """Weights and cleaning of the imported shop, and its categories."""
    mapping = shop_mapping(paths)
    return ShopRules(
        mapping.kind_weights,
        mapping.label_kinds,
        mapping.cleaning,
        categories,
        live_rejects(mapping.events),
        categories.is_known,
        categories.check if mapping.items.unknown == "quarantine" else None,
        lambda: categories.version,
    )


def shop_mapping(paths: HomePaths) -> ShopMapping:
    """The mapping that the shop was imported by."""
    return load_mapping(str(paths.data / MAPPING_FILE))


class ItemCategories:
    """The categories of the catalog by stable keys; `refresh` reads changed items.

    Attributes:
        version: of what they are, counted from 0.
    """

    def __init__(self, paths: HomePaths) -> None:
        self.version = -1
        self._paths = paths
        self._seen: tuple[float, ...] = ()
        self._keys = self._categories = np.zeros(0, np.int64)
        self.refresh()

    def __call__(self, item_keys: IntArray) -> IntArray:
        """The key of each item's category, 0 = none or unknown."""
        if not len(self._keys):
            return np.zeros(len(item_keys), np.int64)
        place = np.minimum(np.searchsorted(self._keys, item_keys), len(self._keys) - 1)
        return np.where(self._keys[place] == item_keys, self._categories[place], 0)

    def is_known(self, item_keys: IntArray) -> BoolArray:
        """Whether the catalog has each item."""
        if not len(self._keys):
            return np.zeros(len(item_keys), bool)
        place = np.minimum(np.searchsorted(self._keys, item_keys), len(self._keys) - 1)
        return np.asarray(self._keys[place] == item_keys)

    def check(self, item_id: str) -> None:
        """Raises InvalidEventError for an item that the catalog does not have."""
        key = np.array([stable_key(item_id)], np.int64)
        if self.is_known(key)[0]:
            return
        self.refresh()  # it may have come a moment ago
        if not self.is_known(key)[0]:
            raise InvalidEventError(
                f"item {item_id!r} is not in the catalog, and the mapping says `[items] unknown = "
                '"quarantine"`. Send an item_upsert of it, then run `recsys stream dlq retry --all`.'
            )

    def refresh(self) -> None:
        """Reads the items again if their files have changed."""
        places = (self._paths.data / ITEMS_FILE, self._paths.home / "lake" / "items")
        seen = tuple(path.stat().st_mtime_ns for path in places if path.exists())
        if seen == self._seen:
            return
        items = load_items(self._paths)
        keys = keys_of(items[columns.ITEM_ID])
        order = np.argsort(keys)
        keys, found = keys[order], keys_of(items[columns.CATEGORY])[order]
        self._seen = seen
        if self.version < 0 or not (
            np.array_equal(keys, self._keys) and np.array_equal(found, self._categories)
        ):
            self._keys, self._categories = keys, found
            self.version += 1


def _initial_state(
    settings: Settings, state: SqliteStreamState, stream: EventStream, epoch: str, now: int, begun: LakeState
) -> InitialState:
    # A client may send an event again that the shop's files held: one that is no older than this.
    since = from_micros(now) - timedelta(days=settings.stream.lateness_days + 1)
    recent = open_lake(settings.paths).event_ids(since)
    # Without offsets of its own a state begins behind what the stream was told to be safe in the lake.
    committed = {each.partition: each.committed_offset for each in stream.status()}
    offsets = state.offsets(range(stream.partitions))
    return InitialState(
        epoch=epoch,
        sequence=begun.last_sequence + 1,
        offsets={each: offset or committed.get(each, 0) for each, offset in offsets.items()},
        users=(
            (user, UserState(partition_of(user, stream.partitions), log, DUE, part.searches.get(user, b"")))
            for part in begun.users()
            for user, log in part.logs.items()
        ),
        items=((item, ItemState(counters, DUE)) for part in begun.items() for item, counters in part.items()),
        seen=np.unique(event_id_hashes(recent)),
    )


def _fill_searches(paths: HomePaths, state: SqliteStreamState, partitions: int) -> None:
    """Gives a state of an earlier version what users searched for, as the lake has it."""
    if not state.lacks_searches():
        return
    flush_waiting(state, EventLake(paths.live))
    events = open_lake(paths).read_as_happened(SEARCH_COLUMNS_READ)
    found = encode_searches(add_searches({}, events))
    nothing = encode_logs(decode_logs([*found], {}))
    state.fill_searches(
        (user, UserState(partition_of(user, partitions), nothing[user], DUE, searches))
        for user, searches in found.items()
    )


@contextmanager
def _begin_lock(paths: HomePaths) -> Iterator[None]:
    try:
        paths.stream.mkdir(parents=True, exist_ok=True)
        file = wait_for_lock(paths.stream / "begin.lock")
    except OSError as error:
        raise StoreUnavailableError(
            "stream state", f"lock {paths.stream} ({error.strerror})", 0.0, "Mend the rights of the folder."
        ) from error
    with file:
        yield
