"""Which settings `recsys tune` may change, and within what: declared here, overridden in `[tune.space]`.

A range is for one setting by its dotted name, as in `retriever.dropout`. A shop writes

    [tune.space]
    "retriever.width" = { choices = [64, 96] }
    "retriever.dropout" = { low = 0.2, high = 0.6 }
    "fusion.hidden" = false                             # is not tuned

Settings that make a run larger rather than better (epochs, requests, history length) are not tuned.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

Choice = int | float | str


class Range(BaseModel):
    """What one setting may be: `choices`, or from `low` to `high`, whole numbers if both are whole.

    Attributes:
        log: tried evenly by ratio rather than by difference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[Choice, ...] | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Range":
        if self.choices is not None:
            if not self.choices or self.low is not None or self.high is not None or self.log:
                raise ValueError("give choices alone, at least one, or low and high")
            return self
        if self.low is None or self.high is None or self.low > self.high:
            raise ValueError("give low and high, low not above high, or choices")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}; on a log scale it must be above 0")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of those that may be tried."""
        if self.choices is not None:
            return value in self.choices
        assert self.low is not None
        assert self.high is not None
        return bool(self.low <= value <= self.high)


Space = Mapping[str, Range]

FIRST_STAGE: Space = {
    "retriever.width": Range(choices=(48, 64, 96, 128)),
    "retriever.text_width": Range(choices=(64, 128, 256)),
    "retriever.layers": Range(low=1, high=2),
    "retriever.dropout": Range(low=0.1, high=0.6),
    "retriever.learning_rate": Range(low=1e-3, high=1e-2, log=True),
    "retriever.weight_decay": Range(low=0.01, high=1.0, log=True),
    "retriever.batch_size": Range(choices=(64, 128, 256)),
    "fusion.hidden": Range(choices=(16, 32, 64)),
    "fusion.learning_rate": Range(low=1e-3, high=3e-2, log=True),
    "fusion.weight_decay": Range(low=0.01, high=1.0, log=True),
}
RANKER: Space = {
    "ranker.hidden": Range(choices=(16, 32, 64, 128)),
    "ranker.learning_rate": Range(low=3e-4, high=1e-2, log=True),
    "ranker.weight_decay": Range(low=1e-3, high=0.3, log=True),
    "ranker.batch_size": Range(choices=(32, 64, 128)),
}


def space_of(given: Mapping[str, Range | bool], stage: Space) -> dict[str, Range]:
    """The ranges of a stage with those that a shop `given` in their place.

    A range for a setting of the same sections that is not tuned by default is added.
    """
    sections = {name.partition(".")[0] for name in stage}
    own = {name: found for name, found in given.items() if name.partition(".")[0] in sections}
    merged = {**stage, **{name: found for name, found in own.items() if isinstance(found, Range)}}
    return {name: found for name, found in merged.items() if own.get(name) is not False}
