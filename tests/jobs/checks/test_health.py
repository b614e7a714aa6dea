"""The facts of a home with a real server, and what the doctor makes of them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from recsys.config import Settings
from recsys.dataset.info import DatasetInfo
from recsys.features.windows import LONGEST_DAYS
from recsys.health.facts import Facts
from recsys.health.judge import judge
from recsys.health.problems import PROBLEM_KINDS
from recsys.instants import now_micros, utc_now
from recsys.jobs.checks.health import ask_service, problems
from recsys.jobs.checks.observe import HomeObserver, lake_facts
from recsys.stores.features.build import write_rows
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.dataset_files import save_info
from recsys.stores.redis import server as redis_server
from recsys.stores.redis.client import open_url
from recsys.stores.redis.shop_claim import MARK
from recsys.stores.shop_identity import make_shop_id
from recsys.stores.stream.open import open_progress, open_stream
from scripts.benchmarks.online.random_shop import feature_rows
from tests.applied_features import apply_features

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(home=tmp_path_factory.mktemp("server"))
    redis_server.start_server(settings)
    yield redis_server.redis_url(settings)
    redis_server.stop_server(settings)


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Settings:
    """A home with a shop of yesterday whose features are applied; its server is empty."""
    with open_url(url) as client:
        client.flushall()
    found = Settings(home=tmp_path, root=ROOT, redis_url=SecretStr(url))
    found.paths.data.mkdir(parents=True)
    import_shop(found, utc_now() - timedelta(days=1))
    make_shop_id(found.paths)
    apply_features(found)
    return found


def import_shop(settings: Settings, end: datetime, clock: str = "time") -> None:
    info = DatasetInfo(
        name="corner",
        clock=clock,
        repeats=True,
        label_kinds=("purchase",),
        events=1,
        users=1,
        items=1,
        start=end,
        end=end,
        imported_at=end,
        mapping_sha256="0",
    )
    save_info(settings.paths, info)


def look(settings: Settings) -> Facts:
    observer = HomeObserver(settings)
    try:
        return observer.look(now_micros())
    finally:
        observer.close()


def codes(settings: Settings) -> set[str]:
    return {problem.code for problem in judge(look(settings), settings.health, LONGEST_DAYS)}


def mark(settings: Settings, shop: str | None = None) -> None:
    """Lets the server be this shop's, or another's."""
    with open_url(redis_server.redis_url(settings)) as client:
        client.set(MARK, shop or str(make_shop_id(settings.paths)))


def put_rows(settings: Settings) -> None:
    rows = feature_rows(3, 2, utc_now() - timedelta(seconds=5), np.random.default_rng(0))
    for view, table in rows.items():
        write_rows(settings.paths, view, table)


def test_an_empty_store_and_nothing_materialised_are_said(settings: Settings) -> None:
    assert codes(settings) == {"store_empty", "nothing_materialised"}
    with open_url(redis_server.redis_url(settings)) as client:
        assert client.keys("*") == [], "who only looks leaves no mark"


def test_a_store_that_is_away_is_said(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    assert codes(away) == {"store_unavailable"}


def test_another_shop_s_store_is_said_and_its_stream_is_left_alone(settings: Settings) -> None:
    mark(settings, "f" * 32)
    facts = look(settings)
    assert facts.store is not None
    assert (facts.store.owner, facts.stream) == ("ffffffff", None)
    assert codes(settings) == {"other_shop"}


def test_materialising_by_feast_is_noted_on_the_server_that_got_the_rows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSYS_HOME", str(settings.paths.home))  # Feast's stores look there
    monkeypatch.setenv("REDIS_URL", redis_server.redis_url(settings))
    put_rows(settings)
    before = now_micros()
    OfflineFeatures(settings).materialize(utc_now())
    facts = look(settings)
    assert facts.store is not None
    assert facts.store.has_user_rows
    assert facts.store.has_item_rows
    assert before <= (facts.store.materialized_at or 0) <= now_micros()
    assert facts.lake_lag_seconds == 0.0
    assert codes(settings) == set()
    with open_url(redis_server.redis_url(settings)) as client:
        client.flushall()
    assert codes(settings) == {"store_empty", "nothing_materialised"}, "the registry still thinks otherwise"


def test_old_data_is_said_unless_the_stream_brings_new_or_there_is_no_clock(
    settings: Settings,
) -> None:
    import_shop(settings, utc_now() - timedelta(days=LONGEST_DAYS + 2))
    assert "data_older_than_windows" in codes(settings)
    (settings.paths.live / f"day={utc_now():%Y-%m-%d}").mkdir(parents=True)
    (settings.paths.live / "day=never").mkdir()
    assert "data_older_than_windows" not in codes(settings)
    import_shop(settings, utc_now() - timedelta(days=9000), clock="order")
    assert "data_older_than_windows" not in codes(settings)


def test_a_home_without_a_shop_has_no_lake_to_judge(tmp_path: Path) -> None:
    facts = lake_facts(Settings(home=tmp_path).paths)
    assert (facts.imported_at, facts.newest_event_at) == (None, None)


def test_events_wait_for_a_worker_that_is_away_and_for_none_that_lives(settings: Settings) -> None:
    mark(settings)
    stream, progress = open_stream(settings), open_progress(settings)
    (offset,) = stream.append([(0, b"{}")], now_micros())
    facts = look(settings).stream
    assert facts is not None
    assert (facts.waiting, facts.waiting_seconds, facts.worker_seconds) == (1, None, None)
    assert "stream_worker_away" in codes(settings)
    progress.beat("worker-1", ["compaction"])
    facts = look(settings).stream
    assert facts is not None
    assert facts.worker_seconds is not None
    assert facts.worker_seconds < 60
    assert facts.failing == ("compaction",)
    assert {"stream_worker_away", "background_task_failing"} & codes(settings) == {"background_task_failing"}
    progress.advance({0: offset}, [1])
    progress.leave("worker-1", 60.0)
    facts = look(settings).stream
    assert facts is not None
    assert (facts.waiting, facts.worker_seconds) == (0, None)
    assert "stream_worker_away" not in codes(settings), "nothing waits"
    stream.close()


def test_the_wait_of_an_event_is_measured_from_look_to_look(settings: Settings) -> None:
    mark(settings)
    seconds = [0.0]
    observer = HomeObserver(settings, clock=lambda: seconds[0])
    stream = open_stream(settings)

    def waited() -> float | None:
        facts = observer.look(now_micros()).stream
        assert facts is not None
        return facts.waiting_seconds

    assert waited() == 0.0
    (offset,) = stream.append([(3, b"{}")], now_micros())
    assert waited() == 0.0
    seconds[0] = 90.0
    assert waited() == 90.0
    open_progress(settings).advance({3: offset}, [1])
    assert waited() == 0.0
    observer.close()
    stream.close()


def test_unknown_items_and_dead_letters_are_said(settings: Settings) -> None:
    mark(settings)
    progress, stream = open_progress(settings), open_stream(settings)
    progress.count(95, 4)
    assert "unknown_items" not in codes(settings)
    progress.count(5, 1)
    assert {"unknown_items", "dead_letters"} & codes(settings) == {"unknown_items"}
    stream.append([(0, b"{}")], now_micros())
    (entry,) = stream.reader({0: 0}).read(1, 5.0)
    stream.put_aside([(entry, "no event")], now_micros())
    assert {"unknown_items", "dead_letters"} <= codes(settings)
    stream.close()


def test_the_doctor_says_each_problem_with_its_remedy(settings: Settings) -> None:
    import_shop(settings, utc_now() - timedelta(days=900))
    checks = {check.name: check for check in problems(settings)}
    assert {"store_empty", "nothing_materialised", "data_older_than_windows", "service"} == set(checks)
    for code in ("store_empty", "nothing_materialised", "data_older_than_windows"):
        assert checks[code].state == "warning"
        assert checks[code].remedy == next(kind.remedy for kind in PROBLEM_KINDS if kind.code == code)
    assert "900 days ago" in checks["data_older_than_windows"].detail


@contextmanager
def answering(status: int, content: bytes, settings: Settings) -> Iterator[Settings]:
    """Something at the service's port that answers this, whatever it is asked; it keeps no header secret."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers.get("X-API-Key") is None
            assert self.headers.get("Authorization") is None
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        serving = settings.serving.model_copy(update={"port": server.server_port})
        try:
            yield settings.model_copy(update={"serving": serving, "api_key": SecretStr("open-sesame")})
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (200, {"status": "ok", "problems": ["mostly_cold", "of_the_future", "records_dropped"]}, True),
        (200, {"problems": ["mostly_cold"], "details": [{"code": "mostly_cold", "detail": "9 of 10"}]}, True),
        (503, {"error": {"code": "no_bundle", "message": "none"}}, True),
        (200, {"hello": "world"}, False),
        (302, [1, 2], False),
    ],
)
def test_the_doctor_asks_the_service_without_the_key(
    tmp_path: Path, status: int, answer: object, told: bool
) -> None:
    away = Settings(home=tmp_path, root=ROOT, redis_url=SecretStr("redis://127.0.0.1:1/0"))
    with answering(status, json.dumps(answer).encode(), away) as settings:
        checks = {check.name: check for check in problems(settings)}
    assert checks["service"].state == ("ok" if told else "warning")
    assert ("mostly_cold" in checks) == ("mostly_cold" in str(answer))
    assert ("no_bundle" in checks) == (status == 503)
    assert "of_the_future" not in checks
    if "9 of 10" in str(answer):
        assert "9 of 10" in checks["mostly_cold"].detail
    if status == 503:
        assert checks["no_bundle"].state == "missing"


def test_without_a_service_the_doctor_says_what_it_did_not_look_at(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "serving": {"port": 1}})
    assert ask_service(settings) is None
