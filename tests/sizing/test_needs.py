"""What a shop needs adds up, and the limit that it meets first is the one that it meets first."""

from dataclasses import replace

import pytest

from recsys.sizing.growth_curve import GrowthCurve
from recsys.sizing.measured import DRIVERS, MeasuredStage, shipped_stages, stages_from_json
from recsys.sizing.needs import (
    HOURLY,
    ONCE,
    ONLINE,
    REQUESTS,
    TRAINING,
    Machine,
    Use,
    first_break,
    shop_needs,
)
from recsys.sizing.shop_size import Driver, ShopSize

EVENTS: dict[Driver, int] = {"events": 5000}
ITEMS: dict[Driver, int] = {"items": 1000}
USERS: dict[Driver, int] = {"users": 1000}
FLAT = GrowthCurve(0.0, 0.0, 0.0)
SHOP = ShopSize(items=1000, users=2000, events=10_000, texts=500)
USE = Use(requests=10, epochs=3)
LARGE = Machine(memory_mb=1e12, disk_mb=1e12, cores=10**9)


def stages() -> dict[str, MeasuredStage]:
    """Measured at 5,000 events, where a stage takes 5,000 s and 100 MB; 1,000 users take 1 MB of Redis.

    A request takes 2 ms of CPU and the service 300 MB; 1,000 s of the training are an epoch.
    """
    hour = GrowthCurve(0.0, 5000.0, 1.0)
    found = {
        name: MeasuredStage(name, EVENTS, EVENTS, hour, GrowthCurve(100.0, 0.0, 0.0), FLAT, FLAT)
        for name in (*ONCE, *HOURLY)
    }
    found[TRAINING] = replace(found[TRAINING], figure=GrowthCurve(0.0, 1000.0, 1.0))
    service, request = GrowthCurve(300.0, 0.0, 0.0), GrowthCurve(2.0, 0.0, 0.0)
    found[REQUESTS] = MeasuredStage(REQUESTS, ITEMS, ITEMS, FLAT, service, FLAT, request)
    found[ONLINE] = MeasuredStage(ONLINE, USERS, USERS, FLAT, FLAT, FLAT, GrowthCurve(0.0, 1.0, 1.0))
    return found


def test_needs_are_those_of_the_stages_at_the_size_of_the_shop() -> None:
    needs = shop_needs(stages(), SHOP, USE)
    assert needs.stage("import").hours == pytest.approx(2 * 5000 / 3600)
    assert needs.stage(TRAINING).hours == pytest.approx(2 * (5000 + 2 * 1000) / 3600)
    assert needs.stage("import").scale == 2.0
    assert needs.cores == pytest.approx(10 * 0.002)
    assert needs.online_mb == pytest.approx(2.0)
    assert needs.memory_mb == pytest.approx(300 + 2 + 300)
    assert needs.hourly_hours == pytest.approx(3 * 2 * 5000 / 3600)


@pytest.mark.parametrize(
    ("machine", "limit", "stage", "times"),
    [
        (replace(LARGE, cores=1), "cores", REQUESTS, 1000 / 20),
        (replace(LARGE, memory_mb=602.0 + 20.0), "memory", REQUESTS, 11.0),
    ],
)
def test_a_shop_meets_the_limit_that_comes_first(
    machine: Machine, limit: str, stage: str, times: float
) -> None:
    quick = {name: replace(each, seconds=FLAT, figure=each.figure) for name, each in stages().items()}
    quick[TRAINING] = replace(quick[TRAINING], figure=FLAT)
    found = first_break(quick, SHOP, USE, machine)
    assert found is not None
    assert (found.limit, found.stage) == (limit, stage)
    assert found.times == pytest.approx(times, rel=0.001)


def test_the_hour_is_met_below_one_where_the_job_is_too_long_already() -> None:
    found = first_break(stages(), SHOP, USE, LARGE)
    assert found is not None
    assert (found.limit, found.stage in HOURLY) == ("hour", True)
    assert found.times == pytest.approx(3600 / 30_000, rel=0.001)


def test_a_training_that_takes_more_than_a_day_is_told() -> None:
    quick = stages() | {name: replace(stages()[name], seconds=FLAT) for name in HOURLY}
    found = first_break(quick, SHOP, USE, LARGE)
    assert found is not None
    assert (found.limit, found.stage) == ("day", TRAINING)
    assert found.times == pytest.approx(24 * 3600 / 14_000, rel=0.001)


def test_nothing_is_met_where_nothing_grows() -> None:
    flat = {name: replace(each, seconds=FLAT, figure=FLAT) for name, each in stages().items()}
    assert first_break(flat, SHOP, USE, LARGE) is None


def test_a_stage_of_several_drivers_is_as_large_as_its_largest() -> None:
    stage = replace(stages()["import"], largest={"events": 20_000, "items": 1000})
    assert stage.scale(ShopSize(items=500, users=1, events=40_000, texts=1)) == 2.0
    assert stage.scale(ShopSize(items=3000, users=1, events=40_000, texts=1)) == 3.0


def test_memory_may_grow_with_something_else_than_time() -> None:
    rises = GrowthCurve(0.0, 100.0, 1.0)
    encoding = MeasuredStage("import", {"texts": 100}, ITEMS, rises, rises, rises, FLAT)
    need = shop_needs(stages() | {"import": encoding}, ShopSize(3000, 1, 1, 200), USE).stage("import")
    assert (need.hours, need.memory_mb, need.disk_mb, need.scale) == (200 / 3600, 300.0, 300.0, 3.0)


def test_stages_are_read_from_what_the_benchmark_writes() -> None:
    costs = {"cpu_seconds": [1, 2, 3], "memory_mb": [5, 5, 5], "disk_mb": [0, 0, 0], "figure": [0, 0, 0]}
    shops = [{"items": n, "users": n, "events": 20 * n, "texts": n} for n in (10, 20, 30)]
    found = stages_from_json({"shops": shops, "stages": dict.fromkeys(DRIVERS, costs)})["import"]
    assert found.largest == {"events": 600, "items": 30}
    assert found.seconds.at(found.scale(ShopSize(40, 1, 1, 1))) == pytest.approx(4.0)
    assert found.memory_mb.at(9.0) == 5.0


def test_a_stage_that_was_not_measured_at_the_largest_shop_is_that_of_the_largest_where_it_was() -> None:
    costs = {
        "cpu_seconds": [1, 2, 3, None],
        "memory_mb": [5, 5, 5, None],
        "disk_mb": [0] * 4,
        "figure": [0] * 4,
    }
    shops = [{"items": n, "users": n, "events": 20 * n, "texts": n} for n in (10, 20, 30, 300)]
    found = stages_from_json({"shops": shops, "stages": dict.fromkeys(DRIVERS, costs)})["recommend"]
    assert found.largest == {"items": 30}
    assert found.scale(ShopSize(300, 1, 1, 1)) == 10.0


def test_what_is_shipped_has_every_stage_and_finds_the_shop_that_it_was_measured_on() -> None:
    found = shipped_stages()
    assert set(found) == {*ONCE, *HOURLY, REQUESTS, ONLINE}
    largest = ShopSize(items=1_000_000, users=1_000_000, events=20_000_000, texts=100_000)
    assert {each.scale(largest) for each in found.values()} <= {1.0, 10.0}, "or of a tenth of it"
    needs = shop_needs(found, largest, USE)
    assert needs.memory_mb > needs.online_mb > 0
    assert needs.disk_mb > 0
