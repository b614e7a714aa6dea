"""Shares of the last requests, and waits that are measured by looking again."""

from hypothesis import given
from hypothesis import strategies as st

from recsys.health.recent import LatelyGrown, RecentShare, WaitMeter


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 20))
def test_only_the_last_observations_count(values: list[bool], size: int) -> None:
    share = RecentShare(size)
    for value in values:
        share.add(value)
    last = values[-size:]
    assert share.counts() == (len(last), sum(last))


def test_an_event_has_waited_since_the_first_look_that_saw_it() -> None:
    meter = WaitMeter()
    assert meter.look(100.0, [(0, 7, 5)]) == 0.0
    assert meter.look(110.0, [(0, 9, 5)]) == 10.0
    assert meter.look(120.0, [(0, 9, 7)]) == 10.0, "up to 7 is visible: 9 was seen at 110"
    assert meter.look(130.0, [(0, 9, 9)]) == 0.0
    assert meter.look(140.0, [(0, 10, 9)]) == 0.0


def test_the_slowest_partition_counts_and_one_that_caught_up_is_forgotten() -> None:
    meter = WaitMeter()
    meter.look(0.0, [(0, 5, 0), (1, 5, 0)])
    assert meter.look(10.0, [(1, 5, 0)]) == 10.0
    assert meter.look(20.0, [(0, 6, 5)]) == 0.0


def test_a_long_wait_needs_little_memory() -> None:
    meter = WaitMeter()
    for second in range(5000):
        assert meter.look(float(second), [(0, second + 1, 0)]) == second
    assert len(meter._marks[0]) <= 1000


def test_growth_is_forgotten_after_its_time() -> None:
    grown = LatelyGrown(600.0)
    assert grown.look(0.0, 0) == 0
    assert grown.look(10.0, 3) == 3
    assert grown.look(300.0, 5) == 5
    assert grown.look(610.0, 5) == 2, "the three of second 10 are over"
    assert grown.look(900.0, 5) == 0
