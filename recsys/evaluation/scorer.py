"""The interface of what an evaluation compares."""

from typing import Protocol

from recsys.arrays import FloatArray
from recsys.dataset.interactions import EvalCases


class Scorer(Protocol):
    """Scores the whole catalog for each case; the larger the better."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32; column i is item index i, column 0 is ignored.

        Only what happened strictly before a case's `at` may be used.
        """
        ...
