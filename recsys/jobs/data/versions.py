"""What an import does to the items and users that are known: which rows get a new date, which begin anew."""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from recsys import columns
from recsys.arrays import combined
from recsys.dataset.delisted_items import with_delisted_items
from recsys.dataset.price_versions import catalog_versions, with_event_prices, without_prices
from recsys.dataset.row_versions import ImportedVersions, dated_versions
from recsys.dataset.streamed_versions import dated_after_stream
from recsys.errors import DataError, RecsysError
from recsys.home import HomePaths
from recsys.ingest.imported import ImportedShop
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
from recsys.stores.lake.item_log import VersionLog, item_log, user_log

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
    before = _mapping_before(paths, mapping)
    if before is None:
        items = _first(imported.items, imported.earlier)
        return _with_prices(items, imported, item_log(paths)), _first(imported.users)
    known_items, earlier_items = load_imported_items(paths), load_earlier_items(paths)
    known_users, earlier_users = load_imported_users(paths), load_earlier_users(paths)
    if _priced_by_events(before):
        earlier_items, known_items = catalog_versions(earlier_items, known_items)
    all_items, all_users = (
        pa.concat_tables(versions)
        for versions in ((earlier_items, known_items), (earlier_users, known_users))
    )
    rows, delisted = with_delisted_items(
        imported.items if imported.prices is None else without_prices(imported.items),
        imported.unlisted,
        all_items,
        _priced_by_events(before) or _priced_by_events(mapping),
    )
    if (before.items, before.users) != (mapping.items, mapping.users):
        # Those rows were a misunderstanding of the past and no past.
        items, users = _first(rows, imported.earlier), _first(imported.users)
    else:
        _check_items(rows, known_items, delisted, least_share)
        items = dated_versions(rows, known_items, earlier_items, now, imported.earlier)
        items = replace(items, changed=items.changed - delisted, gone=items.gone + delisted)
        users = dated_versions(imported.users, known_users, earlier_users, now)
    items = _with_prices(items, imported, item_log(paths))
    bare = imported.users.filter(pc.equal(imported.users[columns.ATTRIBUTES], "{}"))
    unlisted = set(bare[columns.USER_ID].to_pylist())
    return (
        _after_stream(items, item_log(paths), all_items, imported.unlisted, now),
        _after_stream(users, user_log(paths), all_users, unlisted, now),
    )


def _with_prices(
    versions: ImportedVersions, imported: ImportedShop, streamed_log: VersionLog
) -> ImportedVersions:
    """`versions` with the prices that events tell, where the mapping takes them from there."""
    if imported.prices is None:
        return versions
    streamed = streamed_log.newest(versions.newest.slice(0, 0))
    return with_event_prices(versions, imported.prices, streamed)


def _after_stream(
    versions: ImportedVersions,
    streamed_log: VersionLog,
    known: pa.Table,
    unlisted: Collection[str],
    now: datetime,
) -> ImportedVersions:
    if not streamed_log.last_version():
        return versions
    streamed = streamed_log.newest(known.slice(0, 0))
    return replace(versions, newest=dated_after_stream(versions.newest, streamed, known, unlisted, now))


def _check_items(items: pa.Table, before: pa.Table, delisted: int, least_share: float) -> None:
    """Rejects a catalog that lost most of what was for sale; what is out of stock is not lost."""
    sold = before.filter(before[columns.AVAILABLE])[columns.ITEM_ID]
    listed = int(pc.sum(pc.is_in(sold, value_set=combined(items[columns.ITEM_ID]))).as_py() or 0) - delisted
    if listed < len(sold) * least_share:
        raise DataError(
            f"only {listed} of the {len(sold)} items that were for sale are still in the catalog. Is its "
            "file cut short, or another one? Pass --force to import it all the same: the others are then "
            "unavailable. Nothing was changed."
        )


def _priced_by_events(mapping: ShopMapping) -> bool:
    return mapping.items.price is not None and mapping.items.price.source == "events"


def _first(rows: pa.Table, earlier: pa.Table | None = None) -> ImportedVersions:
    return ImportedVersions(rows, rows.slice(0, 0) if earlier is None else earlier, 0, len(rows), 0)


def _mapping_before(paths: HomePaths, mapping: ShopMapping) -> ShopMapping | None:
    """The last import's mapping; None if what the home knows are no earlier versions of what is imported.

    That is so where it is another shop, or has no clock.
    """
    if not (paths.data / MAPPING_FILE).exists() or mapping.clock == "order":
        return None
    try:
        for load in (load_imported_items, load_earlier_items, load_imported_users, load_earlier_users):
            load(paths)
        if load_info(paths).name != mapping.name:
            return None
        return load_mapping(str(paths.data / MAPPING_FILE))
    except RecsysError as error:
        log.warning("the last import cannot be read, so this one begins anew: %s", error)
        return None
