"""Memory is measured, and too little of it is said before a training starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.home import HomePaths
from recsys.instants import utc_now
from recsys.jobs.data.import_shop import import_files
from recsys.jobs.training import estimate
from recsys.jobs.training.estimate import free_bytes, resident_bytes, size_text
from tests.test_closed_loop import MAPPING, ROOT, SMALL, write_shop
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


MEASURED = """
import sys
from pathlib import Path
from recsys.cli.app import main
sys.argv = ["recsys", "train", *sys.argv[1:]]
try:
    main()
finally:
    peak = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    print(int(peak[0].split()[1]) * 1024, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_real_training_takes_about_the_memory_that_was_estimated(home: Path, tmp_path: Path) -> None:
    """Two fifths apart at most: on a shop this small it is libraries, whose size depends on their builds."""
    write_shop(tmp_path / "files")
    (tmp_path / "shop.toml").write_text(MAPPING)
    import_files(HomePaths(home), str(tmp_path / "shop.toml"), tmp_path / "files", utc_now())

    def measured(*arguments: str) -> tuple[str, int]:
        command = [sys.executable, "-c", MEASURED, *arguments, "--json"]
        done = subprocess.run(
            command, env={**os.environ, **SMALL}, capture_output=True, text=True, check=True, cwd=ROOT
        )
        return done.stdout, int(done.stderr.splitlines()[-1])

    estimated = json.loads(measured("--dry-run")[0])
    _, peak = measured()
    assert peak * 0.6 < estimated["peak_bytes"] < peak * 1.4
    assert "features" in estimated["bytes"]
    again = json.loads(measured("--dry-run")[0])
    assert "features" not in again["bytes"]  # they are up to date now
    assert again["peak_bytes"] < estimated["peak_bytes"]
