"""What an import does to the items and users that are known: which rows get a new date, which begin anew."""

import logging
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import combined
from recsys.dataset.delisted_items import with_delisted_items
from recsys.dataset.row_versions import ImportedVersions, dated_versions
from recsys.errors import DataError, RecsysError
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
    paths: HomePaths,
    staging: HomePaths,
    imported: ImportedShop,
    mapping: ShopMapping,
    now: datetime,
    least_share: float = 0.0,
) -> ImportedShop:
    """The import with its items and users dated by the import before; earlier versions go to `staging`.

    Args:
        least_share: of the items that were for sale; an import whose catalog has fewer of them is refused.

    Raises:
        DataError: it has fewer.
        StoreUnavailableError: the disk refused.
    """
    items, users = _versions(paths, imported, mapping, now, least_share)
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
    paths: HomePaths, imported: ImportedShop, mapping: ShopMapping, now: datetime, least_share: float
) -> tuple[ImportedVersions, ImportedVersions]:
    if not _goes_on(paths, mapping):
        return _first(imported.items), _first(imported.users)
    before, earlier = load_imported_items(paths), load_earlier_items(paths)
    priced = mapping.items.price is not None and mapping.items.price.source == "events"
    items, delisted = with_delisted_items(
        imported.items, imported.unlisted, pa.concat_tables([earlier, before]), priced
    )
    _check_items(items, before, delisted, least_share)
    versions = dated_versions(items, before, earlier, now)
    versions = replace(versions, changed=versions.changed - delisted, gone=versions.gone + delisted)
    return versions, dated_versions(
        imported.users, load_imported_users(paths), load_earlier_users(paths), now
    )


def _check_items(items: pa.Table, before: pa.Table, delisted: int, least_share: float) -> None:
    """Rejects a catalog that lost most of what was for sale; what is out of stock is not lost."""
    sold = before.filter(before[columns.AVAILABLE])[columns.ITEM_ID]
    listed = int(pc.sum(pc.is_in(sold, value_set=combined(items[columns.ITEM_ID]))).as_py() or 0) - delisted
    if listed < len(sold) * least_share:
        raise DataError(
            f"only {listed} of the {len(sold)} items that were for sale are still in the catalog. Is its file "
            "cut short, or another one? Pass --force to import it all the same: the others are then "
            "unavailable. Nothing was changed."
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
