"""Background work outlives whatever it raises, and what happened can be seen."""

import logging
import threading
import time
from collections.abc import Callable

import pytest

from recsys.background_task import BackgroundTask
from tests.fake_world import Clock

PATIENCE_SECONDS = 60.0


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


class Work:
    """Counts its rounds and raises what it is told to."""

    def __init__(self) -> None:
        self.rounds = 0
        self.failure: BaseException | None = None

    def __call__(self) -> None:
        self.rounds += 1
        if self.failure is not None:
            raise self.failure


@pytest.mark.parametrize("failure", [RuntimeError("odd"), SystemExit(1), MemoryError()])
def test_whatever_is_raised_the_work_goes_on(failure: BaseException) -> None:
    work = Work()
    task = BackgroundTask("work", work)
    work.failure = failure
    task.start(0.005)
    wait_until(lambda: task.failures >= 2)
    assert type(failure).__name__ in task.error
    work.failure = None
    wait_until(lambda: not task.error)
    assert not task.is_dead
    task.stop()


def test_failures_are_counted_and_the_last_one_is_shown_until_a_round_succeeds() -> None:
    work = Work()
    task = BackgroundTask("work", work)
    work.failure = ValueError("two\nlines")
    assert [task.attempt(), task.attempt()] == [False, False]
    assert (task.failures, task.error) == (2, "ValueError: two lines")
    work.failure = None
    assert task.attempt()
    assert (task.failures, task.error) == (2, "")


def test_a_failure_that_repeats_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock, work = Clock(), Work()
    task = BackgroundTask("work", work, clock)
    work.failure = ValueError("odd")
    with caplog.at_level(logging.ERROR, "recsys"):
        for _ in range(5):
            task.attempt()
        clock.seconds += 60
        task.attempt()
    assert [record.getMessage() for record in caplog.records] == [
        "work failed and is tried again: ValueError: odd"
    ] * 2
    assert all(record.exc_info for record in caplog.records)


def test_a_thread_that_is_gone_is_started_anew_and_counted() -> None:
    work = Work()
    task = BackgroundTask("work", work)
    task.start(0.005)
    assert not task.revive()
    gone = threading.Thread(target=lambda: None)
    gone.start()
    gone.join()
    task._thread = gone  # nothing that the work can raise ends the real one
    assert task.is_dead
    assert task.revive()
    assert (task.is_dead, task.failures) == (False, 1)
    task.stop()


def test_a_task_that_was_stopped_or_never_started_is_not_dead() -> None:
    task = BackgroundTask("work", Work())
    assert not task.is_dead
    task.start(0.005)
    task.stop()
    assert not task.is_dead
    assert not task.revive()
