"""A database of Redis holds one shop: its homes share it, another shop's home is refused, whoever asks."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from recsys import columns
from recsys.config import Settings
from recsys.errors import ConfigError
from recsys.features.view_schemas import VIEW_SCHEMAS
from recsys.home import HomePaths
from recsys.jobs.checks import servers
from recsys.jobs.server import start_server, take_server_over
from recsys.stores.features.feast_registry import open_repository
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.features.online_writer import OnlineRows
from recsys.stores.packed.connection import open_async_client, open_client
from recsys.stores.redis import server as redis_server
from recsys.stores.redis import shop_claim
from recsys.stores.redis.client import open_url
from recsys.stores.redis.shop_claim import MARK, connect
from recsys.stores.shop_identity import make_shop_id, shop_id
from recsys.stores.stream.open import open_progress, open_stream
from tests.applied_features import apply_features

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(home=tmp_path_factory.mktemp("server"))
    redis_server.start_server(settings)
    yield redis_server.redis_url(settings)
    redis_server.stop_server(settings)


@pytest.fixture(autouse=True)
def _empty(url: str) -> None:
    with open_url(url) as client:
        client.flushall()


def home(folder: Path, url: str) -> Settings:
    """Settings of a home into which a shop was imported."""
    settings = Settings(home=folder, root=ROOT, redis_url=SecretStr(url))
    settings.paths.data.mkdir(parents=True)
    (settings.paths.data / "dataset.json").write_text("{}")
    return settings


@pytest.fixture
def ours(tmp_path: Path, url: str) -> Settings:
    return home(tmp_path / "ours", url)


@pytest.fixture
def theirs(tmp_path: Path, url: str) -> Settings:
    return home(tmp_path / "theirs", url)


def ping(settings: Settings) -> None:
    with connect(settings) as client:
        client.ping()


def test_an_id_is_made_once_and_goes_along_with_a_copy(ours: Settings, tmp_path: Path) -> None:
    made = shop_id(ours)
    assert len(str(made)) == 32
    assert make_shop_id(ours.paths) == made
    shutil.copytree(ours.home, tmp_path / "copy")
    assert make_shop_id(HomePaths(tmp_path / "copy")) == made


def test_a_home_without_a_shop_has_no_id_and_marks_nothing(tmp_path: Path, url: str) -> None:
    empty = Settings(home=tmp_path, redis_url=SecretStr(url))
    ping(empty)
    assert shop_id(empty) is None
    with open_url(url) as client:
        assert client.get(MARK) is None


def test_the_first_shop_marks_the_server_and_another_is_refused(ours: Settings, theirs: Settings) -> None:
    ping(ours)
    ping(ours)
    with pytest.raises(ConfigError) as refused:
        ping(theirs)
    message = str(refused.value)
    assert f"shop {str(shop_id(ours))[:8]}" in message
    assert f"shop {str(shop_id(theirs))[:8]}" in message
    assert all(part in message for part in (":***@127.0.0.1", "/1 for /0", "--take-over"))
    assert str(shop_id(ours)) not in message


def test_another_database_of_the_server_is_free(ours: Settings, tmp_path: Path, url: str) -> None:
    ping(ours)
    ping(home(tmp_path / "theirs", url.removesuffix("/0") + "/1"))


def test_a_further_home_is_told_whose_it_is(ours: Settings, theirs: Settings) -> None:
    ping(ours)
    ping(theirs.model_copy(update={"shop": theirs.shop.model_copy(update={"id": shop_id(ours)})}))


def test_a_client_that_was_refused_stays_refused(ours: Settings, theirs: Settings) -> None:
    ping(ours)
    with connect(theirs) as client:
        for _ in range(3):
            with pytest.raises(ConfigError):
                client.set("recsys:popularity", 1)


def test_a_connection_that_comes_back_to_another_shop_is_refused(ours: Settings, url: str) -> None:
    with connect(ours) as client, open_url(url) as other:
        client.ping()
        other.set(MARK, "f" * 32)
        client.ping()  # the same connection: no further round trip a request
        client.connection_pool.disconnect()
        with pytest.raises(ConfigError):
            client.ping()


def test_keys_of_an_earlier_version_are_taken_and_it_is_said(
    ours: Settings, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_url(url) as client:
        client.set("recsys:generations", "{}")
    ping(ours)
    assert f"this shop, {str(shop_id(ours))[:8]}" in caplog.text
    with open_url(url) as client:
        assert client.get(MARK) == str(shop_id(ours)).encode()


def test_taking_over_deletes_what_the_other_shop_had_and_nothing_else(
    ours: Settings, theirs: Settings, url: str
) -> None:
    ping(ours)
    with open_url(url) as client:
        client.set("recsys:item_content:x:{a}", b"row")
        client.set("another-program", b"stays")
    with pytest.raises(ConfigError):
        start_server(theirs)
    take_server_over(theirs)
    ping(theirs)
    with open_url(url) as client:
        assert sorted(client.keys()) == [b"another-program", MARK]


def test_a_service_that_runs_while_its_server_is_taken_over_is_refused(
    ours: Settings, theirs: Settings, url: str
) -> None:
    with connect(ours) as client, open_url(url[:-1] + "1") as elsewhere:
        client.set("recsys:a", b"1")
        elsewhere.client_setname("kept")
        take_server_over(theirs)
        with pytest.raises(ConfigError):
            client.set("recsys:a", b"2")
        assert elsewhere.client_getname() == "kept"  # connections to other databases stay
    with open_url(url) as client:
        assert client.keys("recsys:*") == [MARK]


def test_taking_over_goes_on_where_it_was_cut_short(
    ours: Settings, theirs: Settings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ping(ours)
    with open_url(url) as client:
        client.set("recsys:a", b"1")
    with monkeypatch.context() as patch:
        patch.setattr(shop_claim, "_close_other_connections", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            take_server_over(theirs)
    for settings in (ours, theirs):
        with pytest.raises(ConfigError):
            ping(settings)
    take_server_over(theirs)
    ping(theirs)
    with open_url(url) as client:
        assert client.keys("recsys:*") == [MARK]


def _interrupt(_: object) -> None:
    raise KeyboardInterrupt


def _reader(settings: Settings) -> None:
    FeatureReader.open(settings, "ranking_v1").read_user("ann")


def _writer(settings: Settings) -> None:
    schema = VIEW_SCHEMAS[columns.USER_HISTORY]
    none: list[int] = []
    row = [
        pa.array([value], field.type)
        for value, field in zip(("ann", none, none, none, 1, 1), schema, strict=True)
    ]
    OnlineRows(settings).write({columns.USER_HISTORY: pa.table(row, schema=schema)})


def _plain_feast(settings: Settings) -> None:
    open_client(open_repository(settings).config).ping()


def _async_feast(settings: Settings) -> None:
    async def ping() -> None:
        client: Any = await open_async_client(open_repository(settings).config)
        await client.ping()
        await client.aclose()

    asyncio.run(ping())


ENTRIES: dict[str, Callable[[Settings], object]] = {
    "up": start_server,
    "service": _reader,
    "worker": _writer,
    "stream": lambda settings: open_stream(settings).status(),
    "progress": lambda settings: open_progress(settings).reached([0]),
    "feast": _plain_feast,
    "asyncio": _async_feast,
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_way_in_refuses(
    entry: str, ours: Settings, theirs: Settings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("RECSYS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECSYS_HOME", str(theirs.home))
    monkeypatch.setenv("REDIS_URL", url)
    apply_features(theirs)
    ENTRIES[entry](theirs)
    with open_url(url) as client:
        client.set(MARK, str(shop_id(ours)))
    with pytest.raises(ConfigError, match="holds the features and events of shop"):
        ENTRIES[entry](theirs)


def test_the_doctor_says_whose_server_it_is(ours: Settings, theirs: Settings) -> None:
    ping(ours)
    assert servers.redis(ours).state == "ok"
    found = servers.redis(theirs)
    assert (found.state, "--take-over" in found.remedy) == ("missing", True)
    assert not theirs.paths.shop.exists()  # it changes no file


def test_a_damaged_file_is_named(ours: Settings) -> None:
    ours.paths.shop.write_text("{")
    with pytest.raises(ConfigError, match=r"shop\.json is damaged"):
        shop_id(ours)


def test_the_mark_costs_one_question_a_connection(ours: Settings, url: str) -> None:
    ping(ours)
    with open_url(url) as watch:
        before = watch.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]
        with connect(ours) as client:
            for _ in range(10):
                client.ping()
        assert watch.info("commandstats")["cmdstat_get"]["calls"] - before == 1
