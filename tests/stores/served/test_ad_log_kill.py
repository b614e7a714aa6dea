"""A process that is killed at any moment: each answer that could have left is in the log."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from recsys.stores.served.ad_log_files import read_ad_log
from recsys.stores.served.ad_log_index import day_of
from tests.stores.served.test_ad_log import END, START

# Eight threads append answers of two slots, and say each answer only once `append` has returned.
SERVE = """
import itertools, os, sys
from pathlib import Path
from threading import Thread
from recsys.stores.served.ad_log import DurableAdLog
from tests.ads.delivery.served_slots import NOW, served_slot

log = DurableAdLog(Path(sys.argv[1]), 400, 20_000, lambda: NOW)

def serve(name):
    for number in itertools.count():
        answer = f"{sys.argv[2]}-{name}-{number}"
        log.append([served_slot(f"{answer}/1", request_id=answer), served_slot(f"{answer}/2", slot=2)])
        os.write(1, f"{answer}\\n".encode())

for name in range(8):
    Thread(target=serve, args=(name,)).start()
"""


def test_what_append_returned_for_is_there_after_a_kill(tmp_path: Path) -> None:
    rng = random.Random(1)
    said: list[str] = []
    for run in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path), str(run)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(rng.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read()
        lines = (first + rest).decode().split("\n")
        said += lines[:-1]  # what follows the last line feed was not said to its end
    gaps: list[object] = []
    found = {slot.slot_id for slot in read_ad_log(tmp_path, START, END, gaps.append)}
    assert len(said) > 8
    assert {f"{answer}/{place}" for answer in said for place in (1, 2)} <= found
    assert {name.removesuffix("/1") for name in found if name.endswith("/1")} == {
        name.removesuffix("/2") for name in found if name.endswith("/2")
    }
    assert all(gap.kind == "unfinished" for gap in gaps)  # type: ignore[attr-defined]
    assert sum(day_of(path.name) is not None for path in tmp_path.iterdir()) >= 4
