"""The database's address and what happens when it does not answer."""

import contextlib
import socket
import sqlite3
from pathlib import Path

import pytest

from recsys.addresses import masked_url
from recsys.config import Settings
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.stores.registry.database import BUSY_SECONDS, address, database_url
from recsys.stores.registry.registry import Registry


def shop(url: str | None, home: Path = Path("home"), root: Path = Path("/shop")) -> Settings:
    return Settings.model_validate({"home": home, "root": root, "database_url": url})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_psycopg_3(scheme: str) -> None:
    url = database_url(shop(f"{scheme}://ada:pw@db:5432/shop?sslmode=require"))
    assert url.render_as_string(hide_password=False) == (
        "postgresql+psycopg://ada:pw@db:5432/shop?sslmode=require"
    )


def test_without_an_address_the_database_is_a_file_of_the_home(tmp_path: Path) -> None:
    assert database_url(shop(None, tmp_path)).database == str(tmp_path / "recsys.db")


def test_a_relative_sqlite_path_is_relative_to_the_root() -> None:
    assert database_url(shop("sqlite:///own.db")).database == "/shop/own.db"
    assert database_url(shop("sqlite:////var/own.db")).database == "/var/own.db"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://ada:hunter2@db/shop", "'mysql'; SQLite and PostgreSQL are known"),
        ("postgresql+asyncpg://ada:hunter2@db/shop", "asyncpg"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("hunter2", "is not an address"),
        ("postgresql://ada:hunter2@db:port/shop", "is not an address"),
    ],
)
def test_an_address_of_another_kind_is_refused_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        database_url(shop(url))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://ada:hunter2@db/shop", "postgresql://ada:***@db/shop"),
        ("redis://:hunter2@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("postgresql://ada:hun#t/e?r@2@db/shop", "postgresql://ada:***@db/shop"),
        ("postgresql://db/shop?user=ada&password=hunter2", "postgresql://db/shop?user=ada&password=***"),
        ("sqlite:////var/own.db", "sqlite:////var/own.db"),
        ("hunter2", "***"),
    ],
)
def test_a_masked_address_shows_everything_but_the_password(url: str, masked: str) -> None:
    assert masked_url(url) == masked


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_server_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    port = free_port()
    with pytest.raises(StoreUnavailableError) as raised:
        Registry.open(shop(f"postgresql://ada:hunter2@127.0.0.1:{port}/shop", tmp_path))
    message = str(raised.value)
    assert f"DATABASE_URL is postgresql+psycopg://ada:***@127.0.0.1:{port}/shop" in message
    assert "recsys doctor" in message
    assert "hunter2" not in message


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "recsys.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailableError, match=r"recsys\.db.*not a database"):
        Registry.open(shop(None, tmp_path))


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="RECSYS_HOME"):
        Registry.open(shop(None, tmp_path / "file" / "home"))


def test_sqlite_runs_with_a_log_foreign_keys_and_patience(tmp_path: Path) -> None:
    with Registry.open(shop(None, tmp_path)) as registry, registry._engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 1, BUSY_SECONDS * 1000]


def test_a_read_only_look_changes_no_byte(tmp_path: Path) -> None:
    Registry.open(shop(None, tmp_path)).close()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with Registry.read_only(shop(None, tmp_path)) as reader:
        assert reader.production() is None
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_read_only_look_sees_what_is_only_in_the_log(tmp_path: Path) -> None:
    with Registry.open(shop(None, tmp_path)) as writer:
        writer.start_run("train", {}, run_id="one")
        assert (tmp_path / "recsys.db-wal").exists()
        with Registry.read_only(shop(None, tmp_path)) as reader:
            assert [run.run_id for run in reader.list_runs()] == ["one"]


def test_an_odd_path_is_a_path(tmp_path: Path) -> None:
    home = tmp_path / "a shop? 100% #1"
    with Registry.open(shop(None, home)) as registry:
        registry.start_run("train", {})
    with Registry.read_only(shop(None, home)) as registry:
        assert len(registry.list_runs()) == 1
    with contextlib.closing(sqlite3.connect(home / "recsys.db")) as plain:
        assert plain.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_an_address_is_shown_with_its_file(tmp_path: Path) -> None:
    assert address(database_url(shop(None, tmp_path))) == f"sqlite:///{tmp_path}/recsys.db"
