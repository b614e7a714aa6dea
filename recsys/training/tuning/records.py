"""What is kept of the trials of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["complete", "pruned", "failed", "running"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: from 0. values: dotted name of a setting -> what was tried.
        score: on the evaluation cases; None unless the trial is complete.
        epochs: validation after each epoch, as far as it got.
        seconds: from its start to its end; None while it runs or if it was killed.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    score: float | None
    epochs: tuple[float, ...]
    seconds: float | None


@dataclass(frozen=True)
class StudyRecord:
    """A study as it stands.

    Attributes:
        importance: setting -> its share of what moves the score, largest first; empty with few trials.
    """

    name: str
    metric: str
    trials: tuple[TrialRecord, ...]
    importance: Mapping[str, float]

    @property
    def complete(self) -> Sequence[TrialRecord]:
        """The trials that came to their end."""
        return [trial for trial in self.trials if trial.state == "complete"]

    @property
    def best(self) -> TrialRecord | None:
        """The complete trial with the highest score, the first of equals; None if none is complete."""
        return max(self.complete, key=lambda trial: trial.score or 0.0, default=None)

    def count(self, state: State) -> int:
        """How many trials are in this state."""
        return sum(trial.state == state for trial in self.trials)
