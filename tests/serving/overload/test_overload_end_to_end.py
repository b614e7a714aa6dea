"""A real service that is asked for more than it can do: what a client sees, whatever the machine is doing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.funnel.requests import EFFORT_DEGRADATIONS
from scripts.benchmarks.online.overload_bench import ENVIRONMENT, measure
from scripts.benchmarks.online.random_shop import open_shop as random_shop
from scripts.benchmarks.online.served_process import serving

ROOT = Path(__file__).parents[3]
USERS = 50
UNHURRIED = {"RECSYS_SERVING__TIMEOUT_SECONDS": "30", "RECSYS_SERVING__WAIT_SECONDS": "0.2"}
pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    found = Settings(home=tmp_path / "home", root=ROOT)
    with random_shop(found, items=2000, users=USERS):
        yield found


def test_overload_is_answered_with_less_or_with_429_and_loses_no_event(settings: Settings) -> None:
    with serving(ROOT, settings.paths.home, {**ENVIRONMENT, **UNHURRIED}) as (address, _):
        found = measure(settings, address, max(os.sched_getaffinity(0)), USERS, seconds=6.0)
    assert found.capacity > 0
    for outcome in found.outcomes:
        assert set(outcome.statuses) <= {200, 429}
        assert outcome.goodput > 0
    fivefold = found.outcomes[-1]
    assert fivefold.times == 5.0
    assert set(fivefold.rungs) & set(EFFORT_DEGRADATIONS)
    assert found.accepted > 0
    assert found.lost == 0
