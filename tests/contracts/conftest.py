"""A real server for the whole session, and a Feast repository of every value type for each online store."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from recsys.config import Settings
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from recsys.stores.stream.kafka_stream import KafkaEventStream
from recsys.stores.stream.redis_stream import RedisEventStream
from recsys.streaming.stream import EventStream
from tests.fake_stream import FakeEventStream
from tests.kafka_broker import start_broker

STORES = {
    "feast": "type: redis",
    "packed": "type: recsys.stores.packed.online.PackedRedisOnlineStore",
    "packed and dual": "type: recsys.stores.packed.online.PackedRedisOnlineStore\n  dual: true",
}


@pytest.fixture
def shop(either_database: Settings) -> Settings:
    """The home of what is stored in SQL."""
    return either_database


@pytest.fixture(scope="session")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis_server.Address]:
    """Address of an embedded server with a home of its own."""
    settings = Settings(home=tmp_path_factory.mktemp("redis") / "home")
    redis_server.start_server(settings)
    address = redis_server._read_address(settings)
    assert address is not None
    yield address
    redis_server.stop_server(settings)


@pytest.fixture
def redis_client(redis_address: redis_server.Address) -> Iterator[redis.Redis]:
    """A client of an empty server."""
    with open_url(redis_address.url) as client:
        client.flushall()
        yield client


@dataclass(frozen=True)
class Repository:
    """A Feast repository with one online store."""

    path: Path
    engine: str

    def open(self) -> Any:
        from feast import FeatureStore

        return FeatureStore(repo_path=str(self.path))


@pytest.fixture
def make_repository(
    tmp_path: Path, redis_address: redis_server.Address, redis_client: redis.Redis
) -> Callable[..., Repository]:
    """Makes a repository: name of the online store, and of the engine that materializes."""

    def make(store: str, engine: str = "local") -> Repository:
        path = tmp_path / store.replace(" ", "_")
        path.mkdir(exist_ok=True)
        address = f"{redis_address.host}:{redis_address.port},password={redis_address.password}"
        (path / "feature_store.yaml").write_text(
            "project: shop\nprovider: local\nregistry: registry.db\noffline_store:\n  type: duckdb\n"
            f"batch_engine:\n  type: {engine}\nonline_store:\n  {STORES[store]}\n"
            f"  connection_string: {address}\nentity_key_serialization_version: 3\n"
        )
        return Repository(path, engine)

    return make


def all_types_view(path: Path, name: str = "everything", ttl: timedelta | None = None) -> list[Any]:
    """A view with a feature of every type, its entity and its service; its file is `<name>.parquet`."""
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType, types

    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    source = FileSource(
        name=f"{name}_source",
        path=str(path / f"{name}.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    scalars = {
        "int32": types.Int32,
        "int64": types.Int64,
        "float32": types.Float32,
        "float64": types.Float64,
        "text": types.String,
        "flag": types.Bool,
        "instant": types.UnixTimestamp,
        "raw": types.Bytes,
    }
    fields = [Field(name=key, dtype=dtype) for key, dtype in scalars.items()]
    fields += [Field(name=f"{key}_list", dtype=types.Array(dtype)) for key, dtype in scalars.items()]
    view = FeatureView(
        name=name,
        entities=[item],
        ttl=ttl or timedelta(0),
        schema=[Field(name="item_id", dtype=types.String), *fields],
        source=PushSource(name=f"{name}_push", batch_source=source),
    )
    return [item, source, view, FeatureService(name=f"{name}_v1", features=[view])]


@pytest.fixture
def everything() -> Callable[..., list[Any]]:
    """`all_types_view`, for tests that apply it."""
    return all_types_view


@pytest.fixture(params=["fake", "redis", "kafka"])
def stream(request: pytest.FixtureRequest) -> Iterator[EventStream]:
    """An empty event stream with two partitions of users, of each transport."""
    if request.param == "fake":
        yield FakeEventStream(2)
    elif request.param == "redis":
        with closing(RedisEventStream(request.getfixturevalue("redis_client"), 2)) as opened:
            yield opened
    else:
        broker = start_broker()  # a tenth of a second
        # The broker takes only newer requests for a producer's id than the client has.
        with closing(broker), closing(KafkaEventStream(broker.servers, 2, idempotent=False)) as opened:
            yield opened
