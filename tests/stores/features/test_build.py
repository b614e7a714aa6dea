"""Feature rows on disk: built from what was imported, rebuilt when it changes, never half written."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import columns
from recsys.config import Settings, load_settings
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.dataset.schemas import EVENT_SCHEMA, ITEM_SCHEMA
from recsys.errors import DataError, StoreUnavailableError
from recsys.features.user_actions import USER_ACTIONS_SCHEMA
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.stores.features import build as feature_files
from recsys.stores.features.build import build_features, write_rows
from recsys.stores.lake.dataset_files import load_items, save_items
from recsys.stores.lake.event_lake import EventLake
from recsys.stores.lake.item_log import item_log

DAY = datetime(2025, 5, 1, 12, tzinfo=UTC)


def canonical(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def add_events(settings: Settings, *days: int) -> None:
    """One purchase of `tea` by `ann` on each of `days` after the first day."""
    rows = [
        {
            columns.EVENT_ID: f"e{day}",
            columns.KIND: columns.PURCHASE,
            columns.USER_ID: "ann",
            columns.ITEM_ID: "tea",
            columns.AT: DAY + timedelta(days=day),
            columns.SEQUENCE: day,
            columns.VALUE_MICROS: 2_000_000,
            columns.WEIGHT: 1.0,
        }
        for day in days
    ]
    EventLake(settings.paths.lake).append(canonical(EVENT_SCHEMA, rows))


@pytest.fixture
def shop(home: Path) -> Settings:
    """A shop of two items and one purchase."""
    settings = load_settings()
    items = [
        {
            columns.ITEM_ID: name,
            columns.TITLE: name,
            columns.TEXT: f"{name} in a tin",
            columns.CATEGORY: "hot drinks",
            columns.AVAILABLE: True,
            columns.ATTRIBUTES: "{}",
            columns.AT: DAY - timedelta(days=1),
        }
        for name in ("tea", "coffee")
    ]
    save_items(settings.paths, canonical(ITEM_SCHEMA, items))
    add_events(settings, 0)
    return settings


def written(settings: Settings) -> dict[str, int]:
    return {view: settings.paths.feature_rows(view).stat().st_mtime_ns for view in VIEW_SCHEMAS}


def test_every_view_is_written_in_its_schema(shop: Settings) -> None:
    rows = build_features(shop, with_text=False)
    # One purchase: a row for it, and one for each of four windows that it leaves.
    assert rows == {
        columns.USER_ACTIVITY: 5,
        columns.USER_HISTORY: 1,
        columns.USER_SEARCHES: 0,
        columns.ITEM_ENGAGEMENT: 5,
        columns.ITEM_CONTENT: 2,
        columns.ITEM_TEXT: 0,
        columns.ITEM_VECTORS: 0,
    }
    for view, schema in {**VIEW_SCHEMAS, columns.USER_HISTORY: USER_ACTIONS_SCHEMA}.items():
        assert pq.read_schema(shop.paths.feature_rows(view)).equals(schema)


def test_unknown_prices_are_zero_and_absent_texts_empty(shop: Settings) -> None:
    build_features(shop, with_text=False)
    content = pq.read_table(shop.paths.feature_rows(columns.ITEM_CONTENT)).to_pylist()
    assert [(row[columns.PRICE_MICROS], row[columns.BRAND]) for row in content] == [(0, ""), (0, "")]


def test_a_second_build_of_the_same_inputs_writes_nothing(shop: Settings) -> None:
    rows, before = build_features(shop, with_text=False), written(shop)
    assert build_features(shop, with_text=False) == rows
    assert written(shop) == before


def test_new_events_rebuild_what_depends_on_them(shop: Settings) -> None:
    build_features(shop, with_text=False)
    add_events(shop, 3)
    assert build_features(shop, with_text=False)[columns.USER_HISTORY] == 2


def test_every_version_of_an_item_has_a_row_of_its_own_instant(shop: Settings) -> None:
    build_features(shop, with_text=False)
    (tea,) = [item for item in items_of(load_items(shop.paths)) if item.item_id == "tea"]
    changed = replace(tea, price_micros=7_000_000, at=DAY + timedelta(hours=1))
    item_log(shop.paths).append(items_table([changed]), 1)
    assert build_features(shop, with_text=False)[columns.ITEM_CONTENT] == 3
    rows = pq.read_table(shop.paths.feature_rows(columns.ITEM_CONTENT)).to_pylist()
    assert [
        (row[columns.PRICE_MICROS], row[columns.EVENT_TIMESTAMP]) for row in rows if row["item_id"] == "tea"
    ] == [(0, DAY - timedelta(days=1)), (7_000_000, DAY + timedelta(hours=1))]


def test_a_shop_without_texts_needs_no_encoder(shop: Settings) -> None:
    nameless = [replace(item, text=None) for item in items_of(load_items(shop.paths))]
    save_items(shop.paths, items_table(nameless))
    absent = shop.model_copy(update={"text": shop.text.model_copy(update={"encoder": "/no/such/encoder"})})
    assert build_features(absent)[columns.ITEM_TEXT] == 2
    rows = pq.read_table(shop.paths.feature_rows(columns.ITEM_TEXT)).to_pylist()
    assert [row[columns.TEXT_VECTOR] for row in rows] == [[], []]


def test_a_lost_file_is_written_again(shop: Settings) -> None:
    build_features(shop, with_text=False)
    shop.paths.feature_rows(columns.USER_HISTORY).unlink()
    assert build_features(shop, with_text=False)[columns.USER_HISTORY] == 1
    assert shop.paths.feature_rows(columns.USER_HISTORY).exists()


def test_a_killed_build_leaves_the_old_rows_and_is_done_again(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_features(shop, with_text=False)
    before = written(shop)
    add_events(shop, 3)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            build_features(shop, with_text=False)
    assert written(shop) == before
    assert [file.name for file in shop.paths.features.glob("*/*")] == ["rows.parquet"] * len(VIEW_SCHEMAS)
    assert build_features(shop, with_text=False)[columns.USER_HISTORY] == 2


def test_a_full_disk_keeps_the_old_rows(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    build_features(shop, with_text=False)
    before = written(shop)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_files.pq.ParquetWriter, "write_table", full)
    with pytest.raises(StoreUnavailableError, match="No space left"):
        write_rows(shop.paths, columns.USER_HISTORY, VIEW_SCHEMAS[columns.USER_HISTORY].empty_table())
    assert written(shop) == before


def test_before_an_import_the_error_names_it(home: Path) -> None:
    with pytest.raises(DataError, match="recsys data import"):
        build_features(load_settings(), with_text=False)


@pytest.mark.slow
def test_texts_are_encoded_to_unit_vectors(shop: Settings) -> None:
    assert build_features(shop)[columns.ITEM_TEXT] == 2
    rows = pq.read_table(shop.paths.feature_rows(columns.ITEM_TEXT)).to_pylist()
    assert [round(sum(value**2 for value in row[columns.TEXT_VECTOR]), 4) for row in rows] == [1, 1]
    # Without text nothing is encoded, and nothing that is encoded is thrown away.
    assert build_features(shop, with_text=False)[columns.ITEM_TEXT] == 2
