"""What a worker says of its work: what it owns, and a line a minute."""

import logging

import pytest

from recsys.jobs.stream.work_log import WorkLog


def test_a_worker_says_what_it_owns_and_once_a_minute_what_it_did(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    report = WorkLog(4, lambda: now)
    with caplog.at_level(logging.INFO, "recsys"):
        report(frozenset({0, 1, 2, 3, 4}), 5)
        now = 59.0
        report(frozenset({0, 1, 2, 3, 4}), 7)
        now = 60.0
        report(frozenset({0, 1, 2, 3, 4}), 0)
        report(frozenset({0, 2}), 0)
        now = 121.0
        report(frozenset({0, 2}), 0)
    assert caplog.messages == [
        "ready: works on partitions 0-3 and the catalog",
        "12 events in the last 60 s",
        "ready: works on partitions 0,2",
        "0 events in the last 61 s",
    ]
