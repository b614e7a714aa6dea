"""A user's own counts: how often an item was taken, and the same by the age of each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.dataset.interactions import Histories
from recsys.models.own_signals import OWN_HALF_LIFE_DAYS
from recsys.models.signals import OWN_COUNT, OWN_RECENT, SIGNALS, UserSignals
from tests.tiny_bundle import tiny_bundle

DAY_SECONDS = 86_400
NOW_DAY = 1000


def own_signals(actions: list[tuple[int, float]], clock: bool = True) -> tuple[list[float], list[float]]:
    """own_count and own_recent of the items 1 to 4, for (item, days ago) of one user."""
    actions = sorted(actions, key=lambda action: -action[1])
    at = [round((NOW_DAY - days) * DAY_SECONDS) for _, days in actions]
    past = Histories(
        items=np.array([[item for item, _ in actions]], np.int64).reshape(1, -1),
        kinds=np.full((1, len(actions)), 1, np.int64),
        at_seconds=np.array([at], np.int64).reshape(1, -1),
        request_at_seconds=np.array([NOW_DAY * DAY_SECONDS]),
    )
    vectors = np.zeros((1, 8), np.float32)
    users = UserSignals.from_histories(tiny_bundle().signal_tables, past, vectors, unit=1.0, clock=clock)
    rows = users.signals_at(np.arange(1, 5))
    count, recent = (rows[:, SIGNALS.index(name)].tolist() for name in (OWN_COUNT, OWN_RECENT))
    return count, recent


def test_own_counts_of_a_small_history() -> None:
    assert OWN_HALF_LIFE_DAYS == 28
    # Bread now, 28 and 56 days ago: 1 + 1/2 + 1/4. Cheese 14 days ago, twice at once: 2 * 2 ** -.5.
    count, recent = own_signals([(1, 0), (1, 28), (1, 56), (3, 14), (3, 14)])
    assert count == [3, 0, 2, 0]
    assert recent == pytest.approx([1.75, 0, 2 / np.sqrt(2), 0])


def test_without_a_clock_both_are_the_plain_count() -> None:
    count, recent = own_signals([(1, 0), (1, 28), (4, 500)], clock=False)
    assert count == recent == [2, 0, 0, 1]


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0, 900)), min_size=1, max_size=30))
def test_what_is_older_counts_less_and_nothing_more_than_once(actions: list[tuple[int, float]]) -> None:
    count, recent = own_signals(actions)
    assert count == [sum(item == each for item, _ in actions) for each in range(1, 5)]
    assert all(0 <= some <= all_ for some, all_ in zip(recent, count, strict=True))
    later = own_signals([(item, days + OWN_HALF_LIFE_DAYS) for item, days in actions])
    assert later[0] == count
    assert later[1] == pytest.approx([value / 2 for value in recent], rel=1e-3)
