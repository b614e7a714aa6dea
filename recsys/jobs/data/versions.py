"""What an import does to the items and users that are known: which rows get a new date, which begin anew."""

import logging
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from recsys.dataset.row_versions import ImportedVersions, dated_versions
from recsys.errors import RecsysError
from recsys.home import HomePaths
from recsys.ingest.importer import ImportedShop
from recsys.ingest.mapping.files import load_mapping
from recsys.ingest.mapping.schema import ShopMapping
from recsys.stores.lake.dataset_files import (
    MAPPING_FILE,
    load_earlier_items,
    load_earlier_users,
    load_imported_items,
    load_imported_users,
    load_info,
    save_earlier,
)

log = logging.getLogger(__name__)


def date_imported_rows(
    paths: HomePaths, staging: HomePaths, imported: ImportedShop, mapping: ShopMapping, now: datetime
) -> ImportedShop:
    """The import with its items and users dated by the import before; earlier versions go to `staging`.

    Raises:
        StoreUnavailableError: the disk refused.
    """
    items, users = _versions(paths, imported, mapping, now)
    for name, found in (("items", items), ("users", users)):
        if found.changed or found.gone:
            log.info(
                "since the last import %d %s changed, %d are new, %d are gone",
                found.changed,
                name,
                found.new,
                found.gone,
            )
    save_earlier(staging, items.earlier, users.earlier)
    return replace(imported, items=items.newest, users=users.newest)


def _versions(
    paths: HomePaths, imported: ImportedShop, mapping: ShopMapping, now: datetime
) -> tuple[ImportedVersions, ImportedVersions]:
    if not _goes_on(paths, mapping):
        return _first(imported.items), _first(imported.users)
    return (
        dated_versions(imported.items, load_imported_items(paths), load_earlier_items(paths), now),
        dated_versions(imported.users, load_imported_users(paths), load_earlier_users(paths), now),
    )


def _first(rows: pa.Table) -> ImportedVersions:
    return ImportedVersions(rows, rows.slice(0, 0), 0, len(rows), 0)


def _goes_on(paths: HomePaths, mapping: ShopMapping) -> bool:
    """Whether what the home knows are earlier versions of what is imported.

    Not where it is another shop, has no clock, or where the mapping reads items and users otherwise now: then
    the rows from before were a misunderstanding of the past and no past.
    """
    if not (paths.data / MAPPING_FILE).exists() or mapping.clock == "order":
        return False
    try:
        for load in (load_imported_items, load_earlier_items, load_imported_users, load_earlier_users):
            load(paths)
        if load_info(paths).name != mapping.name:
            return False
        before = load_mapping(str(paths.data / MAPPING_FILE))
    except RecsysError as error:
        log.warning("the last import cannot be read, so this one begins anew: %s", error)
        return False
    return (before.items, before.users) == (mapping.items, mapping.users)
