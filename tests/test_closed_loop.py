"""The main job, for real, on a tiny shop: files, lake, features, training, Feast, Redis, service, promotion.

Every step is the command that a user types, in a process of its own.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from recsys.evaluation.compare import VALIDATION_CHOOSES
from recsys.instants import utc_now

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
USERS, ITEMS, DAYS = 30, 24, 150
MAPPING = """
name = "two-tastes"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "orders.csv"
user = "user"
item = "item"
kind = "purchase"
time = { column = "at" }
value = "paid"

[items]
files = "items.csv"
id = "item"
title = "title"
text = "{title}. {category}"
category = "category"
price = { from = "events" }
"""
SMALL = {
    "RECSYS_RETRIEVER__EPOCHS": "3",
    "RECSYS_RETRIEVER__THREADS": "1",
    "RECSYS_RETRIEVER__NEGATIVES": "24",
    "RECSYS_RETRIEVER__WARMUP_STEPS": "2",
    "RECSYS_RETRIEVER__BATCH_SIZE": "16",
    "RECSYS_RANKER__CANDIDATES": "20",
    "RECSYS_RANKER__EPOCHS": "2",
}


def write_shop(folder: Path) -> None:
    """Even users buy tea, odd users buy tools, one thing every third day until yesterday."""
    rng = random.Random(0)
    folder.mkdir()
    goods = [("tea", f"Green tea no. {n}") for n in range(ITEMS // 2)]
    goods += [("tools", f"Hammer no. {n}") for n in range(ITEMS // 2)]
    lines = [
        "item,title,category",
        *(f"i{n},{title},{category}" for n, (category, title) in enumerate(goods)),
    ]
    (folder / "items.csv").write_text("\n".join(lines) + "\n", "utf-8")
    end = utc_now().replace(microsecond=0) - timedelta(days=1)
    orders = ["user,item,at,paid"]
    for user in range(USERS):
        for day in range(user % 3, DAYS, 3):
            item = rng.randrange(ITEMS // 2) + ITEMS // 2 * (user % 2)
            at = end - timedelta(days=DAYS - day, seconds=user)
            orders.append(f"u{user},i{item},{at:%Y-%m-%dT%H:%M:%SZ},{1 + item}.50")
    (folder / "orders.csv").write_text("\n".join(orders) + "\n", "utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Shop:
    """One home and the commands typed in it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.source = folder / "files"
        self.port = free_port()
        given = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
        self.environment = {
            **given,
            **SMALL,
            "RECSYS_HOME": str(self.home),
            "RECSYS_SERVING__PORT": str(self.port),
            "RECSYS_SERVING__RELOAD_SECONDS": "0.5",
            "RECSYS_SERVING__SNAPSHOT_SHARE": "1",
            "BENTOML_HOME": str(folder / "bentoml"),
            "PATH": f"{BIN}:{given.get('PATH', '')}",
        }

    def type(self, line: str) -> str:
        """What the command printed on stdout; fails with all of its output if it failed."""
        done = subprocess.run(
            ["bash", "-c", line], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def ask(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", json=body, timeout=10)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(folder)
    write_shop(shop.source)
    (folder / "shop.toml").write_text(MAPPING, "utf-8")
    shop.type(f"recsys data import --mapping {folder / 'shop.toml'} --source {shop.source}")
    shop.type("recsys train --protocol time-split")
    shop.type("recsys up")
    try:
        shop.type("cd feature_repo && feast apply && feast materialize-incremental $(date -u +%FT%TZ)")
        yield shop
    finally:
        shop.type("recsys down")


@pytest.fixture(scope="module")
def served(shop: Shop) -> Iterator[Shop]:
    with (shop.home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["bentoml", "serve"],
            cwd=ROOT,
            env=shop.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until(lambda: is_ready(shop.port), 90, (shop.home / "serve.log"))
            yield shop
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(happened: Any, seconds: float, log: Path) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, log.read_text("utf-8", "replace")
        time.sleep(0.2)


def test_each_taste_is_recommended_its_own_goods(served: Shop) -> None:
    for user, category in (("u0", "tea"), ("u1", "tools"), ("u6", "tea")):
        slate = served.ask("/v1/recommend", {"user_id": user, "k": 5}).json()
        assert [item["category"] for item in slate["items"]] == [category] * 5
        assert slate["degraded"] == []
        assert slate["cold_start"] is False
        assert all(item["reason"]["text"] for item in slate["items"])


def test_a_stranger_gets_what_is_popular(served: Shop) -> None:
    slate = served.ask("/v1/recommend", {"user_id": "nobody", "k": 5}).json()
    assert slate["cold_start"] is True
    assert len(slate["items"]) == 5


def test_a_malformed_user_is_answered_with_its_field(served: Shop) -> None:
    response = served.ask("/v1/recommend", {"user_id": 5})
    assert response.status_code == 422
    assert "user_id" in response.json()["error"]["message"]


def test_a_promoted_bundle_is_picked_up_without_a_restart(served: Shop) -> None:
    before = served.ask("/v1/recommend", {"user_id": "u0", "k": 1}).json()["bundle_id"]
    trained = json.loads(served.type("recsys train --protocol all --promote --json"))
    wait_until(
        lambda: served.ask("/v1/recommend", {"user_id": "u0", "k": 1}).json()["bundle_id"] != before,
        20,
        served.home / "serve.log",
    )
    now = served.ask("/v1/recommend", {"user_id": "u0", "k": 1}).json()["bundle_id"]
    assert now == trained["bundle"]


def test_without_redis_answers_are_flagged_and_recover_by_themselves(served: Shop) -> None:
    served.type("recsys down")
    slate = served.ask("/v1/recommend", {"user_id": "u0", "k": 5}).json()
    assert len(slate["items"]) == 5
    assert slate["degraded"] != []
    served.type("recsys up")

    def recovered() -> bool:
        return bool(served.ask("/v1/recommend", {"user_id": "u0", "k": 5}).json()["degraded"] == [])

    wait_until(recovered, 20, served.home / "serve.log")


def test_what_was_served_stands_an_audit_against_the_lake(served: Shop) -> None:
    for user in range(6):
        served.ask("/v1/recommend", {"user_id": f"u{user}", "k": 5})
    log = served.home / "served" / "features-000001.jsonl"
    wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 6, 20, served.home / "serve.log")
    report = json.loads(served.type("recsys features audit --json"))
    assert (report["passed"], report["mismatched"], report["unknown"]) == (True, 0, 0)
    assert report["requests"] >= 6
    assert report["compared"] > 1000


def test_no_other_account_may_read_the_home_after_import_stream_and_service(served: Shop) -> None:
    view = {"kind": "view", "event_id": "e1", "user_id": "u0", "item_id": "i1"}
    assert served.ask("/v1/events", view).json()["accepted"] == 1
    served.type("recsys stream run --once")
    found = [path for path in (served.home, *served.home.rglob("*")) if path.name != "serve.log"]
    names = {path.name for path in found}
    assert {
        "state.db",
        "recsys.db",
        "registry.db",
        "served",
        "manifest.json",
        "appendonlydir",
        "live",
    } <= names
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_the_evaluation_knows_the_tastes_and_writes_rankings_for_other_tools(
    shop: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "rankings.parquet"
    more = "--validation-chooses --seeds 2"
    report = json.loads(shop.type(f"recsys evaluate --protocol time-split {more} --rankings {file} --json"))
    models = [row["model"] for row in report["rows"]]
    assert {"popularity", "kNN", "network alone", "recsys"} <= set(models)
    assert models[-1] == VALIDATION_CHOOSES
    assert {len(row["values"]) for row in report["seeds"]} == {2}
    assert [path for path in report["report"] if "reliability" in path] != []
    import pandas as pd

    rankings = pd.read_parquet(file)
    assert list(rankings.columns) == ["user_id", "item_id", "rank", "score"]
    first = rankings[rankings["rank"] <= 10]
    own = (first["item_id"].str[1:].astype(int) >= ITEMS // 2) == (
        first["user_id"].str[1:].astype(int) % 2 == 1
    )
    assert own.mean() > 0.95
    assert all(Path(path).exists() for path in report["report"])


def test_a_shop_is_tuned_and_trained_by_what_was_found(shop: Shop, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned.toml"
    planned = json.loads(shop.type("recsys train --dry-run --json"))
    assert (planned["items"], planned["epochs"]) == (ITEMS, 3)
    assert planned["peak_bytes"] > 0
    found = json.loads(shop.type(f"recsys tune --trials 2 --sample 0.5 --out {tuned} --json"))
    assert [trial["state"] for trial in found["trials"]] == ["complete", "complete"]
    trained = json.loads(shop.type(f"RECSYS_CONFIG={tuned} recsys train --json"))
    card = json.loads(shop.type(f"recsys models card {trained['bundle']} --json"))
    width = card["training"]["settings"]["retriever"]["width"]
    assert width == found["best"]["settings"]["retriever.width"]
