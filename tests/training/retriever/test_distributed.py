"""Real processes: several that share a run, and one that is killed in the middle of it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = str(Path(__file__).with_name("circle_process.py"))
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def result(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process makes of batches in two parts."""
    return result(start(SCRIPT, str(tmp_path_factory.mktemp("alone")), "2"))


def test_two_processes_learn_what_one_learns(tmp_path, alone):
    """Dropout is on, and the halves of each batch have seeds of their own whoever computes them."""
    two = result(start(*TORCHRUN, SCRIPT, str(tmp_path), "2"))
    assert len(two["epochs"]) == 4
    for ours, expected in zip(two["epochs"], alone["epochs"], strict=True):
        assert ours["loss"] == pytest.approx(expected["loss"], rel=1e-4)
        assert ours["ndcg@10"] == expected["ndcg@10"]


def test_a_killed_run_goes_on_from_its_step_and_ends_with_the_same_weights(tmp_path, alone):
    assert start(SCRIPT, str(tmp_path), "2", "7").returncode == -signal.SIGKILL
    state = json.loads((tmp_path / "checkpoint.json").read_text())
    assert state["position"]["step"] == 4
    assert result(start(SCRIPT, str(tmp_path), "2")) == alone


@pytest.mark.slow
def test_where_one_process_is_killed_the_other_ends_and_both_can_go_on(tmp_path):
    whole = result(start(*TORCHRUN, SCRIPT, str(tmp_path / "whole"), "2"))
    assert start(*TORCHRUN, SCRIPT, str(tmp_path / "cut"), "2", "7").returncode == 1
    assert result(start(*TORCHRUN, SCRIPT, str(tmp_path / "cut"), "2")) == whole
