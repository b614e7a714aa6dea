"""`scripts/simulate_traffic.py` as it is typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.home import HomePaths
from recsys.simulation.truth import read_truth
from recsys.stores.lake.dataset_files import save_items
from tests.simulation.catalogs import small_catalog

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A home with a catalog."""
    save_items(HomePaths(tmp_path / "home"), small_catalog())
    return tmp_path


def simulate(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "simulate_traffic.py"), *words]
    environment = {**os.environ, "RECSYS_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_log_with_its_truth_and_its_catalog(shop: Path) -> None:
    words = ["--out", "log/events.jsonl", "--days", "2", "--truth", "log/truth.parquet", "--shoppers", "50"]
    result = simulate(shop, *words, "--habit", "drift=0.5", "--json")
    assert result.returncode == 0, result.stderr
    assert "SIMULATED" in result.stderr
    facts = json.loads(result.stdout)
    assert facts["traffic"] == "simulated"
    assert facts["events"] == len((shop / "log" / "events.jsonl").read_text().splitlines()) > 100
    assert len((shop / "log" / "items.jsonl").read_text().splitlines()) == 240
    truth = read_truth(shop / "log" / "truth.parquet")
    assert truth.habits.drift == 0.5
    assert set(truth.tastes["day"].to_pylist()) == {0, 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Pass either --out"),
        (["--out", "events.jsonl", "--url", "http://shop"], "Pass either --out"),
        (["--out", "events.jsonl", "--habit", "drfit=0.5"], "drfit"),
        (["--out", "events.jsonl", "--habit", "drift=2"], "got '2'"),
        (["--out", "events.jsonl", "--habit", "drift"], "NAME=VALUE"),
        (["--out", "events.jsonl", "--start", "soon"], "soon"),
        (["--out", "events.jsonl", "--days", "0.5"], "whole days"),
        (["--out", "clicks.jsonl"], "events.jsonl"),
        (["--url", "http://127.0.0.1:9", "--seconds", "5"], "bentoml serve"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(shop: Path, words: list[str], message: str) -> None:
    result = simulate(shop, *words)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
