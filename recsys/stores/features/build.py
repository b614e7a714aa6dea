"""Feature rows as Parquet files, Feast's offline sources: built from the event lake and the catalog."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import atomic, columns
from recsys.config import Settings
from recsys.dataset.row_versions import changes_of
from recsys.errors import DataError, StoreUnavailableError
from recsys.features.event_log import EVENT_COLUMNS_READ, EventLog, read_log
from recsys.features.item_content import category_keys, item_content, item_text, item_vectors
from recsys.features.item_engagement import item_engagement
from recsys.features.user_actions import user_actions
from recsys.features.user_activity import user_activity
from recsys.features.user_searches import SEARCH_COLUMNS_READ, is_search, user_searches_blocks
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.instants import DAY, to_micros, utc_now
from recsys.progress import Progress, silent
from recsys.stores.features.history_rows import write_user_actions
from recsys.stores.features.inputs import changed_since, fingerprint, view_inputs
from recsys.stores.features.withdrawn_rows import newest_instants, withdrawn_rows
from recsys.stores.lake.dataset_files import is_catalog_alone, load_item_versions, load_items
from recsys.stores.lake.event_lake import open_lake
from recsys.stores.lake.item_log import item_log
from recsys.stores.stream.lake_flush import complete_lake

STATE_FILE = "built.json"
ROW_GROUP = 131_072  # of sorted rows: a scan for a range of time skips the others


def build_features(
    settings: Settings, progress: Progress = silent, with_text: bool = True, now: datetime | None = None
) -> dict[str, int]:
    """Builds the rows of every view whose inputs changed since it was last built; rows by view.

    A view's file is replaced as a whole when its new rows are on disk, so a killed build leaves the old ones.
    What workers have processed is written to the lake before it is read, see `complete_lake`.

    Args:
        with_text: whether texts are encoded; without, `item_text` gets an empty file unless it has one.
        now: the clock, by default the machine's; the rows' created timestamp unless workers have gone beyond.

    Raises:
        DataError: nothing was imported.
        StoreUnavailableError: the disk refused.
    """
    paths = settings.paths
    moment = to_micros(now or utc_now())
    created_at = complete_lake(paths, moment)
    state = _read_state(paths)
    wanted = view_inputs(settings, with_text)
    stale = stale_views(settings, with_text)
    # The encoder may not load, and that is better known before the other views have taken their minutes.
    stale.sort(key=lambda view: view != columns.ITEM_TEXT)
    build = _Build(settings, created_at, progress)
    with progress("build features", len(VIEW_SCHEMAS)) as advance:
        advance(len(VIEW_SCHEMAS) - len(stale))
        for view in stale:
            since = changed_since(view, state.get(view, {}).get("parts"), wanted[view], item_log(paths))
            tables = build.tables(view, with_text)
            emptied = view == columns.ITEM_TEXT and not with_text
            kept = (moment, build.created_at)
            if view == columns.USER_HISTORY:
                rows = write_user_actions(paths, tables, kept)
            else:
                rows = write_rows(paths, view, tables, None if emptied else kept)
            state[view] = {
                "inputs": fingerprint(wanted[view]),
                "rows": rows,
                "parts": wanted[view],
                **_unread(state.get(view, {}).get("unread"), since),
            }
            _write_state(paths, state)
            advance(1)
    _read_again(settings, state)
    return {view: int(state[view]["rows"]) for view in VIEW_SCHEMAS}


def stale_views(settings: Settings, with_text: bool = True) -> list[str]:
    """The views whose rows are missing or whose inputs changed since they were built."""
    paths = settings.paths
    state, wanted = _read_state(paths), view_inputs(settings, with_text)
    stale = [
        view
        for view in VIEW_SCHEMAS
        if not paths.feature_rows(view).exists()
        or state.get(view, {}).get("inputs") != fingerprint(wanted[view])
    ]
    if not with_text and paths.feature_rows(columns.ITEM_TEXT).exists() and columns.ITEM_TEXT in state:
        stale = [view for view in stale if view != columns.ITEM_TEXT]
    return stale


def _unread(before: int | None, since: int | None) -> dict[str, int]:
    """From when on rows of a view wait to be materialized again, however far that has come."""
    known = [each for each in (before, since) if each is not None]
    return {"unread": min(known)} if known else {}


def _read_again(settings: Settings, state: dict[str, dict[str, Any]]) -> None:
    """Lets the next incremental materialization begin with the oldest row that changed, in each view."""
    unread = {view: since for view in VIEW_SCHEMAS if (since := state[view].get("unread")) is not None}
    if not unread:
        return
    if settings.paths.feast_registry.exists():
        from recsys.stores.features.feast_registry import rewind_materialization  # Feast takes a second

        rewind_materialization(settings, unread)
    for view in unread:
        del state[view]["unread"]
    _write_state(settings.paths, state)


class _Build:
    """One build: inputs are read when the first view needs them."""

    def __init__(self, settings: Settings, created_at: int, progress: Progress) -> None:
        self._settings = settings
        self.created_at = created_at
        self._progress = progress
        self._read_items: pa.Table | None = None
        self._read_versions: pa.Table | None = None
        self._read_log: EventLog | None = None

    @property
    def _items(self) -> pa.Table:
        if self._read_items is None:
            self._read_items = load_items(self._settings.paths)
        return self._read_items

    @property
    def _versions(self) -> pa.Table:
        """One row a version: a join at a past instant finds the price and the text of then."""
        if self._read_versions is None:
            self._read_versions = load_item_versions(self._settings.paths)
        return self._read_versions

    @property
    def _log(self) -> EventLog:
        if self._read_log is None:
            events = open_lake(self._settings.paths).read_as_happened(EVENT_COLUMNS_READ)
            if not len(events) and not is_catalog_alone(self._settings.paths):
                raise DataError(
                    f"{self._settings.paths.lake} holds no events. Run `recsys data import` first."
                )
            self._read_log = read_log(events)
        return self._read_log

    @property
    def _searches(self) -> pa.Table:
        events = open_lake(self._settings.paths).read_as_happened(SEARCH_COLUMNS_READ)
        return events.filter(pa.array(is_search(events)))

    def tables(self, view: str, with_text: bool) -> Iterable[pa.Table]:
        """The rows of `view`, in parts."""
        builders: Mapping[str, Callable[[], pa.Table | Iterator[pa.Table]]] = {
            columns.USER_ACTIVITY: lambda: user_activity(
                self._log, category_keys(self._items, self._log.items), self.created_at
            ),
            columns.USER_HISTORY: lambda: user_actions(self._log, self.created_at),
            columns.USER_SEARCHES: lambda: user_searches_blocks(self._searches, self.created_at),
            columns.ITEM_ENGAGEMENT: lambda: item_engagement(self._log, self.created_at),
            columns.ITEM_CONTENT: lambda: item_content(self._versions, self._start(), self.created_at),
            columns.ITEM_VECTORS: lambda: item_vectors(
                changes_of(self._versions, columns.VECTORS), self._start(), self.created_at
            ),
            columns.ITEM_TEXT: self._text if with_text else VIEW_SCHEMAS[columns.ITEM_TEXT].empty_table,
        }
        built = builders[view]()
        return (built,) if isinstance(built, pa.Table) else built

    def _text(self) -> pa.Table:
        from recsys.models.encoders.text_encoder import load_encoder  # torch
        from recsys.stores.encoders.text_vectors import TextVectors

        versions = changes_of(self._versions, columns.TEXT)
        texts = [text or "" for text in versions[columns.TEXT].to_pylist()]
        if not any(text.strip() for text in texts):  # no encoder is needed where there is nothing to read
            return item_text(versions, np.zeros((len(texts), 0), np.float32), *self._known())
        encoder = load_encoder(self._settings.text)
        vectors = TextVectors(self._settings.paths.text_vectors).vectors(encoder, texts, self._progress)
        return item_text(versions, vectors, *self._known())

    def _known(self) -> tuple[int, int]:
        """From when items are known at the latest, and when their rows were made."""
        return self._start(), self.created_at

    def _start(self) -> int:
        """From when an item without an instant of its own is known: a day before the first event."""
        return int(self._log.at[0] if len(self._log) else self.created_at) - DAY


def write_rows(
    paths: HomePaths,
    view: str,
    tables: pa.Table | Iterable[pa.Table],
    kept: tuple[int, int] | None = None,
) -> int:
    """Replaces the rows of `view` at once; returns how many there are now.

    Args:
        tables: all rows, or parts of them that are written one after the other.
        kept: the clock and the created timestamp (microseconds) for rows of entities whose newest row is not
            among `tables`, see `withdrawn_rows`; without it there are none.

    Raises:
        StoreUnavailableError: the disk refused; the old rows are still there.
    """
    file, schema = paths.feature_rows(view), VIEW_SCHEMAS[view]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(file) as partial:
            rows = _write(partial, tables, schema)
            if kept is not None and file.exists():
                lost = withdrawn_rows(partial, schema, newest_instants(file, schema, kept[0]), *kept)
                if len(lost):
                    with atomic.replacing(partial, durable=False) as longer:
                        rows = _write(longer, chain(_parts(partial), (lost,)), schema)
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
    return rows


def _write(file: Path, tables: pa.Table | Iterable[pa.Table], schema: pa.Schema) -> int:
    parts = iter((tables,) if isinstance(tables, pa.Table) else tables)
    first, rows = next(parts, schema.empty_table()), 0
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for table in chain((first,), parts):
            writer.write_table(table, ROW_GROUP)
            rows += len(table)
    return rows


def _parts(file: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(file) as opened:
        for group in range(opened.num_row_groups):
            yield opened.read_row_group(group)


def _read_state(paths: HomePaths) -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads((paths.features / STATE_FILE).read_text("utf-8")))
    except (OSError, ValueError):
        return {}  # never built, or half known: build again


def _write_state(paths: HomePaths, state: dict[str, dict[str, Any]]) -> None:
    file = paths.features / STATE_FILE
    try:
        atomic.write_text(file, json.dumps(state, indent=2) + "\n")
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
