"""Requests and steps are counted by hour, surface and hold-out, from any thread, each once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

from recsys.ads.delivery.counts import CountedHour, CountingProcess, DeliveryCounts, lost_seconds
from recsys.ads.delivery.steps import Step
from tests.ads.delivery.named_steps import named_steps

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_counts_are_kept_apart_by_hour_surface_and_holdout() -> None:
    counts = DeliveryCounts()
    counts.count(NOON, "search", named_steps(a=Step.WON, b=Step.OUTBID), holdout=False)
    counts.count(NOON + 59 * MINUTE, "search", named_steps(a=Step.WON), holdout=False)
    counts.count(NOON + 60 * MINUTE, "search", named_steps(a=Step.WON), holdout=False)
    counts.count(NOON, "home", named_steps(), holdout=False)
    counts.count(NOON, "search", named_steps(a=Step.WON), holdout=True)
    assert counts.take() == (
        CountedHour(NOON, "home", False, 1, {}),
        CountedHour(NOON, "search", False, 2, {("a", Step.WON): 2, ("b", Step.OUTBID): 1}),
        CountedHour(NOON, "search", True, 1, {("a", Step.WON): 1}),
        CountedHour(NOON + 60 * MINUTE, "search", False, 1, {("a", Step.WON): 1}),
    )


def test_what_was_taken_is_not_taken_again() -> None:
    counts = DeliveryCounts()
    assert counts.take() == ()
    counts.count(NOON, "home", named_steps(), holdout=False)
    assert len(counts.take()) == 1
    assert counts.take() == ()


def test_the_hour_is_that_of_utc() -> None:
    counts = DeliveryCounts()
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    counts.count(datetime(2026, 5, 1, 17, 50, tzinfo=kathmandu), "home", named_steps(), holdout=False)
    assert [each.hour for each in counts.take()] == [NOON]


def test_no_request_is_lost_or_counted_twice_while_threads_count_and_another_takes() -> None:
    counts, taken = DeliveryCounts(), []

    def serve(_: int) -> None:
        for _ in range(500):
            counts.count(NOON, "home", named_steps(a=Step.WON), holdout=False)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(serve, each) for each in range(4)]
        while not all(each.done() for each in running):
            taken += counts.take()
    taken += counts.take()
    assert sum(each.requests for each in taken) == 2000
    assert sum(each.steps["a", Step.WON] for each in taken) == 2000


def test_a_process_that_fell_silent_without_an_end_lost_at_most_a_second() -> None:
    silent = CountingProcess("1", NOON, NOON + 5 * MINUTE)
    ended = CountingProcess("2", NOON, NOON + 5 * MINUTE, ended_at=NOON + 5 * MINUTE)
    running = CountingProcess("3", NOON, NOON + 20 * MINUTE)
    now = NOON + 20 * MINUTE
    assert [each.was_killed(now) for each in (silent, ended, running)] == [True, False, False]
    assert lost_seconds([silent, ended, running], now) == 1.0
