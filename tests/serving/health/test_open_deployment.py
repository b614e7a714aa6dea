"""A deployment on a real server: each of its threads is killed and works again, and empty stores are said."""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from recsys.background_task import BackgroundTask
from recsys.config import Settings
from recsys.jobs.promotion.bundle_check import schema_hashes
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from recsys.stores.redis.shop_claim import MARK
from recsys.stores.registry.registry import Registry
from recsys.stores.served.feedback_files import read_slates
from serving.app import create_app
from serving.deployment import Deployment, open_deployment
from tests.applied_features import apply_features
from tests.tiny_bundle import SERVICES, tiny_bundle

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 120.0
TASKS = {
    "access keys",
    "ads pacing",
    "ads watch",
    "click model watch",
    "counts of ads",  # begins with the first campaign
    "bundle watch",
    "rule watch",
    "search order watch",
    "key uses",
    "catalog watch",
    "popularity feed",
    "event backlog",
    "stream metrics",
    "slates log",
    "features log",
    "health",
}


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Deployment, TestClient]]:
    deployment, close = open_deployment(settings)
    try:
        yield (
            deployment,
            TestClient(
                create_app(deployment), base_url="http://127.0.0.1:3000", raise_server_exceptions=False
            ),
        )
    finally:
        close()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home with a bundle in production and a server without a row."""
    server = Settings(home=tmp_path / "server")
    redis_server.start_server(server)
    quick = {"check_seconds": 0.1}, {"reload_seconds": 0.1, "live_seconds": 0.1, "popularity_seconds": 0.1}
    health, serving = quick
    found = Settings.model_validate(
        {
            "home": tmp_path / "home",
            "root": ROOT,
            "redis_url": SecretStr(redis_server.redis_url(server)),
            "health": health,
            "access": {"poll_seconds": 0.1, "used_minutes": 0.01},
            "ads": {"reload_seconds": 0.1, "pacing_seconds": 0.1},
            "serving": {**serving, "rules_seconds": 0.1, "timeout_seconds": PATIENCE_SECONDS},
        }
    )
    apply_features(found)
    bundle = tiny_bundle(services=schema_hashes(found, list(SERVICES)) or {})
    with Registry.open(found) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, found.paths.bundles))
        registry.promote(bundle.manifest.bundle_id)
    yield found
    redis_server.stop_server(server)


def tasks_of(deployment: Deployment) -> dict[str, BackgroundTask]:
    tasks = (*deployment.health._watched.tasks(), deployment.health.task)
    return {task.name: task for task in tasks}


def kill_thread(task: BackgroundTask) -> None:
    """Raises SystemExit in the task's thread, wherever it is, until that was noticed."""
    before = task.failures
    while task.failures == before and not task.is_dead:
        thread = task._thread
        assert thread is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
        )
        end = time.monotonic() + 2  # a second one at once could hit what reports the first
        while task.failures == before and not task.is_dead and time.monotonic() < end:
            time.sleep(0.01)


def problems(client: TestClient) -> Any:
    answer = client.get("/readyz")
    return answer.json().get("problems") if answer.status_code == 200 else None


def kill_and_see_it_back(task: BackgroundTask, client: TestClient) -> None:
    before, counted = task.failures, f'recsys_background_failures_total{{task="{task.name}"}}'
    kill_thread(task)
    wait_until(lambda: problems(client) is not None and task.failures > before)
    wait_until(lambda: not task.is_dead and not task.error)
    wait_until(lambda: f"{counted} 0.0" not in client.get("/metrics").text)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_each_thread_that_is_killed_works_again_and_it_is_counted(settings: Settings) -> None:
    with opened(settings) as (deployment, client):
        tasks = tasks_of(deployment)
        assert set(tasks) == TASKS
        threads = [task for task in tasks.values() if task._thread is not None]
        assert len(threads) == 12, "the others work in threads of these or of a pool"
        for task in threads:
            kill_and_see_it_back(task, client)
        slate = client.post("/v1/recommend", json={"user_id": "ann", "k": 2})
        assert slate.status_code == 200
        wait_until(lambda: len(read_slates(settings.paths.served)) == len(slate.json()["items"]))


@pytest.mark.parametrize("name", sorted(TASKS - {"event backlog", "stream metrics", "counts of ads"}))
def test_work_that_raises_is_a_problem_until_it_succeeds(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with opened(settings) as (deployment, client):
        task = tasks_of(deployment)[name]

        def broken() -> None:
            time.sleep(0.01)
            raise KeyError("surprise")

        with monkeypatch.context() as patch:
            patch.setattr(task, "_work", broken)
            wait_until(lambda: task.failures > 0)
            if name != "health":
                wait_until(lambda: "background_task_failing" in (problems(client) or ()))
        wait_until(lambda: not task.error)
        wait_until(lambda: "background_task_failing" not in (problems(client) or ()))


def test_an_empty_store_and_another_shop_s_are_said_and_answers_are_given(settings: Settings) -> None:
    with opened(settings) as (_, client):
        wait_until(lambda: problems(client) == ["store_empty", "nothing_materialised"])
        slate = client.post("/v1/recommend", json={"user_id": "ann", "k": 2}).json()
        assert slate["items"]
        assert slate["degraded"] == ["store_empty", "nothing_materialised"]
        assert slate["cold_start"]

    (settings.paths.data).mkdir(parents=True)
    (settings.paths.data / "dataset.json").write_text("{}")  # now it is a shop of its own
    with open_url(redis_server.redis_url(settings)) as client:
        client.set(MARK, "f" * 32)
    with opened(settings) as (_, client):
        wait_until(lambda: problems(client) == ["other_shop"])
        slate = client.post("/v1/recommend", json={"user_id": "ann", "k": 2})
        assert slate.status_code == 200
        assert slate.json()["items"]
        assert set(slate.json()["degraded"]) == {"online_features_unavailable", "other_shop"}


def test_a_server_that_goes_away_is_said_and_its_return_too(settings: Settings, tmp_path: Path) -> None:
    server = Settings(home=tmp_path / "server")
    with opened(settings) as (_, client):
        wait_until(lambda: problems(client) == ["store_empty", "nothing_materialised"])
        redis_server.stop_server(server)
        wait_until(lambda: problems(client) == ["store_unavailable"])
        assert client.post("/v1/recommend", json={"user_id": "ann"}).json()["items"]
        redis_server.start_server(server)
        wait_until(lambda: problems(client) == ["store_empty", "nothing_materialised"])
