"""An import as one step: a home has either the data from before or the new one, whatever happens.

Everything is written beside the home's data, in `import-staging`. When all is there the folder is renamed
to `import-ready`, and that rename is the moment of success: moving its parts into place can be repeated,
so whoever finds an `import-ready` after a crash finishes the job.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import ImportSettings
from recsys.dataset.info import DatasetInfo
from recsys.documents import JsonObject
from recsys.errors import DataError, StoreUnavailableError
from recsys.home import HomePaths
from recsys.ingest.imported import ImportedShop, ShopFiles
from recsys.ingest.importer import import_shop
from recsys.ingest.mapping.files import mapping_sha256, mapping_text, parse_mapping
from recsys.ingest.mapping.sources import Source
from recsys.ingest.readers.files import find_files
from recsys.ingest.readers.limits import read_limits
from recsys.ingest.tables.rejections import QUARANTINE_SCHEMA
from recsys.jobs.data.demo import DEMO_MAPPING, demo_folder
from recsys.jobs.data.source_files import describe_files, save_sources
from recsys.jobs.data.versions import date_imported_rows
from recsys.progress import Progress, silent
from recsys.stores.lake.dataset_files import (
    INFO_FILE,
    MAPPING_FILE,
    QUARANTINE_FOLDER,
    load_info,
    save_info,
    save_items,
    save_report,
    save_text,
    save_users,
)
from recsys.stores.lake.event_lake import AS_THEY_CAME, RETURNED_FOLDER, EventLake
from recsys.stores.lake.grown_days import keep_grown_days
from recsys.stores.lake.import_swap import READY, finish_import, import_lock
from recsys.stores.shop_identity import make_shop_id

_STAGING = "import-staging"
_FAILED = "import-failed"  # the quarantine of the last import, if that failed
_SPARE_BYTES = 200 << 20


@dataclass(frozen=True)
class ImportResult:
    """What was imported, and what came of every row."""

    info: DatasetInfo
    report: JsonObject

    def to_json(self) -> JsonObject:
        """What `recsys data import --json` prints."""
        return {"info": self.info.model_dump(mode="json"), "report": self.report}


def import_files(
    paths: HomePaths,
    mapping: str,
    folder: Path | None,
    now: datetime,
    progress: Progress = silent,
    settings: ImportSettings | None = None,
) -> ImportResult:
    """Imports the files in `folder` by a shipped mapping or a mapping file, as `run_import` does.

    Args:
        folder: None only for the demo shop, whose files are known.
        settings: what is too large to be believed; the defaults if None.

    Raises:
        ConfigError: the mapping is unknown or wrong, or does not fit.
        DataError: no folder was given, or as `run_import`.
        StoreUnavailableError: as `run_import`.
    """
    shop, text = shop_files(paths, mapping, folder, settings)
    imported = run_import(paths, shop, text, now, progress)
    return ImportResult(imported.info, imported.report)


def shop_files(
    paths: HomePaths, mapping: str, folder: Path | None, settings: ImportSettings | None = None
) -> tuple[ShopFiles, str]:
    """A shop's files with their mapping, and the mapping's text; arguments and errors as `import_files`."""
    path, text = mapping_text(mapping)
    parsed = parse_mapping(text, path)
    if folder is None and mapping != DEMO_MAPPING:
        raise DataError(f"which files? Pass --source with the folder of the shop that {mapping} describes.")
    place = demo_folder(paths) if folder is None else folder
    return ShopFiles(parsed, mapping_sha256(text), place, read_limits(settings or ImportSettings())), text


def run_import(
    paths: HomePaths,
    shop: ShopFiles,
    mapping_text: str,
    now: datetime,
    progress: Progress = silent,
    least_share: float = 0.0,
) -> ImportedShop:
    """Imports a shop into a home, replacing what it had: the same files again give the same home.

    Items and users whose content changed since the last import get a further version, see `dated_versions`.

    Args:
        least_share: of the last import's events, and of its items that were for sale; an import that keeps
            fewer is refused.

    Raises:
        ConfigError: the mapping is wrong or does not fit.
        DataError: the files are wrong, or another import into this home is running.
        StoreUnavailableError: the disk is full or refuses.

    In each case the home is as before, but for `import-failed`: the rows that a DataError speaks of.
    """
    with import_lock(paths):
        finish_import(paths)
        files = source_paths(shop)
        _check_space(paths, files)
        sources = describe_files(files, shop.folder)  # as they were when they were read
        staging = HomePaths(paths.home / _STAGING)
        shutil.rmtree(staging.home, ignore_errors=True)
        quarantine = QuarantineFile(staging.data / QUARANTINE_FOLDER / "rows.parquet")
        try:
            with quarantine:
                imported = import_shop(
                    shop,
                    now,
                    EventLake(staging.lake, durable=False),
                    quarantine,
                    staging.home / "scratch",
                    progress,
                )
            _check_events(paths, imported.info.events, least_share)
            if imported.parts > 1:
                with progress("merge event files", None):
                    EventLake(staging.lake, durable=False).compact()
            if len(imported.returned):
                returned = staging.data / RETURNED_FOLDER
                EventLake(returned, durable=False).append(imported.returned)
                save_text(returned / AS_THEY_CAME, "")
            imported = date_imported_rows(paths, staging, imported, shop.mapping, now, least_share)
            save_items(staging, imported.items)
            save_users(staging, imported.users)
            save_report(staging, imported.report)
            save_text(staging.data / MAPPING_FILE, mapping_text)
            save_sources(staging, sources)
            save_info(staging, imported.info)
            keep_grown_days(EventLake(paths.lake), EventLake(staging.lake, durable=False))
            os.sync()  # once for all files of the lake, before the rename that makes them count
            staging.home.rename(paths.home / READY)
        except DataError as error:
            raise type(error)(f"{error}{_kept_quarantine(paths, quarantine)}") from error
        except OSError as error:
            raise StoreUnavailableError(
                "disk", f"write {staging.home} ({error.strerror or error})", 0.0, "Free some space."
            ) from error
        finally:
            shutil.rmtree(staging.home, ignore_errors=True)
        finish_import(paths)
        make_shop_id(paths)
        shutil.rmtree(paths.home / _FAILED, ignore_errors=True)
        return imported


class QuarantineFile:
    """Rows of `QUARANTINE_SCHEMA` in one Parquet file, there even if no row is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "QuarantineFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self.path, QUARANTINE_SCHEMA, compression="zstd")
        return self

    def append(self, table: pa.Table) -> None:
        """Writes the rows of `table` behind those from before."""
        if self._writer is not None and len(table):
            self._writer.write_table(table)
            self.rows += len(table)

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _kept_quarantine(paths: HomePaths, quarantine: QuarantineFile) -> str:
    """Moves the quarantine of a failed import to where it is kept; returns a sentence that says where."""
    folder = paths.home / _FAILED
    shutil.rmtree(folder, ignore_errors=True)
    if not quarantine.rows:
        return ""
    folder.mkdir()
    place = quarantine.path.rename(folder / quarantine.path.name)
    return f" Rejected rows until then ({quarantine.rows}): {place}."


