"""The real thing: `bentoml serve` on a random shop, with its own Redis, as an operator starts it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from recsys.config import Settings
from recsys.instants import utc_now
from recsys.stores.redis.server import start_server, stop_server
from recsys.stores.stream.open import open_stream
from scripts.benchmarks.online.random_shop import open_shop as random_shop
from scripts.benchmarks.online.random_shop import promote, random_bundle, user_id
from scripts.benchmarks.online.served_process import serving

ROOT = Path(__file__).parents[2]
VIEW = {"kind": "view", "event_id": "e1", "user_id": user_id(1), "item_id": "item-000001"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with sixty items and five users online, and a bundle in production."""
    found = Settings(home=tmp_path_factory.mktemp("shop") / "home", root=ROOT)
    with random_shop(found, items=60, users=5):
        yield found


@contextmanager
def asking(settings: Settings, **options: str) -> Iterator[tuple[httpx.Client, int]]:
    with (
        serving(ROOT, settings.paths.home, **options) as (address, pid),
        httpx.Client(base_url=address, timeout=20) as client,
    ):
        yield client, pid


def recommend(client: httpx.Client, user: object = user_id(1)) -> httpx.Response:
    return client.post("/v1/recommend", json={"user_id": user, "k": 5})


def wait_for(what: str, true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def another(settings: Settings, bundle_id: str) -> None:
    bundle = random_bundle(60, settings, utc_now(), bundle_id, np.random.default_rng(1))
    promote(settings, bundle)


def bentoml_client(address: str, requests: list[Any]) -> Any:
    """What BentoML's client makes of a batch; in a process of its own, for its import warns."""
    program = (
        "import bentoml, json, sys; "
        "client = bentoml.SyncHTTPClient(sys.argv[1]); "
        "print(json.dumps(client.recommend_batch(requests=json.loads(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", program, address, json.dumps(requests)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_served_shop_answers_degrades_recovers_and_swaps(settings: Settings) -> None:
    with asking(settings) as (client, pid):
        healthy = {"status": "ok", "bundle_id": "random-1", "problems": [], "details": []}
        assert client.get("/readyz").json() == healthy

        known, unknown, malformed = recommend(client), recommend(client, "nobody"), recommend(client, 7)
        assert [known.status_code, unknown.status_code, malformed.status_code] == [200, 200, 422]
        assert [known.json()["cold_start"], unknown.json()["cold_start"]] == [False, True]
        assert known.json()["degraded"] == []
        assert all(item["p_click"] is not None for item in known.json()["items"])

        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        listening = {
            connection.laddr.ip
            for process in family
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}

        sent = client.post("/v1/events", json=VIEW)
        assert (sent.status_code, sent.json()["accepted"]) == (200, 1)

        stop_server(settings)
        refused = client.post("/v1/events", json=VIEW)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        degraded = recommend(client)
        assert degraded.status_code == 200
        assert degraded.json()["degraded"] == ["online_features_unavailable"]
        start_server(settings)
        wait_for("features come back", lambda: recommend(client).json()["degraded"] == [])
        wait_for("events are taken", lambda: client.post("/v1/events", json=VIEW).status_code == 200)
        stream = open_stream(settings)
        assert sum(status.lag for status in stream.status()) == 2, "the one before survived the restart"
        stream.close()

        for name in ("arrays.safetensors", "retriever.safetensors", "items.parquet"):
            os.truncate(settings.paths.bundles / "random-1" / name, 0)
        assert recommend(client).status_code == 200, "a file that is cut short does not reach what serves"

        statuses, bundles, stop = [], [], threading.Event()

        def keep_asking() -> None:
            while not stop.is_set():
                answer = recommend(client)
                statuses.append(answer.status_code)
                bundles.append(answer.json()["bundle_id"])

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        another(settings, "random-2")
        wait_for("the promoted bundle serves", lambda: bundles[-1:] == ["random-2"])
        stop.set()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200}
        assert set(bundles) == {"random-1", "random-2"}

        slate, wrong = bentoml_client(str(client.base_url), [{"user_id": user_id(1), "k": 2}, {"user": "1"}])
        assert len(slate["items"]) == 2
        assert wrong["error"]["remedy"] == "Did you mean 'user_id'?"
        assert client.get("/docs").status_code == 200
        process = psutil.Process(pid)
    assert not process.is_running()


def test_beyond_loopback_it_does_not_start_without_a_key(settings: Settings) -> None:
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "RECSYS_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_built_bento_serves_the_same_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(settings.paths.home / "bentoml"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")  # a build that needed the network would fail
    build = [str(Path(sys.executable).with_name("bentoml")), "build", "--output", "tag"]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    tag = done.stdout.strip().rpartition("__tag__:")[2]
    with asking(settings, target=tag) as (client, _):
        assert recommend(client).status_code == 200
