"""The feature rows that a training reads: those of the home, or of a home inside of it without the test.

Rows of an instant are made of what came before it, with two exceptions. Under leave-one-out each user has a
test of their own, and the rows of an item count what all of its users did: they would tell of one user's test
in the training of another. And the categories that users prefer, and which ready vectors there are, are those
of the newest catalog.
"""

import json
import logging
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import atomic, columns
from recsys.arrays import IntArray
from recsys.config import Settings
from recsys.dataset.price_versions import catalog_versions, with_event_prices
from recsys.dataset.row_versions import ImportedVersions, changes_of, newest_apart
from recsys.dataset.schemas import EVENT_SCHEMA, USER_SCHEMA
from recsys.dataset.shop import Shop
from recsys.dataset.split import TEST, Split, leave_one_out_parts
from recsys.home import HomePaths
from recsys.ingest.mapping.files import load_mapping
from recsys.ingest.tables.unit_prices import UnitPrices
from recsys.instants import NEVER
from recsys.progress import Progress
from recsys.stores.encoders.text_precision import read_precision, write_precision
from recsys.stores.features.build import build_features
from recsys.stores.features.feast_registry import keeps_registry_at_home
from recsys.stores.features.inputs import fingerprint, view_inputs
from recsys.stores.features.offline import APPLIED_FILE, OfflineFeatures
from recsys.stores.lake.dataset_files import (
    MAPPING_FILE,
    load_earlier_items,
    load_imported_items,
    load_item_versions,
    save_earlier,
    save_items,
)
from recsys.stores.lake.event_lake import EventLake, open_lake
from recsys.stores.lake.item_log import item_log

_MADE_OF = "made-of.json"

log = logging.getLogger(__name__)


def open_training_features(
    settings: Settings, shop: Shop, split: Split, progress: Progress
) -> OfflineFeatures:
    """The features to train on, built and applied; those of the home itself are too, for the test.

    Where Feast's registry is not in the home there can be only one set of rows: the home's, with a warning.
    """
    build_features(settings, progress)
    features = OfflineFeatures(settings)
    with progress("feast apply", None):
        features.apply()
    if not _knows_test(settings.paths, shop, split):
        return features
    if not keeps_registry_at_home(settings):
        log.warning(
            "Feast's registry is not in the home, so training reads features that know something of the "
            "test: under leave-one-out what other users did in theirs, else categories that changed since "
            "it began. Keep the registry in the home."
        )
        return features
    return OfflineFeatures(_without_test(settings, shop, split, progress))


def _knows_test(paths: HomePaths, shop: Shop, split: Split) -> bool:
    """Whether feature rows of before a test may depend on it; without a clock none is counted over time."""
    if shop.info.clock == "order" or not len(split.test):
        return False
    if split.test_start is None:
        return True
    versions = load_item_versions(paths)
    changed = (changes_of(versions, name) for name in (columns.CATEGORY, columns.VECTORS))
    return any((_micros(table) >= split.test_start).any() for table in changed)


def _without_test(settings: Settings, shop: Shop, split: Split, progress: Progress) -> Settings:
    """The settings of a home inside of the home, in which the test has not begun."""
    paths, own = settings.paths, settings.model_copy(update={"home": settings.paths.without_test})
    folder, made_of = own.paths.home, _made_of(settings, shop, split)
    if not (folder / _MADE_OF).exists() or (folder / _MADE_OF).read_text("utf-8") != made_of:
        shutil.rmtree(folder, ignore_errors=True)
        _write_home(paths, own.paths, shop, split)
        atomic.write_text(folder / _MADE_OF, made_of)
    build_features(own, progress)
    own.paths.features.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(paths.feast_registry, own.paths.feast_registry)
    shutil.copyfile(paths.features / APPLIED_FILE, own.paths.features / APPLIED_FILE)
    return own


def _made_of(settings: Settings, shop: Shop, split: Split) -> str:
    """What the inner home depends on."""
    inputs = {view: fingerprint(each) for view, each in view_inputs(settings, with_text=True).items()}
    imported = [shop.info.mapping_sha256, shop.info.imported_at.isoformat()]
    return json.dumps([inputs, imported, split.protocol, split.test_start])


def _write_home(paths: HomePaths, own: HomePaths, shop: Shop, split: Split) -> None:
    events = _events_before_test(paths, shop, split)
    EventLake(own.lake, durable=False).append(events)
    imported = pa.concat_tables(_imported_versions(paths, events, split))
    versions = item_log(paths).over(imported)
    if split.test_start is not None:
        versions = versions.filter(pa.array(_micros(versions) < split.test_start))
    earlier, newest = newest_apart(versions, versions)
    save_items(own, newest)
    save_earlier(own, earlier, USER_SCHEMA.empty_table())
    paths.text_vectors.mkdir(parents=True, exist_ok=True)
    if (found := read_precision(paths)) is not None:
        write_precision(own, found)
    own.text_vectors.symlink_to(paths.text_vectors, target_is_directory=True)  # no text is encoded twice


def _imported_versions(paths: HomePaths, events: pa.Table, split: Split) -> tuple[pa.Table, pa.Table]:
    """The earlier and the newest items of the import, with prices that only `events` tell where events do."""
    earlier, newest = load_earlier_items(paths), load_imported_items(paths)
    price = load_mapping(str(paths.data / MAPPING_FILE)).items.price
    if split.test_start is not None or price is None or price.source != "events":
        return earlier, newest  # a price of an instant is that of what was paid before it
    earlier, newest = catalog_versions(earlier, newest)
    prices = UnitPrices()
    prices.add(events, EVENT_SCHEMA.empty_table())
    streamed = item_log(paths).newest(newest.slice(0, 0))
    told = prices.versions(int(_micros(events).max()))
    found = with_event_prices(ImportedVersions(newest, earlier, 0, 0, 0), told, streamed)
    return found.earlier, found.newest


def _events_before_test(paths: HomePaths, shop: Shop, split: Split) -> pa.Table:
    """The log as it happened, up to the test; under leave-one-out each user's up to the user's own."""
    events, interactions = open_lake(paths).read_as_happened(), shop.interactions
    if split.test_start is not None:
        return events.filter(pa.array(_micros(events) < split.test_start))
    tested = leave_one_out_parts(interactions) == TEST
    ends = np.full(len(interactions.users), NEVER, np.int64)
    ends[interactions.user_index[tested]] = interactions.at[tested]
    names = pa.array(interactions.users.ids, pa.string())
    user = pc.index_in(events[columns.USER_ID], value_set=names).fill_null(0).to_numpy()
    return events.filter(pa.array(_micros(events) < ends[user]))


def _micros(table: pa.Table) -> IntArray:
    return np.asarray(table[columns.AT].cast(pa.int64()).to_numpy(), np.int64)
