"""A home with six items in three categories, for tests of campaigns."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from recsys import columns
from recsys.config import Settings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.schemas import ITEM_SCHEMA, USER_SCHEMA
from recsys.stores.lake.dataset_files import save_info, save_items, save_users

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CATEGORIES = {"1": "Pasta", "2": "Pasta", "3": "Rice", "4": "Rice", "5": "Sauce", "6": "Sauce"}
UNAVAILABLE = "6"


def make_shop(home: Path) -> Settings:
    """Its settings; prices are in EUR."""
    settings = Settings(home=home)
    items = [
        {
            columns.ITEM_ID: item,
            columns.TITLE: f"{category} {item}",
            columns.TEXT: f"{category} {item}",
            columns.CATEGORY: category,
            columns.CATEGORY_PATH: f"Food/{category}",
            columns.AVAILABLE: item != UNAVAILABLE,
            columns.ATTRIBUTES: "{}",
            columns.AT: NOON,
        }
        for item, category in CATEGORIES.items()
    ]
    save_items(settings.paths, pa.Table.from_pylist(items, schema=ITEM_SCHEMA))
    save_users(settings.paths, USER_SCHEMA.empty_table())
    info = DatasetInfo(
        name="shop",
        clock="time",
        repeats=True,
        label_kinds=("purchase",),
        currency="EUR",
        events=0,
        users=0,
        items=len(items),
        start=NOON,
        end=NOON,
        imported_at=NOON,
        mapping_sha256="0" * 64,
    )
    save_info(settings.paths, info)
    return settings
