"""From which cosine on an item matches a query by its meaning: a limit with what it is known to reach."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from recsys.arrays import FloatArray
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError

Form = Literal["cosine", "centred", "standard"]
FORMS: tuple[Form, ...] = get_args(Form)
Background = tuple[float, float]  # see `TextIndex.background`
_KEYS = ("form", "limits", "reached", "false_match_rate", "source", "encoder")


@dataclass(frozen=True)
class Reached:
    """What the limit for queries of some number of words does, on pairs that it was not chosen by.

    Attributes:
        queries: held-out queries. kept: share of the pairs that belong together and are at or above it.
        false_matches: share of the pairs that do not belong together and are at or above it.
    """

    words: int
    queries: int
    kept: float
    false_matches: float


@dataclass(frozen=True)
class MatchThreshold:
    """Limits by the number of a query's words.

    Attributes:
        form: what is compared: the `cosine`; `centred`, the cosine minus the query's mean cosine with a
            sample of items; `standard`, that divided by the standard deviation of these.
        limits: for one word, two, and so on; the last is for all longer queries.
        false_match_rate: the share of items that match by chance, as it was asked for.
        source: the pairs that it was fitted by. encoder: of the vectors.
    """

    form: Form
    limits: tuple[float, ...]
    reached: tuple[Reached, ...] = ()
    false_match_rate: float = 0.0
    source: str = "set by hand"
    encoder: str = ""

    def of(self, words: int, background: Background) -> float:
        """The least cosine that matches a query of that many words.

        Args:
            background: mean and deviation of the query's cosines with items in general.

        >>> MatchThreshold("standard", (4.0, 3.5)).of(7, (0.25, 0.125))
        0.6875
        """
        limit = self.limits[min(max(words, 1), len(self.limits)) - 1]
        mean, deviation = background
        if self.form == "cosine":
            return limit
        return mean + limit * (deviation if self.form == "standard" else 1.0)

    def to_json(self) -> JsonObject:
        """What the bundle keeps, and what people are shown."""
        return {
            "form": self.form,
            "limits": list(self.limits),
            "reached": [asdict(each) for each in self.reached],
            "false_match_rate": self.false_match_rate,
            "source": self.source,
            "encoder": self.encoder,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "MatchThreshold":
        """What `to_json` gave.

        Raises:
            ArtifactMismatchError: it is something else.
        """
        try:
            known = {key: document[key] for key in _KEYS}
            limits = tuple(float(limit) for limit in known["limits"])
            reached = tuple(Reached(**each) for each in known["reached"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactMismatchError(f"match threshold: {error!r}. Train again.") from error
        if known["form"] not in FORMS or not limits or not all(map(math.isfinite, limits)):
            raise ArtifactMismatchError(
                f"match threshold: form {known['form']!r} with limits {list(limits)} is none. Train again."
            )
        return cls(**(known | {"limits": limits, "reached": reached}))


def in_form(form: Form, cosines: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """`cosines` as `form` compares them, given each one's background; shapes broadcast."""
    if form == "cosine":
        return cosines
    centred: FloatArray = cosines - mean
    return centred if form == "centred" else np.asarray(centred / deviation, np.float32)
