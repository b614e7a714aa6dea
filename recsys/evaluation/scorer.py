"""What an evaluation asks of a recommender."""

from typing import Protocol

from recsys.arrays import FloatArray
from recsys.dataset.interactions import Cases


class Scorer(Protocol):
    """Scores the whole catalogue for each case; the larger the better."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    def score(self, cases: Cases) -> FloatArray:
        """(U, N + 1) float32; column i is item index i, column 0 is ignored.

        Only what happened strictly before a case's `at` may be used.
        """
        ...
