"""Shared by all tests: one thread for torch, no network for model hubs, a home of its own for each test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Feast's import asks prometheus_client to keep metrics in files, which all registries of a process share.
# Here each test has its own, also in a process that pytest-xdist started from one that has Feast.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
os.environ.pop("PROMETHEUS_MULTIPROCESS_DIR", None)
import prometheus_client  # noqa: F401
from hypothesis import settings as hypothesis_settings

from recsys.config import Settings
from tests.postgres import fresh_database, running_postgres

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("FEAST_USAGE", "False")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("MPLBACKEND", "Agg")
# How long an example takes says what else the machine does.
hypothesis_settings.register_profile("no deadline", deadline=None)
hypothesis_settings.load_profile("no deadline")


@pytest.fixture(autouse=True)
def one_torch_thread() -> None:
    """A training before, in this process, may have taken more: then sums differ in their last bits."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work directory of its own, named by RECSYS_HOME; no other setting leaks in."""
    for name in list(os.environ):
        if name.startswith("RECSYS_") or name in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("RECSYS_HOME", str(path))
    return path


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a real server that lives as long as the tests of a module."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty home, with an empty database of each kind."""
    if request.param == "sqlite":
        return Settings(home=tmp_path / "home")
    url = fresh_database(request.getfixturevalue("postgres"))
    return Settings.model_validate({"home": tmp_path / "home", "database_url": url})
