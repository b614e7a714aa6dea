"""Attributes of users for segments: as imported, as streamed since, and of which kinds they are."""

from datetime import UTC, datetime
from pathlib import Path

from recsys.catalog import User
from recsys.dataset.catalog_rows import users_table
from recsys.home import HomePaths
from recsys.stores.lake.dataset_files import save_users
from recsys.stores.lake.item_log import user_log
from recsys.stores.rules.user_attributes import UserAttributes

MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4))


def imported(paths: HomePaths, *users: User) -> UserAttributes:
    save_users(paths, users_table(sorted(users, key=lambda user: user.user_id)))
    found = UserAttributes(paths)
    found.refresh()
    return found


def test_a_home_without_an_import_knows_nobody(tmp_path: Path) -> None:
    attributes = UserAttributes(HomePaths(tmp_path))
    attributes.refresh()
    assert (attributes.of("ann"), attributes.kinds()) == ({}, {})


def test_each_user_is_found_and_others_are_not(tmp_path: Path) -> None:
    users = [User(f"u{number}", {"place": float(number)}, MARCH) for number in range(50)]
    found = imported(HomePaths(tmp_path), *users, User("红", {"income": "50-74K"}, MARCH))
    assert all(found.of(f"u{number}") == {"place": float(number)} for number in range(50))
    assert found.of("红") == {"income": "50-74K"}
    assert [found.of(name) for name in ("", "u", "u500", "zzz", "\U0001f600")] == [{}] * 5


def test_what_the_stream_changed_counts_after_the_next_look(tmp_path: Path) -> None:
    paths = HomePaths(tmp_path)
    found = imported(paths, User("ann", {"income": "low"}, MARCH))
    user_log(paths).append(users_table([User("ann", {"income": "high"}, APRIL)]), 1)
    assert found.of("ann") == {"income": "low"}
    found.refresh()
    assert found.of("ann") == {"income": "high"}


def test_the_kinds_of_attributes_are_those_of_their_values(tmp_path: Path) -> None:
    found = imported(
        HomePaths(tmp_path),
        User("a", {"income": "low", "age": 30.0, "hobbies": ("chess",), "odd": 1.0}, MARCH),
        User("b", {"odd": "one"}, MARCH),
    )
    assert found.kinds() == {"income": "text", "age": "number", "hobbies": "texts", "odd": "any"}
