"""More clicks than a person makes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.charging import velocity
from recsys.ads.charging.velocity import ClickLimit, ClickVelocity
from tests.ads.charging.tokened_events import SERVED


def exceeded(seconds: list[float], limit: ClickLimit) -> list[bool]:
    counter = ClickVelocity(limit)
    return [counter.is_exceeded("user:u1", SERVED + timedelta(seconds=each)) for each in seconds]


def test_clicks_above_the_limit_within_the_window_are_marked() -> None:
    # The fourth is the third within ten seconds of it; the fifth comes when the first two are over.
    assert exceeded([0, 1, 2, 11.5], ClickLimit(2, 10)) == [False, False, True, False]


def test_whoever_goes_on_clicking_stays_marked() -> None:
    assert exceeded([0, 1, 2, 3, 4, 5], ClickLimit(3, 10)) == [False] * 3 + [True] * 3


def test_units_are_counted_apart() -> None:
    counter = ClickVelocity(ClickLimit(1, 10))
    assert [counter.is_exceeded(unit, SERVED) for unit in ("user:a", "user:b", "user:a")] == [
        False,
        False,
        True,
    ]


def test_those_who_clicked_longest_ago_are_forgotten_first() -> None:
    counter = ClickVelocity(ClickLimit(1, 10))
    counter.is_exceeded("first", SERVED)
    for number in range(velocity.MOST_UNITS):
        counter.is_exceeded(str(number), SERVED)
    assert not counter.is_exceeded("first", SERVED)


@given(st.lists(st.integers(0, 100), max_size=50), st.integers(1, 5), st.integers(1, 30))
def test_a_click_is_marked_when_the_limit_was_reached_within_the_window_before_it(
    gaps: list[int], clicks: int, seconds: int
) -> None:
    at = [sum(gaps[: place + 1]) for place in range(len(gaps))]
    expected = [
        len([earlier for earlier in at[:place] if each - earlier < seconds]) >= clicks
        for place, each in enumerate(at)
    ]
    assert exceeded([float(each) for each in at], ClickLimit(clicks, seconds)) == expected
