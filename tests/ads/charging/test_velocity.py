"""More clicks than a person makes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from recsys.ads.charging import velocity
from recsys.ads.charging.reasons import NotBilled
from recsys.ads.charging.velocity import ClickLimit, ClickLimits, ClickVelocities, ClickVelocity
from tests.ads.charging.tokened_events import SERVED


def exceeded(seconds: list[float], limit: ClickLimit) -> list[bool]:
    counter = ClickVelocity(limit)
    return [
        counter.is_exceeded("user:u1", str(place), SERVED + timedelta(seconds=each))
        for place, each in enumerate(seconds)
    ]


def test_clicks_above_the_limit_within_the_window_are_marked() -> None:
    # The fourth is the third within ten seconds of it; the fifth comes when the first two are over.
    assert exceeded([0, 1, 2, 11.5], ClickLimit(2, 10)) == [False, False, True, False]


def test_whoever_goes_on_clicking_stays_marked() -> None:
    assert exceeded([0, 1, 2, 3, 4, 5], ClickLimit(3, 10)) == [False] * 3 + [True] * 3


def test_units_are_counted_apart() -> None:
    counter = ClickVelocity(ClickLimit(1, 10))
    clicks = [("user:a", "1"), ("user:b", "2"), ("user:a", "3")]
    assert [counter.is_exceeded(unit, event_id, SERVED) for unit, event_id in clicks] == [
        False,
        False,
        True,
    ]


def test_those_who_clicked_longest_ago_are_forgotten_first() -> None:
    counter = ClickVelocity(ClickLimit(1, 10))
    counter.is_exceeded("first", "e", SERVED)
    for number in range(velocity.MOST_UNITS):
        counter.is_exceeded(str(number), "e", SERVED)
    assert not counter.is_exceeded("first", "f", SERVED)


def test_an_event_that_is_told_again_is_one_click() -> None:
    counter = ClickVelocity(ClickLimit(2, 10))
    assert not any(counter.is_exceeded("user:a", "e", SERVED) for _ in range(5))
    assert not counter.is_exceeded("user:a", "f", SERVED)
    assert counter.is_exceeded("user:a", "g", SERVED)


def reasons(limits: ClickLimits, *clicks: tuple[str, str]) -> list[str | None]:
    """Of clicks within one second, each of a unit and an origin."""
    counter = ClickVelocities(limits)
    found = [
        counter.exceeded(unit, origin, f"e{place}", SERVED) for place, (unit, origin) in enumerate(clicks)
    ]
    return [None if each is None else each.value for each in found]


def test_many_users_of_one_address_are_too_fast_together() -> None:
    clicks = [("user:a", "11.aa"), ("user:b", "11.bb"), ("user:c", "11.cc"), ("user:d", "22.dd")]
    assert reasons(ClickLimits(10, 9, address=2), *clicks) == [None, None, "address_velocity", None]
    assert reasons(ClickLimits(10, 9), *clicks) == [None] * 4


def test_agents_at_an_address_are_counted_apart() -> None:
    clicks = [("user:a", "11.aa"), ("user:b", "11.bb"), ("user:c", "11.aa"), ("user:d", "22.aa")]
    assert reasons(ClickLimits(10, 9, agent=1), *clicks) == [None, None, "address_velocity", None]


def test_an_origin_that_is_not_known_is_nobodys() -> None:
    assert reasons(ClickLimits(10, 9, address=1, agent=1), ("user:a", ""), ("user:b", "")) == [None, None]


def test_a_click_above_two_limits_is_its_users_and_counts_in_both() -> None:
    clicks = [("user:a", "11.aa"), ("user:a", "11.aa"), ("user:b", "11.aa")]
    limits = ClickLimits(10, 1, address=1)
    assert reasons(limits, *clicks) == [None, NotBilled.VELOCITY, NotBilled.ADDRESS_VELOCITY]


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
