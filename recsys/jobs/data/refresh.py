"""Brings a shop up to date: its files if any of them changed, its features, and the online store."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ConfigError, DataError, RecsysError
from recsys.ingest.imported import ShopFiles
from recsys.instants import utc_now
from recsys.jobs.data.features import build_feature_rows
from recsys.jobs.data.import_shop import run_import, shop_files, source_paths
from recsys.jobs.data.source_files import changed_files, load_sources
from recsys.jobs.preconditions import (
    check_feature_repository,
    check_online_store,
    check_text_encoder,
)
from recsys.jobs.server import running_server
from recsys.progress import Progress, silent
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.dataset_files import INFO_FILE, load_info
from recsys.stores.lake.event_lake import CountedOnce, open_lake
from recsys.stores.locks import try_lock

LEAST_SHARE = 0.5  # of the last import's events, and of its items for sale
SHOWN_FILES = 3
_LOCK = "refresh.lock"
_AGAIN = "Mend the cause, then run `recsys refresh` again"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh did.

    Attributes:
        imported: whether the files were read.
        reason: why they were, or why not.
        events: in the home's last import.
        counted_once: events that are in the files and came by the stream too.
        rows: of each feature view.
        until: the instant up to which the online store follows.
    """

    imported: bool
    reason: str
    events: int
    counted_once: CountedOnce
    rows: Mapping[str, int]
    until: datetime

    def to_json(self) -> JsonObject:
        """What `recsys refresh --json` prints."""
        return {
            "imported": self.imported,
            "reason": self.reason,
            "events": self.events,
            "counted_once": {"by_id": self.counted_once.by_id, "by_content": self.counted_once.by_content},
            "rows": self.rows,
            "until": self.until,
        }


def refresh_shop(
    settings: Settings, force: bool = False, progress: Progress = silent, with_text: bool = True
) -> RefreshResult:
    """Imports the files of `[import]` if any of them changed, builds and applies features, materializes them.

    A step that fails leaves the home as the steps before it did; the next refresh does what is missing. That
    Redis answers is made sure of before the first one; this home's own is started for the time if it is down.

    Args:
        force: import although fewer than half of the last import's events or items for sale are left.
        with_text: whether texts are encoded.

    Raises:
        ConfigError: the settings name no mapping, there is no feature repository, or as the steps do.
        DataError: another refresh is running, fewer than half of the events or items are left, or as the
            steps do.
        StoreUnavailableError: the disk refuses, or no Redis runs.
    """
    paths = settings.paths
    paths.home.mkdir(parents=True, exist_ok=True)
    lock = try_lock(paths.home / _LOCK)
    if lock is None:
        raise DataError(f"another refresh of {paths.home} is running. Wait for it to end.")
    with lock, ExitStack() as stack:
        files = _configured_shop(settings)
        check_feature_repository(settings)
        stack.enter_context(running_server(settings))
        check_online_store(settings)
        if with_text:
            check_text_encoder(settings)
        with _step("import", f"The home is as it was. {_AGAIN}."):
            imported, reason = _import_if_changed(settings, files, force, progress)
        counted_once = open_lake(paths).counted_once()
        if counted_once.by_id or counted_once.by_content:
            log.info(
                "events that came by the stream and are in the files too count once: %d by their id, %d by "
                "user, item, kind and instant",
                counted_once.by_id,
                counted_once.by_content,
            )
        if counted_once.alike:
            log.warning(
                "%d events of the stream came within a day after one of the files of the same user, item and "
                "kind that is told to the minute or the day, and count beside it. If they are the same, let "
                "the stream send the event ids of the files.",
                counted_once.alike,
            )
        with _step("features build and feast apply", f"The import is in place. {_AGAIN}: it goes on here."):
            rows = build_feature_rows(settings, progress, with_text).rows
        until = utc_now()
        step = "feast materialize-incremental"
        with _step(step, f"Feature rows are built. {_AGAIN}: it goes on here."), progress(step, None):
            OfflineFeatures(settings).materialize(until)
        if paths.ad_log.exists():
            from recsys.jobs.clicks.drift import remeasure_click_drift  # torch and scipy take seconds

            remeasure_click_drift(settings)
        return RefreshResult(imported, reason, load_info(paths).events, counted_once, rows, until)


def _import_if_changed(
    settings: Settings, files: tuple[ShopFiles, str], force: bool, progress: Progress
) -> tuple[bool, str]:
    """Whether the files were imported, and why or why not."""
    paths = settings.paths
    shop, text = files
    reason = _reason_to_import(settings, shop)
    if reason is None:
        log.info("no file is new or changed since the last import: it is not done again")
        return False, "no file is new or changed"
    log.info("importing all files: %s", reason)
    run_import(paths, shop, text, utc_now(), progress, 0.0 if force else LEAST_SHARE)
    return True, reason


def _configured_shop(settings: Settings) -> tuple[ShopFiles, str]:
    named = settings.import_
    if not named.mapping:
        raise ConfigError(
            "nothing says which files to import: set `mapping` and `source` in [import] of recsys.toml, or "
            "RECSYS_IMPORT__MAPPING and RECSYS_IMPORT__SOURCE."
        )
    file = settings.root / named.mapping
    mapping = str(file) if file.is_file() else named.mapping
    folder = settings.root / Path(named.source).expanduser() if named.source else None
    return shop_files(settings.paths, mapping, folder, named)


def _reason_to_import(settings: Settings, shop: ShopFiles) -> str | None:
    paths = settings.paths
    if not (paths.data / INFO_FILE).exists():
        return "nothing was imported yet"
    if load_info(paths).mapping_sha256 != shop.mapping_sha256:
        return "the mapping changed"
    before = load_sources(paths)
    if before is None:
        return "the last import did not write down its files"
    changed = changed_files(before, source_paths(shop), shop.folder)
    if not changed:
        return None
    more = f" and {len(changed) - SHOWN_FILES} more" if len(changed) > SHOWN_FILES else ""
    return f"new, changed or gone: {', '.join(changed[:SHOWN_FILES])}{more}"


@contextmanager
def _step(name: str, resume: str) -> Iterator[None]:
    """Says where a refresh stopped and how it goes on."""
    try:
        yield
    except RecsysError:
        log.error("the refresh stopped at: %s. %s", name, resume)
        raise
