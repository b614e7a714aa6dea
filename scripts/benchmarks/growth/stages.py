"""The stages of a shop's way as processes of their own, and what each costs: CPU, memory, disk."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil

from growth.synthetic_shop import DAYS, LAST_DAY, write_events
from recsys.sizing.measured import DRIVERS
from recsys.sizing.shop_size import Driver, ShopSize

NEW_SHARE = 0.01  # of the events: what a day or two brings
LOOK_SECONDS = 0.05
COMMANDS = Path(sys.executable).parent
REQUESTS = Path(__file__).with_name("requests_cost.py")


@dataclass(frozen=True)
class Cost:
    """What a stage took.

    Attributes:
        memory_mb: the most that it and its children held at once, by a look each 50 ms. disk_mb: by which the
            home grew. figure: what the stage printed of itself, such as milliseconds of CPU a request.
    """

    cpu_seconds: float
    wall_seconds: float
    memory_mb: float
    disk_mb: float
    figure: float | None = None


@dataclass(frozen=True)
class Stage:
    """A command of a shop.

    Attributes:
        most_cpu, most_memory: exponents, past which the stage fails; None = not judged.
        figure: the number that is taken from what the command writes to stdout and stderr.
        judged_by_figure: it is judged in the place of the CPU.
        before: what happens to the shop's files before it.
    """

    name: str
    command: tuple[str, ...]
    most_cpu: float | None = 1.1
    most_memory: float | None = 1.1
    figure: Callable[[str, str], float] | None = None
    judged_by_figure: bool = False
    before: Callable[["Shop"], None] = lambda shop: None

    @property
    def driver(self) -> Driver:
        """What of the shop it is to grow with."""
        return DRIVERS[self.name][0]


@dataclass(frozen=True)
class Shop:
    """A synthetic shop's files and home."""

    folder: Path
    root: Path
    size: ShopSize

    @property
    def home(self) -> Path:
        """The home that the stages fill."""
        return self.folder / "home"

    def environment(self) -> dict[str, str]:
        """Of the stages' processes: one thread for numpy and torch each, and one epoch of training."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        epochs = {"RECSYS_RETRIEVER__EPOCHS": "1", "RECSYS_RANKER__EPOCHS": "1"}
        return {**os.environ, **threads, **epochs, "RECSYS_HOME": str(self.home)}


def add_new_events(shop: Shop) -> None:
    """Writes the next hours of the shop: one hundredth of its events."""
    count = max(round(shop.size.events * NEW_SHARE), 1)
    file = shop.folder / "source" / "events-new.parquet"
    write_events(file, shop.size, count, DAYS, DAYS * (1 + NEW_SHARE), np.random.default_rng(7))


def _import(shop: str = "{source}") -> tuple[str, ...]:
    return ("recsys", "data", "import", "--mapping", f"{shop}/shop.toml", "--source", shop, "--now", "{now}")


def _requests_ms(out: str, err: str) -> float:
    return float(json.loads(out)["milliseconds"])


def _redis_mb(out: str, err: str) -> float:
    return float(json.loads(out)["memory_bytes"]) / 1e6


def _retriever_seconds(out: str, err: str) -> float:
    """Of its two passes over the events: one that validation chooses from, and one with all of them."""
    passes = re.findall(r"^train retriever: done in ([\d.]+) s", err, re.MULTILINE)
    if not passes:
        raise RuntimeError(f"no line tells how long the retriever trained: {err[-2000:]}")
    return sum(map(float, passes))


_MATERIALIZE = ("feast", "-c", "{root}/feature_repo", "materialize-incremental", "{now}")
_TRAIN = ("recsys", "train", "--protocol", "all", "--promote")
STAGES = (
    Stage("import", _import()),
    Stage("features build", ("recsys", "features", "build", "--no-text")),
    Stage("text encoding", ("recsys", "features", "build")),
    Stage("up", ("recsys", "up")),
    Stage("materialize all", _MATERIALIZE),
    Stage("online store", ("recsys", "status", "--json"), 1.1, None, _redis_mb, True),
    Stage("import again", _import(), before=add_new_events),
    Stage("features build again", ("recsys", "features", "build")),
    Stage("materialize what is new", _MATERIALIZE),
    Stage("train one epoch", _TRAIN, figure=_retriever_seconds),
    Stage("recommend", ("python", str(REQUESTS)), 0.15, 1.1, _requests_ms, True),
    Stage("down", ("recsys", "down")),
)


def run_stage(stage: Stage, shop: Shop) -> Cost:
    """Runs the command of `stage` on `shop`, to its end.

    Raises:
        RuntimeError: it failed; the message ends with what it said.
    """
    stage.before(shop)
    disk, began = _disk_mb(shop.home), time.perf_counter()
    process = subprocess.Popen(
        _command(stage, shop),
        cwd=shop.root,
        env=shop.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    cpu, memory, out, err = _watch(process)
    if process.returncode:
        raise RuntimeError(f"{stage.name} of {shop.size} failed: {err.decode()[-2000:]}")
    figure = None if stage.figure is None else stage.figure(out.decode(), err.decode())
    return Cost(cpu, time.perf_counter() - began, memory, _disk_mb(shop.home) - disk, figure)


def _command(stage: Stage, shop: Shop) -> list[str]:
    last = LAST_DAY.astype("datetime64[us]").item().replace(tzinfo=UTC)
    now: datetime = last + timedelta(days=DAYS * NEW_SHARE + 1)
    values = {"source": shop.folder / "source", "root": shop.root, "now": now.isoformat()}
    name, *arguments = (part.format(**values) for part in stage.command)
    return [str(COMMANDS / name), *arguments]


def _watch(process: "subprocess.Popen[bytes]") -> tuple[float, float, bytes, bytes]:
    """CPU seconds, peak memory and output of a process with all its children."""
    before, peak = os.times(), 0.0
    while True:
        try:
            out, err = process.communicate(timeout=LOOK_SECONDS)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, _tree_memory_mb(process.pid))
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, peak, out, err


def _tree_memory_mb(pid: int) -> float:
    total = 0
    try:
        parent = psutil.Process(pid)
        for each in [parent, *parent.children(recursive=True)]:
            if "valkey" not in each.name() and "redis" not in each.name():
                total += each.memory_info().rss
    except psutil.Error:  # it ended in between
        pass
    return total / 1e6


def _disk_mb(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except FileNotFoundError:  # a temporary file that was renamed in between
            continue
    return total / 1e6
