"""Figures of `scripts/bench` that were measured at one speed of the machine and are judged at another."""

import json
from typing import Any

import pytest

from scripts.benchmarks.reference_speed import at_speed_one, drift_warning, judge_row, measure_speed
from scripts.benchmarks.reference_workload import CANDIDATES, Workload, echo_store


def row(unit: str, ours: float, at_least: float | None, **others: Any) -> dict[str, Any]:
    aim = {"peer": None, "peer_value": None, "ratio": None, "aim": at_least, "ok": False}
    return {"name": "some-row", "unit": unit, "ours": ours, "at_least": at_least, **aim, **others}


@pytest.mark.parametrize("unit", ["s", "ms", "ms CPU a request", "us CPU an event"])
def test_a_time_of_a_machine_of_half_the_speed_is_halved(unit: str) -> None:
    assert at_speed_one(18.4, unit, 0.5) == 9.2


def test_a_rate_of_a_machine_of_half_the_speed_is_doubled() -> None:
    assert at_speed_one(4000.0, "events/s", 0.5) == 8000.0


def test_a_size_does_not_depend_on_the_speed() -> None:
    assert at_speed_one(1460.0, "bytes", 0.5) == 1460.0


def test_at_speed_one_every_figure_is_itself() -> None:
    assert [at_speed_one(7.0, unit, 1.0) for unit in ("ms", "events/s", "bytes")] == [7.0] * 3


def test_a_unit_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="unit 'furlongs' is not a time, a rate or a size"):
        at_speed_one(1.0, "furlongs", 0.5)


@pytest.mark.parametrize(
    ("unit", "ours", "bound", "speed", "ok"),
    [
        ("ms CPU a request", 18.0, 12.0, 0.5, True),  # 9 at speed 1.0
        ("ms CPU a request", 11.0, 12.0, 1.5, False),  # a quick machine does not hide slow work: 16.5
        ("events/s", 2000.0, 3000.0, 0.5, True),  # 4,000
        ("events/s", 4000.0, 3000.0, 2.0, False),  # 2,000
        ("bytes", 2000.0, 2048.0, 2.0, True),
        ("bytes", 2100.0, 2048.0, 0.5, False),
    ],
)
def test_an_absolute_row_is_judged_at_speed_one(
    unit: str, ours: float, bound: float, speed: float, ok: bool
) -> None:
    judged = judge_row(row(unit, ours, bound), speed)
    assert judged["judged"] == at_speed_one(ours, unit, speed)
    assert (judged["ours"], judged["speed"], judged["ok"]) == (ours, speed, ok)


@pytest.mark.parametrize("ok", [True, False])
def test_a_row_beside_a_peer_is_judged_by_its_ratio_at_any_speed(ok: bool) -> None:
    beside = row("ms", 30.0, 5.0, peer="other", peer_value=450.0, ratio=15.0, ok=ok)
    judged = judge_row(beside, 0.5)
    assert judged == {**beside, "speed": 0.5, "judged": 15.0}


def test_a_row_beside_a_peer_may_have_no_bounds() -> None:
    beside = row("us CPU an event", 130.0, None, peer="one", peer_value=100.0, ratio=1.3, ok=True)
    assert judge_row(beside, 0.5) == {**beside, "speed": 0.5, "judged": 1.3}


@pytest.mark.parametrize("speeds", [(1.0, 0.85), (0.85, 1.0), (0.5, 0.56)])
def test_speeds_that_differ_by_more_than_a_tenth_are_warned_of(speeds: tuple[float, float]) -> None:
    warning = drift_warning(*speeds)
    assert warning is not None
    assert f"from {speeds[0]:.2f} to {speeds[1]:.2f}" in warning


@pytest.mark.parametrize("speeds", [(1.0, 1.0), (1.0, 1.09), (0.55, 0.51)])
def test_speeds_within_a_tenth_are_not(speeds: tuple[float, float]) -> None:
    assert drift_warning(*speeds) is None


def test_the_workload_is_the_same_work_every_time() -> None:
    answers = []
    for _ in range(2):
        with echo_store() as store:
            answers.append(json.loads(Workload(store).answer()))
    first, second = ([one["item_id"] for one in answer] for answer in answers)
    assert first == second
    assert len(set(first)) == 100 < CANDIDATES


@pytest.mark.slow
def test_the_speed_of_this_machine_is_a_sensible_number() -> None:
    assert 0.05 < measure_speed() < 20
