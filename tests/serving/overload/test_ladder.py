"""When answers get simpler and when they get better again."""

from hypothesis import given
from hypothesis import strategies as st

from recsys.funnel.requests import Effort
from serving.overload.ladder import Ladder

TARGET, INTERVAL = 0.02, 0.1


def opened() -> Ladder:
    return Ladder(TARGET, INTERVAL, now=0.0)


def after(ladder: Ladder, waits: list[float], start: float = 0.0) -> list[Effort]:
    """The rung after each interval, in the middle of which somebody has waited that long."""
    found = []
    for number, waited in enumerate(waits):
        ladder.note(waited, start + INTERVAL * (number + 0.5))
        found.append(ladder.rung(start + INTERVAL * (number + 1.01)))
    return found


def test_each_interval_in_which_all_waited_too_long_is_one_rung() -> None:
    assert after(opened(), [0.05] * 4) == [1, 2, 3, 3]


def test_one_request_that_did_not_wait_says_that_it_was_a_burst() -> None:
    ladder = opened()
    for at, waited in ((0.01, 0.3), (0.02, 0.2), (0.05, 0.001), (0.09, 0.3)):
        ladder.note(waited, at)
    assert ladder.rung(0.11) is Effort.FULL


def test_two_calm_intervals_are_one_rung_back() -> None:
    assert after(opened(), [0.05, 0.05, 0.05, *[0.001] * 6]) == [1, 2, 3, 3, 2, 2, 1, 1, 0]


def test_between_half_the_target_and_the_target_the_rung_stays() -> None:
    assert after(opened(), [0.05, *[0.015] * 20])[-1] is Effort.FEWER_CANDIDATES


def test_an_interval_without_calm_begins_the_count_anew() -> None:
    assert after(opened(), [0.05, 0.001, 0.015, 0.001, 0.015]) == [1, 1, 1, 1, 1]


def test_from_the_last_rung_a_quiet_service_is_back_within_a_second() -> None:
    ladder = opened()
    after(ladder, [0.05] * 10)
    assert ladder.rung(1.0 + 0.01) is Effort.POPULARITY
    assert ladder.rung(2.0) is Effort.FULL


def test_after_an_hour_without_requests_the_first_answer_is_a_full_one() -> None:
    ladder = opened()
    after(ladder, [0.05] * 10)
    assert ladder.rung(3600.0) is Effort.FULL


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 2)), max_size=60))
def test_a_rung_is_gone_at_a_time_and_never_beyond_the_ends(requests: list[tuple[float, float]]) -> None:
    ladder, now, before = opened(), 0.0, Effort.FULL
    for pause, waited in requests:
        now += pause
        rung = ladder.rung(now)
        ladder.note(waited, now)
        assert ladder.rung(now) is rung, "within an interval nothing changes"
        assert Effort.FULL <= rung <= Effort.POPULARITY
        assert rung <= before + 1
        before = rung


@given(st.lists(st.floats(0, TARGET / 2, exclude_max=True), min_size=1, max_size=30))
def test_who_never_waits_long_always_gets_full_answers(waits: list[float]) -> None:
    assert set(after(opened(), waits)) == {Effort.FULL}
