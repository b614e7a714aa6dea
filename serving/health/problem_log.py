"""Problems in the log: at once when they come and go, and from time to time while they stay."""

import logging
from collections.abc import Collection

from recsys.health.problems import Problem

log = logging.getLogger("recsys.serving.health")


class ProblemLog:
    """Logs each problem once in `seconds` at most, whatever its detail says meanwhile."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._logged_at: dict[str, float] = {}
        self._present: set[str] = set()

    def note(self, problems: Collection[Problem], now: float) -> None:
        """Takes what is wrong at `now`, monotonic seconds."""
        for problem in problems:
            if now - self._logged_at.get(problem.code, float("-inf")) >= self._seconds:
                self._logged_at[problem.code] = now
                kind = problem.kind
                log.warning("problem %s: %s %s %s", kind.code, kind.meaning, problem.detail, kind.remedy)
        present = {problem.code for problem in problems}
        for code in sorted(self._present - present):
            log.info("problem %s is over", code)
        self._present = present
