"""Memory is measured, and too little of it is said before a training starts."""

from pathlib import Path

import pytest

from recsys.jobs.training import estimate
from recsys.jobs.training.estimate import free_bytes, resident_bytes, size_text
from tests.training.test_pipeline import job, two_tastes


def test_too_little_memory_is_said_and_enough_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work, _ = job(two_tastes(), "time-split", tmp_path)
    for free, said in ((10**12, False), (1000, True), (None, False)):
        caplog.clear()
        monkeypatch.setattr(estimate, "free_bytes", lambda free=free: free)
        estimate.warn_of_memory(work)
        assert ("may need" in caplog.text) is said


def test_memory_of_this_machine_and_process_is_known() -> None:
    assert (free_bytes() or 1) > 0
    assert resident_bytes() > 10_000_000
    assert size_text(1_500) == "1.5 kB"
