"""What a shop needs adds up, and the first limit that it meets is the one that it meets first."""

from dataclasses import replace

import pytest

from recsys.sizing.growth import GrowthCurve
from recsys.sizing.measured import MeasuredStage, shipped_stages, stage_from_json
from recsys.sizing.needs import FIRST, HOURLY, ONLINE, REQUESTS, Machine, ShopSize, first_break, shop_needs

FLAT = GrowthCurve(0.0, 0.0, 0.0)
SHOP = ShopSize(items=1000, users=2000, events=10_000, texts=500, requests=10, epochs=2)
LARGE = Machine(memory_mb=1e12, disk_mb=1e12, cores=10**9)


def stages(**given: MeasuredStage) -> dict[str, MeasuredStage]:
    """Each stage takes a second an event and 100 MB; a request 2 ms of CPU, Redis 1 kB a user."""
    per_event = GrowthCurve(0.0, 1.0, 1.0)
    found = {
        name: MeasuredStage(name, "events", 5000, per_event, GrowthCurve(100.0, 0.0, 0.0), FLAT, FLAT)
        for name in (*FIRST, *HOURLY)
    }
    found[REQUESTS] = MeasuredStage(
        REQUESTS, "items", 1000, FLAT, GrowthCurve(300.0, 0.0, 0.0), FLAT, GrowthCurve(2.0, 0.0, 0.0)
    )
    found[ONLINE] = MeasuredStage(ONLINE, "users", 1000, FLAT, FLAT, FLAT, GrowthCurve(0.0, 0.001, 1.0))
    return found | given


def test_needs_are_those_of_the_stages_at_the_size_of_the_shop() -> None:
    needs = shop_needs(stages(), SHOP)
    by_name = {each.stage: each for each in needs.stages}
    assert by_name["import"].hours == pytest.approx(10_000 / 3600)
    assert by_name["train one epoch"].hours == pytest.approx(2 * 10_000 / 3600)
    assert by_name["import"].beyond == 2.0
    assert needs.cores == pytest.approx(10 * 0.002)
    assert needs.online_mb == pytest.approx(2.0)
    assert needs.memory_mb == pytest.approx(300 + 2 + 300)
    assert needs.hourly_hours == pytest.approx(2 * 10_000 / 3600)


@pytest.mark.parametrize(
    ("machine", "limit", "times"),
    [
        (replace(LARGE, cores=1), "cores", 1000 / 20),
        (replace(LARGE, memory_mb=602.0 + 20.0), "memory", 11.0),
    ],
)
def test_a_shop_meets_the_limit_that_comes_first(machine: Machine, limit: str, times: float) -> None:
    hours = MeasuredStage("x", "events", 5000, FLAT, FLAT, FLAT, FLAT)
    quick = stages(**dict.fromkeys(HOURLY, hours))
    found = first_break({name: replace(each, name=name) for name, each in quick.items()}, SHOP, machine)
    assert found is not None
    assert found.limit == limit
    assert found.times == pytest.approx(times, rel=0.001)


def test_the_hour_is_met_below_one_where_the_job_is_too_long_already() -> None:
    found = first_break(stages(), SHOP, LARGE)
    assert found is not None
    assert (found.limit, found.stage in HOURLY) == ("hour", True)
    assert found.times == pytest.approx(3600 / 20_000, rel=0.001)


def test_nothing_breaks_where_nothing_grows() -> None:
    flat = {name: replace(each, seconds=FLAT, figure=FLAT) for name, each in stages().items()}
    assert first_break(flat, SHOP, LARGE) is None


def test_a_stage_is_read_from_what_the_benchmark_writes() -> None:
    document = {
        "stage": "import",
        "driver": "events",
        "sizes": [10, 20, 30],
        "cpu_seconds": [1, 2, 3],
        "memory_mb": [5, 5, 5],
        "disk_mb": [0, 0, 0],
        "figure": [0, 0, 0],
    }
    found = stage_from_json(document)
    assert (found.seconds.at(40), found.memory_mb.at(40), found.largest) == (pytest.approx(4.0), 5.0, 30)


def test_what_is_shipped_has_every_stage_that_is_asked_for() -> None:
    found = shipped_stages()
    assert set(found) >= {*FIRST, *HOURLY, REQUESTS, ONLINE}
    needs = shop_needs(found, ShopSize(items=1000, users=1000, events=20_000, texts=100))
    assert needs.memory_mb > 0
    assert needs.disk_mb > 0