def source_paths(shop: ShopFiles) -> list[Path]:
    """Every file that an import of `shop` reads.

    Raises:
        DataError: a name or glob fits no file.
    """
    mapping = shop.mapping
    tables = [*mapping.events, mapping.items, *([mapping.users] if mapping.users else [])]
    joins = [join for table in tables for join in table.join.values()]
    sources: list[Source] = [*tables, *joins, *mapping.items.vectors.values()]
    return [path for source in sources for path in find_files(source, shop.folder)]


def _check_events(paths: HomePaths, events: int, least_share: float) -> None:
    if least_share and (paths.data / INFO_FILE).exists() and events < load_info(paths).events * least_share:
        raise DataError(
            f"only {events} events are left of the files, fewer than half of what the last import kept. Is a "
            "file missing or cut short? Pass --force to import them all the same. Nothing was changed."
        )


def _check_space(paths: HomePaths, files: Sequence[Path]) -> None:
    """Rejects an import that would hardly fit: it may take as much as its sources, and unpacks `.gz`."""
    need = _SPARE_BYTES
    for path in files:
        need += os.path.getsize(path) * (3 if path.suffix == ".gz" else 1)
    free = shutil.disk_usage(paths.home).free
    if free < need:
        raise StoreUnavailableError(
            "disk",
            f"hold the import ({need >> 20} MiB wanted, {free >> 20} MiB free at {paths.home})",
            0.0,
            "Free some space or set RECSYS_HOME to another disk. Nothing was changed.",
        )
