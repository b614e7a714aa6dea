"""Feature rows as Parquet files, Feast's offline sources: built from the event lake and the catalog."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys import atomic, columns
from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.instants import to_micros, utc_now
from recsys.progress import Progress, silent
from recsys.stores.features.action_files import WrittenRows, add_actions
from recsys.stores.features.grown_views import grown_views
from recsys.stores.features.history_rows import write_user_actions
from recsys.stores.features.inputs import changed_since, fingerprint, view_inputs
from recsys.stores.features.view_tables import ViewTables
from recsys.stores.features.withdrawn_rows import NewestInstants, newest_instants, withdrawn_rows
from recsys.stores.lake.item_log import item_log
from recsys.stores.stream.lake_flush import complete_lake

STATE_FILE = "built.json"
log = logging.getLogger(__name__)

ROW_GROUP = 16_384  # rows of a bucket by instant: a scan for a range of time skips the others


def build_features(
    settings: Settings, progress: Progress = silent, with_text: bool = True, now: datetime | None = None
) -> dict[str, int]:
    """Builds the rows of every view whose inputs changed since it was last built; rows by view.

    Where only new events came, and few, the rows that they change are written beside those that stay, see
    `grown_views`. A file is replaced as a whole when its new rows are on disk, so a killed build leaves the
    old ones. What workers have processed is written to the lake before it is read, see `complete_lake`.

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
    grown = grown_views(paths, {view: state.get(view, {}) for view in stale}, wanted)
    with (
        ViewTables(settings, created_at, stale, grown, progress) as made,
        progress("build features", len(VIEW_SCHEMAS)) as advance,
    ):
        advance(len(VIEW_SCHEMAS) - len(stale))
        for view in stale:
            known = state.get(view, {})
            since = changed_since(view, known.get("parts"), wanted[view], item_log(paths))
            if view in grown:
                counts = _add(paths, view, made.changed(view), known, grown[view])
            else:
                emptied = view == columns.ITEM_TEXT and not with_text
                kept = None if emptied else (moment, created_at)
                counts = _replace(paths, view, made.tables(view, with_text), kept)
            state[view] = {
                "inputs": fingerprint(wanted[view]),
                **counts,
                "parts": wanted[view],
                **_unread(known.get("unread"), since),
            }
            _write_state(paths, state)
            advance(1)
    _read_again(settings, state)
    return {view: int(state[view]["rows"]) for view in VIEW_SCHEMAS}


def _add(
    paths: HomePaths, view: str, tables: Iterable[pa.Table], known: Mapping[str, Any], days: Sequence[date]
) -> dict[str, int | list[str]]:
    """Writes the rows that events of `days` changed beside those that are there; what to remember."""
    built = int(known.get("built", known["rows"]))
    if not days:
        return {name: known[name] for name in ("rows", "withdrawn", "built", "grown") if name in known}
    added = add_actions(paths, tables) if view == columns.USER_HISTORY else add_rows(paths, view, tables)
    log.info("%s: %d rows of what changed since %s, beside %d that stay", view, added, days[0], built)
    return {"rows": built + added, "built": built, "grown": [day.isoformat() for day in days]}


def _replace(
    paths: HomePaths, view: str, tables: Iterable[pa.Table], kept: tuple[int, int] | None
) -> dict[str, int | list[str]]:
    """Writes all rows anew; what to remember."""
    if view == columns.USER_HISTORY and kept is not None:
        written = write_user_actions(paths, tables, kept)
    else:
        written = write_rows(paths, view, tables, kept)
    log.info("%s: all %d rows anew", view, written.rows)
    return written._asdict()


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


def write_rows(
    paths: HomePaths,
    view: str,
    tables: pa.Table | Iterable[pa.Table],
    kept: tuple[int, int] | None = None,
) -> WrittenRows:
    """Replaces the rows of `view` at once, those too that `add_rows` added.

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
            newest = NewestInstants(schema, kept[0]) if kept and file.exists() else None
            written = WrittenRows(_write(partial, tables, schema, newest), 0)
            if newest is not None and kept is not None:
                before = newest_instants(paths.row_files(view), schema, kept[0])
                lost = withdrawn_rows(partial, schema, before, newest.table(), kept[1])
                if len(lost):
                    with atomic.replacing(partial, durable=False) as longer:
                        rows = _write(longer, chain(_parts(partial), (lost,)), schema)
                    written = WrittenRows(rows, len(lost))
        paths.changed_rows(view).unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
    return written


def add_rows(paths: HomePaths, view: str, tables: Iterable[pa.Table]) -> int:
    """Puts rows beside those of `view`, in place of any that were added before; returns how many.

    Of equal entity and event timestamp the later created row counts, so they take the place of rows.

    Raises:
        StoreUnavailableError: the disk refused; the rows are as before.
    """
    file = paths.changed_rows(view)
    try:
        with atomic.replacing(file) as partial:
            return _write(partial, tables, VIEW_SCHEMAS[view])
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error


def _write(
    file: Path,
    tables: pa.Table | Iterable[pa.Table],
    schema: pa.Schema,
    newest: NewestInstants | None = None,
) -> int:
    parts = iter((tables,) if isinstance(tables, pa.Table) else tables)
    first, rows = next(parts, schema.empty_table()), 0
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for table in chain((first,), parts):
            writer.write_table(table, ROW_GROUP)
            rows += len(table)
            if newest is not None:
                newest.add(table)
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
        atomic.write_text(file, json.dumps(state) + "\n")  # in lines it would take seconds
    except OSError as error:
        raise StoreUnavailableError("disk", f"write {file}", 0.0, f"{error}.") from error
