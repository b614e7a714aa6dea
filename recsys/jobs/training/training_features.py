"""The feature rows that a training reads: under leave-one-out those of a log without the test moments.

There each user has a test of their own, and the rows of an item count what all of its users did. Made of the
whole log, they would tell of one user's test in the training of another.
"""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys import atomic, columns
from recsys.config import Settings
from recsys.dataset.price_versions import catalog_versions, with_event_prices
from recsys.dataset.row_versions import ImportedVersions
from recsys.dataset.schemas import EVENT_SCHEMA, USER_SCHEMA
from recsys.dataset.shop import Shop
from recsys.dataset.split import TEST, Split, leave_one_out_parts
from recsys.home import HomePaths
from recsys.ingest.mapping.files import load_mapping
from recsys.ingest.tables.unit_prices import UnitPrices
from recsys.instants import NEVER
from recsys.progress import Progress
from recsys.stores.features.build import build_features
from recsys.stores.features.feast_registry import keeps_registry_at_home
from recsys.stores.features.inputs import fingerprint, view_inputs
from recsys.stores.features.offline import APPLIED_FILE, OfflineFeatures
from recsys.stores.lake.dataset_files import (
    MAPPING_FILE,
    load_earlier_items,
    load_imported_items,
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

    Where the data has no clock no feature is counted over time, and where Feast's registry is not in the home
    there can be only one set of rows: both train on the features of the home.
    """
    build_features(settings, progress)
    features = OfflineFeatures(settings)
    features.apply()
    if split.test_start is not None or shop.info.clock == "order":
        return features
    if not keeps_registry_at_home(settings):
        log.warning(
            "Feast's registry is not in the home, so leave-one-out trains on features that count what other "
            "users did in their tests. Use --protocol time-split, or keep the registry in the home."
        )
        return features
    return OfflineFeatures(_without_tests(settings, shop, progress))


def _without_tests(settings: Settings, shop: Shop, progress: Progress) -> Settings:
    """The settings of a home inside of the home, whose log ends before each user's test moment."""
    paths, own = settings.paths, settings.model_copy(update={"home": settings.paths.leave_one_out})
    folder, made_of = own.paths.home, _made_of(settings, shop)
    if not (folder / _MADE_OF).exists() or (folder / _MADE_OF).read_text("utf-8") != made_of:
        shutil.rmtree(folder, ignore_errors=True)
        _write_home(paths, own.paths, shop)
        atomic.write_text(folder / _MADE_OF, made_of)
    build_features(own, progress)
    own.paths.features.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(paths.feast_registry, own.paths.feast_registry)
    shutil.copyfile(paths.features / APPLIED_FILE, own.paths.features / APPLIED_FILE)
    return own


def _made_of(settings: Settings, shop: Shop) -> str:
    """What the inner home depends on."""
    inputs = {view: fingerprint(each) for view, each in view_inputs(settings, with_text=True).items()}
    return json.dumps([inputs, shop.info.mapping_sha256, shop.info.imported_at.isoformat()])


def _write_home(paths: HomePaths, own: HomePaths, shop: Shop) -> None:
    events = _events_before_tests(paths, shop)
    EventLake(own.lake, durable=False).append(events)
    newest, earlier = load_imported_items(paths), load_earlier_items(paths)
    mapping = load_mapping(str(paths.data / MAPPING_FILE))
    if mapping.items.price is not None and mapping.items.price.source == "events":
        earlier, newest = catalog_versions(earlier, newest)
        prices = UnitPrices()
        prices.add(events, EVENT_SCHEMA.empty_table())
        end = int(pc.max(events[columns.AT].cast(pa.int64())).as_py())
        streamed = item_log(paths).newest(newest.slice(0, 0))
        versions = ImportedVersions(newest, earlier, 0, 0, 0)
        versions = with_event_prices(versions, prices.versions(end), streamed)
        newest, earlier = versions.newest, versions.earlier
    save_items(own, newest)
    save_earlier(own, earlier, USER_SCHEMA.empty_table())
    for shared, place in ((paths.item_log, own.item_log), (paths.text_vectors, own.text_vectors)):
        _link(shared, place)


def _events_before_tests(paths: HomePaths, shop: Shop) -> pa.Table:
    """The log as it happened, each user's up to, not including, the test moment."""
    interactions = shop.interactions
    tested = leave_one_out_parts(interactions) == TEST
    ends = np.full(len(interactions.users), NEVER, np.int64)
    ends[interactions.user_index[tested]] = interactions.at[tested]
    events = open_lake(paths).read_as_happened()
    names = pa.array(interactions.users.ids, pa.string())
    user = pc.index_in(events[columns.USER_ID], value_set=names).fill_null(0).to_numpy()
    return events.filter(pa.array(events[columns.AT].cast(pa.int64()).to_numpy() < ends[user]))


def _link(shared: Path, place: Path) -> None:
    shared.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(shared, target_is_directory=True)
