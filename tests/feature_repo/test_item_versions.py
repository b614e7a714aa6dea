"""A training set sees the price and the text of then: an upsert counts after its instant and not before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import columns
from recsys.catalog import Item
from recsys.config import load_settings
from recsys.dataset.catalog_rows import items_table
from recsys.dataset.item_vectors import vector_map
from recsys.dataset.schemas import EVENT_SCHEMA
from recsys.features.item_content import item_vectors
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.dataset_files import save_items
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.lake.item_log import item_log
from tests.feature_repo.conftest import ROOT

NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEA = Item("tea", "Tea", "Tea", "drinks", price_micros=2_000_000, at=NOON - timedelta(days=30))

pytestmark = pytest.mark.filterwarnings(
    "ignore:On demand feature view is an experimental feature:RuntimeWarning"
)


def test_a_join_sees_the_price_and_the_title_of_then(tmp_path: Path) -> None:
    settings = load_settings({"RECSYS_HOME": str(tmp_path / "home")}, start=ROOT)
    save_items(settings.paths, items_table([TEA]))
    purchase = {
        columns.EVENT_ID: "e",
        columns.KIND: columns.PURCHASE,
        columns.USER_ID: "ann",
        columns.ITEM_ID: "tea",
        columns.AT: NOON,
        columns.SEQUENCE: 1,
        columns.WEIGHT: 1.0,
    }
    EventLake(settings.paths.lake).append(EVENT_SCHEMA.empty_table().from_pylist([purchase], EVENT_SCHEMA))
    dearer = replace(TEA, price_micros=5_000_000, at=NOON + HOUR)
    renamed = replace(dearer, title="Green tea", at=NOON + 2 * HOUR)
    item_log(settings.paths).append(items_table([dearer, renamed]), 1)
    build_features(settings, with_text=False)
    features = OfflineFeatures(settings)
    features.apply()
    asked = [NOON, NOON + HOUR, NOON + HOUR + timedelta(microseconds=1), NOON + 3 * HOUR]
    rows = pd.DataFrame({columns.ITEM_ID: "tea", columns.AT: pd.DatetimeIndex(asked).as_unit("us")})
    found = features.training_set(rows, columns.CATALOG_SERVICE)
    # Strictly before the instant that is asked for: at one o'clock the price of before still counts.
    assert found[columns.PRICE_MICROS].tolist() == [2_000_000, 2_000_000, 5_000_000, 5_000_000]
    assert found[columns.TITLE].tolist() == ["Tea", "Tea", "Tea", "Green tea"]


def test_a_version_that_lost_its_vectors_has_none() -> None:
    items = items_table([TEA, replace(TEA, at=NOON), replace(TEA, item_id="cup")])
    vectors = vector_map({"image": [np.array([1, 0.5], np.float32), None, None]}, 3)  # as an import has them
    items = items.set_column(items.column_names.index(columns.VECTORS), columns.VECTORS, vectors)
    rows = item_vectors(items, 0, 0).to_pylist()
    assert [(row[columns.ITEM_ID], row[columns.READY_VECTOR]) for row in rows] == [
        ("tea", [1.0, 0.5]),
        ("tea", [0.0, 0.0]),
    ]
