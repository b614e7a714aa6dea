"""The packed store on a real cluster server, which refuses commands whose keys lie in several slots."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import redis
from feast import FeatureStore
from feast.data_source import PushMode

from recsys.config import Settings
from recsys.stores.packed.connection import open_client
from recsys.stores.redis import server as redis_server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def cluster_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a cluster of one node that owns every slot."""
    folder = tmp_path_factory.mktemp("cluster")
    port, bus = _free_ports(2)
    options = {
        "port": port,
        "cluster-port": bus,
        "bind": "127.0.0.1",
        "cluster-enabled": "yes",
        "dir": folder,
    }
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    program = redis_server.server_programs()[0]
    server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as client:
            _until(lambda: client.ping())
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            _until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield port
    finally:
        server.terminate()
        server.wait(10)


def test_rows_in_many_slots_are_written_read_and_deleted(
    cluster_port: int, tmp_path: Path, everything: Callable[..., Any]
) -> None:
    (tmp_path / "feature_store.yaml").write_text(
        "project: shop\nprovider: local\nregistry: registry.db\noffline_store:\n  type: duckdb\n"
        "online_store:\n  type: recsys.stores.packed.online.PackedRedisOnlineStore\n"
        f"  redis_type: redis_cluster\n  connection_string: 127.0.0.1:{cluster_port}\n"
        "entity_key_serialization_version: 3\n"
    )
    store = FeatureStore(repo_path=str(tmp_path))
    store.apply(everything(tmp_path))
    ids = [f"i{place}" for place in range(40)]
    features = {field.name: None for field in store.get_feature_view("everything").features}
    rows = pd.DataFrame(
        [
            {"item_id": each, **features, "int64": place, "text": each, "float32_list": [0.5] * (place % 3)}
            for place, each in enumerate(ids)
        ]
    ).assign(event_timestamp=NOON, created_timestamp=NOON)

    store.write_to_online_store("everything", df=rows)
    entities = [{"item_id": each} for each in (*ids, "?")]
    asked = {"features": ["everything:int64", "everything:float32_list"], "entity_rows": entities}
    answer = store.get_online_features(**asked).to_dict()
    assert answer["int64"] == [*range(40), None]
    assert answer["float32_list"] == [*([0.5] * (place % 3) for place in range(40)), None]

    async def push_and_read() -> list[Any]:
        later = rows.assign(event_timestamp=NOON + pd.Timedelta(seconds=1), int64=rows["int64"] + 100)
        await store.push_async("everything_push", later, to=PushMode.ONLINE)
        found = (await store.get_online_features_async(**asked)).to_dict()["int64"]
        await store._provider.online_store._client_async.aclose()
        return list(found)

    assert asyncio.run(push_and_read()) == [*range(100, 140), None]
    limited = open_client(store.config, Settings(home=tmp_path), timeout=0.5)
    assert limited.get_connection_kwargs()["socket_timeout"] == 0.5
    limited.close()
    store.teardown()
    with redis.Redis(port=cluster_port) as client:
        assert client.dbsize() == 0
    store._provider.online_store._client.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _until(done: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            if done():
                return
        except redis.ConnectionError:
            pass
        assert time.monotonic() < end, "the cluster did not come up"
        time.sleep(0.05)
