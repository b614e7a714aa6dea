"""When what ended is started again; every instant is a number of seconds."""

from recsys.jobs.start.restarts import Restarts, after_end


def ends(*instants: float) -> list[float | None]:
    """How long each end at `instants` is waited after; None: not started again."""
    past, waits = Restarts(), []
    for now in instants:
        past, at = after_end(past, now, disk_full=False)
        waits.append(None if at is None else round(at - now, 3))
    return waits


def test_five_restarts_a_minute_wait_longer_each_and_the_sixth_end_is_the_last() -> None:
    assert ends(0, 1, 2, 3, 4, 5) == [0.2, 0.5, 1.0, 2.0, 5.0, None]


def test_an_end_counts_for_a_minute() -> None:
    assert ends(0, 30, 59) == [0.2, 0.5, 1.0]
    assert ends(0, 30, 60) == [0.2, 0.5, 0.5]  # the first one was a minute ago
    assert ends(*range(0, 600, 13)) == [0.2, 0.5, 1.0, 2.0, *[5.0] * 43]  # never six of them in a minute


def test_ends_on_a_full_disk_do_not_count_however_many() -> None:
    past, now, waits = Restarts(deaths=(0.0, 1.0)), 2.0, []
    for _ in range(100):
        past, at = after_end(past, now, disk_full=True)
        waits.append(at - now)
        now = at
    assert waits[:5] == [1.0, 2.0, 5.0, 10.0, 10.0]
    assert set(waits[5:]) == {10.0}
    assert past.deaths == (0.0, 1.0)


def test_an_end_after_there_was_room_again_begins_with_short_waits() -> None:
    past, _ = after_end(Restarts(full=7), 100.0, disk_full=False)
    assert past == Restarts(deaths=(100.0,), full=0)
