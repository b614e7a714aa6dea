"""Versions of items on disk: whole files, the newest of each item, and what was true at a past instant."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import columns
from recsys.catalog import Item
from recsys.dataset.catalog_rows import items_of, items_table
from recsys.dataset.schemas import ITEM_SCHEMA
from recsys.errors import DataError, StoreUnavailableError
from recsys.home import HomePaths
from recsys.stores.lake import item_log as module
from recsys.stores.lake.dataset_files import load_item_versions, load_items, save_items
from recsys.stores.lake.item_log import VERSION, item_log

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path) -> HomePaths:
    """A home with two imported items: tea for 2, coffee for 3."""
    paths = HomePaths(tmp_path)
    save_items(paths, items_table([item("coffee", 3), item("tea", 2)]))
    return paths


def item(item_id: str, price: int, minutes: int = 0) -> Item:
    at = NOON + timedelta(minutes=minutes)
    return Item(item_id, item_id.title(), item_id, price_micros=price * 1_000_000, at=at)


def prices(rows) -> list[tuple[str, int]]:
    return [(row[columns.ITEM_ID], row[columns.PRICE_MICROS] // 1_000_000) for row in rows.to_pylist()]


def test_without_a_log_the_catalog_is_what_was_imported(paths: HomePaths) -> None:
    assert prices(load_items(paths)) == [("coffee", 3), ("tea", 2)]
    assert item_log(paths).last_version() == 0


def test_the_newest_version_of_each_item_counts_and_new_items_join(paths: HomePaths) -> None:
    log = item_log(paths)
    log.append(items_table([item("tea", 4, 1), item("cocoa", 5, 1)]), 10)
    log.append(items_table([item("tea", 6, 2)]), 11)
    assert prices(load_items(paths)) == [("cocoa", 5), ("coffee", 3), ("tea", 6)]


def test_an_older_version_than_the_imported_one_does_not_count(paths: HomePaths) -> None:
    item_log(paths).append(items_table([item("tea", 9, -1)]), 10)
    assert prices(load_items(paths)) == [("coffee", 3), ("tea", 2)]


def test_every_version_is_kept_and_one_instant_has_one(paths: HomePaths) -> None:
    log = item_log(paths)
    log.append(items_table([item("tea", 4, 1), item("tea", 5, 2)]), 10)
    log.append(items_table([item("tea", 6, 2)]), 11)
    assert prices(load_item_versions(paths)) == [("coffee", 3), ("tea", 2), ("tea", 4), ("tea", 6)]


def test_rows_come_back_as_the_items_they_were(paths: HomePaths) -> None:
    tea = Item("tea", "Tea", "hot", "drinks", "leaf", 7, False, {"size": 500.0, "tags": ("a", "b")}, NOON)
    item_log(paths).append(items_table([tea]), 1)
    assert items_of(item_log(paths).read()) == [tea]


def test_many_batches_become_few_files_and_no_row_is_lost_or_doubled(
    paths: HomePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_FROM", 4)
    log = item_log(paths)
    for version in range(1, 41):
        log.append(items_table([item("tea", version, version)]), version)
        assert log.read()[VERSION].to_pylist() == list(range(1, version + 1))
    assert len(list(paths.item_log.glob("*.parquet"))) <= 8
    assert log.read(after=33)[VERSION].to_pylist() == list(range(34, 41))


def test_a_crash_before_the_merged_files_are_deleted_doubles_nothing(
    paths: HomePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_FROM", 3)
    log = item_log(paths)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        for version in range(1, 9):
            log.append(items_table([item("tea", version, version)]), version)
    assert log.read()[VERSION].to_pylist() == list(range(1, 9))
    log.append(items_table([item("tea", 9, 9)]), 9)
    assert log.read()[VERSION].to_pylist() == list(range(1, 10))


def test_readers_beside_a_writer_see_every_version_that_was_there(
    paths: HomePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_FROM", 3)
    log, seen, done = item_log(paths), [], threading.Event()

    def write() -> None:
        for version in range(1, 60):
            log.append(items_table([item("tea", version, version)]), version)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        seen.append(item_log(paths).read()[VERSION].to_pylist())
    writer.join()
    assert all(versions == list(range(1, len(versions) + 1)) for versions in seen)


def test_a_refusing_disk_adds_nothing(paths: HomePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(StoreUnavailableError, match="No space left"):
        item_log(paths).append(items_table([item("tea", 4, 1)]), 1)
    assert [path.name for path in paths.item_log.iterdir()] == []


def test_a_damaged_file_is_named(paths: HomePaths) -> None:
    paths.item_log.mkdir(parents=True)
    (paths.item_log / f"{7:020d}.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"00007\.parquet is not a readable Parquet file"):
        load_items(paths)


def test_an_id_that_an_earlier_version_stored_for_a_text_is_none(paths: HomePaths) -> None:
    required = ITEM_SCHEMA.set(
        ITEM_SCHEMA.get_field_index(columns.TEXT), pa.field(columns.TEXT, pa.string(), nullable=False)
    )
    stored = [
        Item("7", "7", "7", at=NOON),  # what stood for an item without a title
        Item("8", "8", "A tin", at=NOON),
        Item("9", "Nine", "9", at=NOON),
    ]
    pq.write_table(items_table(stored).cast(required), paths.data / "items.parquet")
    version = pa.field(VERSION, pa.int64(), nullable=False)
    log = item_log(paths)
    log.root.mkdir(parents=True)
    later = items_table([Item("7", "7", "7", price_micros=5, at=NOON + timedelta(minutes=1))]).cast(required)
    pq.write_table(later.append_column(version, pa.array([3])), log.root / f"{3:020d}.parquet")
    assert [row[columns.TEXT] for row in load_items(paths).to_pylist()] == [None, "A tin", "9"]
    assert [row[columns.TEXT] for row in load_item_versions(paths).to_pylist()] == [None, None, "A tin", "9"]


def test_an_id_that_is_stored_as_text_today_is_the_shops_own(paths: HomePaths) -> None:
    save_items(paths, items_table([Item("whole milk", "whole milk", "whole milk", at=NOON)]))
    assert load_items(paths)[columns.TEXT].to_pylist() == ["whole milk"]
