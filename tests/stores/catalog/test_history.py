"""The catalog as its worker sees it: imported, changed by the stream, read again after an import."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recsys.catalog import Item, User
from recsys.dataset.catalog_rows import items_table, users_table
from recsys.errors import DataError
from recsys.home import HomePaths
from recsys.stores.catalog.history import CatalogHistory
from recsys.stores.lake.dataset_files import load_users, save_earlier, save_items, save_users

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def item(name: str, price: int = 1, minutes: int = 0, text: str | None = None) -> Item:
    return Item(name, name, text or name, price_micros=price, at=NOON + timedelta(minutes=minutes))


@pytest.fixture
def paths(tmp_path: Path) -> HomePaths:
    paths = HomePaths(tmp_path)
    save_items(paths, items_table([item("coffee"), item("tea")]))
    save_users(paths, users_table([User("ann", {}, NOON)]))
    return paths


def test_the_newest_version_of_an_item_is_known_before_and_after_a_restart(paths: HomePaths) -> None:
    history = CatalogHistory(paths)
    changes = [item("tea", 5, 1), item("cocoa", 3, 1), item("tea", 6, 2)]
    history.append(changes, [User("bob", {"n": 1.0}, NOON)], 7)
    for known in (history, CatalogHistory(paths)):
        assert known.items(["tea", "coffee", "cocoa", "none"]) == {
            "coffee": item("coffee"),
            "tea": item("tea", 6, 2),
            "cocoa": item("cocoa", 3, 1),
        }
        assert known.users(["ann", "bob"]) == {
            "ann": User("ann", {}, NOON),
            "bob": User("bob", {"n": 1.0}, NOON),
        }
        assert known.last_version() == 7
        assert [(version, sorted(ids)) for version, ids in known.changed_after(0)] == [(7, ["cocoa", "tea"])]
        assert known.changed_after(7) == []
    assert load_users(paths)["user_id"].to_pylist() == ["ann", "bob"]


def test_an_item_counts_under_the_version_that_changed_it_last(paths: HomePaths) -> None:
    history = CatalogHistory(paths)
    history.append([item("tea", 2, 1), item("cocoa", 3, 1)], [], 5)
    history.append([item("tea", 4, 2)], [], 6)
    for known in (history, CatalogHistory(paths)):
        assert known.changed_after(0) == [(5, ["cocoa"]), (6, ["tea"])]


def test_items_whose_text_was_ever_another_are_remembered(paths: HomePaths) -> None:
    history = CatalogHistory(paths)
    history.append([item("tea", 2, 1, text="hot"), item("coffee", 2, 1), item("cocoa", 2, 1)], [], 5)
    history.append([item("tea", 2, 2)], [], 6)
    for known in (history, CatalogHistory(paths)):
        assert known.items_with_new_text(["tea", "coffee", "cocoa"]) == {"tea", "cocoa"}


def test_another_import_is_taken_up_and_what_it_says_later_wins(paths: HomePaths) -> None:
    history = CatalogHistory(paths)
    history.append([item("tea", 5, 10), item("coffee", 5, 30)], [], 7)
    save_items(paths, items_table([item("coffee", 8, 20), item("milk", 2, 20), item("tea", 9, 20)]))
    assert history.items(["tea", "coffee", "milk"]) == {
        "tea": item("tea", 9, 20),
        "coffee": item("coffee", 5, 30),
        "milk": item("milk", 2, 20),
    }


def test_an_item_that_the_files_lack_is_known_as_it_was_withdrawn(paths: HomePaths) -> None:
    CatalogHistory(paths).append([item("mug", 4, 1)], [], 5)
    fan, mug = (replace(item(name, 7, 2), available=False) for name in ("fan", "mug"))
    save_earlier(paths, items_table([item("fan", 7), fan, mug]), users_table([]))
    known = CatalogHistory(paths).items(["fan", "mug", "tea"])
    assert known == {"fan": fan, "mug": mug, "tea": item("tea")}


def test_before_an_import_the_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recsys data import"):
        CatalogHistory(HomePaths(tmp_path))
