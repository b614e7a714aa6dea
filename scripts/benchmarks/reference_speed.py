"""How fast the machine is, so that figures of a slow one and of a fast one can be compared.

`reference_workload.py` is timed before and after each benchmark. An absolute figure, a time or a rate, is
judged as it would be at speed 1.0; ratios to a peer of the same run and sizes are judged as they are.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORKLOAD = Path(__file__).with_name("reference_workload.py")
# CPU of a request of the workload at speed 1.0. Measured by alternating the workload with seven seconds of
# `recommend` of 7722d12 on one machine, 18 times: workload / recommend x 9.2 ms was 5.74 ms in the median,
# 5.40 to 6.13; in the six rounds without another process 5.63.
REFERENCE_MS = 5.7
TOLERANCE = 0.1  # two measurements that differ by more say that the machine was not itself


def measure_speed() -> float:
    """Speed of this machine now; twice as much work a CPU second is twice the speed. Takes some seconds."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    # A process of its own: what a benchmark leaves in the memory of this one must not slow the workload.
    ended = subprocess.run(
        [sys.executable, WORKLOAD],
        env={**os.environ, **threads},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return REFERENCE_MS / float(ended.stdout)


def drift_warning(before: float, after: float) -> str | None:
    """What to say where the speeds before and after a benchmark differ by more than a tenth of the lower.

    >>> drift_warning(1.0, 1.05)
    >>> drift_warning(1.0, 0.8)
    'warning: the speed of the machine went from 1.00 to 0.80: repeat this on a quieter one'
    """
    if max(before, after) <= (1 + TOLERANCE) * min(before, after):
        return None
    changed = f"the speed of the machine went from {before:.2f} to {after:.2f}"
    return f"warning: {changed}: repeat this on a quieter one"


def judge_row(row: Mapping[str, Any], speed: float) -> dict[str, Any]:
    """`row` with the `speed` it was measured at and the figure that was `judged` by its bounds.

    A row with a ratio is judged by it, as its benchmark did; any other by its figure at speed 1.0.
    """
    if row["ratio"] is not None:
        judged, ok = row["ratio"], row["ok"]
    else:
        judged = at_speed_one(row["ours"], row["unit"], speed)
        ok = judged >= row["at_least"] if _is_rate(row["unit"]) else judged <= row["at_least"]
    bounds = ("at_least", "aim", "ok")
    measured = {name: value for name, value in row.items() if name not in bounds}
    return {
        **measured,
        "speed": round(speed, 3),
        "judged": judged,
        "at_least": row["at_least"],
        "aim": row["aim"],
        "ok": ok,
    }


def at_speed_one(value: float, unit: str, speed: float) -> float:
    """What a figure measured at `speed` would be at speed 1.0.

    >>> at_speed_one(18.0, "ms CPU a request", 0.5), at_speed_one(4000.0, "events/s", 0.5)
    (9.0, 8000.0)
    >>> at_speed_one(1024.0, "bytes", 0.5)
    1024.0

    Raises:
        ValueError: the unit is not of a time, a rate or a size.
    """
    if _is_rate(unit):
        return value / speed
    match unit.split()[0]:
        case "s" | "ms" | "us":
            return value * speed
        case "bytes" | "answers" | "events":  # however fast the machine is
            return value
    raise ValueError(f"unit {unit!r} is not a time, a rate or a size: say here how it depends on the speed")


def _is_rate(unit: str) -> bool:
    return unit.endswith("/s")
