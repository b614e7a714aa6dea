"""The learned order of search: small networks that read relevance features and agree on one number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, DoubleArray, FloatArray
from recsys.documents import JsonObject
from recsys.errors import ArtifactMismatchError
from recsys.search.relevance.features import (
    FEATURES,
    FIELD_FEATURES,
    ITEM_FEATURES,
    QUERY_FEATURES,
    SCORE_FEATURES,
    WORD_FEATURES,
)

CLIP = 5.0  # deviations
SPREAD = 0.25  # of scores: one standard deviation of the learned targets, as of first-stage scores
# Parts of a score, in the order in which they are added; see `SearchRanker.parts`.
_MEANING = tuple(name for name in SCORE_FEATURES if not name.startswith("lexical"))
PARTS: Mapping[str, tuple[str, ...]] = {
    "query": QUERY_FEATURES,
    "lexical": WORD_FEATURES + tuple(name for name in SCORE_FEATURES if name.startswith("lexical")),
    "semantic": _MEANING,
    "fields": FIELD_FEATURES,
    "popularity": ("popularity",),
    "price": ("price_of_median",),
    "freshness": ("age_days",),
    "personal": ("personal",),
}
assert set(ITEM_FEATURES) <= {name for names in PARTS.values() for name in names}
LEVEL = "level"  # the part of every item: what an average pair gets


@dataclass(frozen=True)
class Scaling:
    """How features become inputs.

    Attributes:
        features: names, in the order of the columns. mean, deviation: (F,); a deviation of 0 is a column
            that said nothing in training, and is not read.
        flagged: (F,) columns that were sometimes missing, which the network is told.
    """

    features: tuple[str, ...]
    mean: FloatArray
    deviation: FloatArray
    flagged: BoolArray

    @classmethod
    def of(
        cls, rows: FloatArray, features: Sequence[str] = FEATURES, read: Sequence[str] | None = None
    ) -> "Scaling":
        """That of features (P, F); only the columns `read` are read, None = all."""
        missing = np.isnan(rows)
        known = ~missing.all(0)
        filled = np.where(missing, 0, rows).astype(np.float64)
        count = np.maximum((~missing).sum(0), 1)
        mean = filled.sum(0) / count
        spread = np.sqrt((np.where(missing, 0, filled - mean) ** 2).sum(0) / count)
        allowed = np.array([read is None or name in read for name in features], bool)
        deviation = np.where(known & allowed & (spread > 1e-6), spread, 0)
        return cls(
            tuple(features),
            mean.astype(np.float32),
            deviation.astype(np.float32),
            missing.any(0) & (deviation > 0),
        )

    @property
    def width(self) -> int:
        """How many inputs there are."""
        return int(np.count_nonzero(self.deviation) + np.count_nonzero(self.flagged))

    def inputs(self, rows: FloatArray) -> FloatArray:
        """(P, width) in deviations from the mean, a missing one 0; then flags of what is missing."""
        used = self.deviation > 0
        missing = np.isnan(rows)
        scaled = (rows[:, used] - self.mean[used]) / self.deviation[used]
        scaled = np.where(missing[:, used], 0, np.clip(scaled, -CLIP, CLIP))
        return np.concatenate([scaled, missing[:, self.flagged]], axis=1).astype(np.float32)


Layer = tuple[FloatArray, FloatArray]  # weights (out, in) and offsets (out,)


@dataclass(frozen=True)
class SearchRanker:
    """Scores pairs of a query and an item by the mean of some networks; larger is more relevant.

    Attributes:
        members: each a few layers with SiLU between them, the last with one output.
        level, unit: score = level + unit * mean of the outputs: on the scale of what was learned from.
        source: what it learned from, for people.
        first_stage: how much the first-stage score counts in an order beside the ranker's.
    """

    scaling: Scaling
    members: tuple[tuple[Layer, ...], ...]
    level: float
    unit: float
    source: str = ""
    first_stage: float = 0.0

    def order_scores(self, features: FloatArray, first_stage: FloatArray) -> DoubleArray:
        """(K,) by which items are ordered: the score, SPREAD a deviation, and the share of `first_stage`."""
        learned = self.score(features).astype(np.float64)
        return self.first_stage * first_stage + learned * (SPREAD / self.unit)

    def score(self, features: FloatArray) -> FloatArray:
        """(K,) scores of features (K, F) in the order of `scaling.features`."""
        return self._of_inputs(self.scaling.inputs(features))

    def parts(self, features: FloatArray) -> Mapping[str, FloatArray]:
        """Name of PARTS, or LEVEL -> (K,): what each group of features adds, in that order; sums to `score`.

        A group's part is what the score changes by when its features take their values while those before
        have theirs, and those behind are average.
        """
        order = self.scaling.features
        current = np.where(self.scaling.deviation > 0, self.scaling.mean, np.nan).astype(np.float32)
        current = np.repeat(np.where(self.scaling.flagged, np.nan, current)[None], len(features), axis=0)
        before = self.score(current)
        found = {LEVEL: before}
        for name, group in PARTS.items():
            columns = [place for place, feature in enumerate(order) if feature in group]
            current[:, columns] = features[:, columns]
            after = self.score(current)
            found[name] = after - before
            before = after
        return found

    def describe(self) -> JsonObject:
        """What `rebuild` needs besides the arrays, as JSON."""
        return {
            "features": list(self.scaling.features),
            "layers": [len(member) for member in self.members],
            "level": self.level,
            "unit": self.unit,
            "source": self.source,
            "first_stage": self.first_stage,
        }

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """All arrays by name."""
        scaling = self.scaling
        found = {"mean": scaling.mean, "deviation": scaling.deviation, "flagged": scaling.flagged}
        for number, member in enumerate(self.members):
            for depth, (weights, offsets) in enumerate(member):
                found |= {f"{number}.{depth}.weights": weights, f"{number}.{depth}.offsets": offsets}
        return found

    @classmethod
    def rebuild(cls, description: JsonObject, arrays: Mapping[str, npt.NDArray[Any]]) -> "SearchRanker":
        """The ranker that `describe` and `arrays` were taken from.

        Raises:
            ArtifactMismatchError: its features are not today's, or an array is missing or of another shape.
        """
        features = tuple(description.get("features", ()))
        if features != FEATURES:
            odd = sorted(set(features) ^ set(FEATURES))
            raise ArtifactMismatchError(
                f"The ranker of search has other features ({', '.join(odd) or 'another order'}). "
                "Train it again."
            )
        try:
            scaling = Scaling(features, arrays["mean"], arrays["deviation"], arrays["flagged"].astype(bool))
            members = tuple(
                tuple(
                    (arrays[f"{number}.{depth}.weights"], arrays[f"{number}.{depth}.offsets"])
                    for depth in range(depths)
                )
                for number, depths in enumerate(description["layers"])
            )
            ranker = cls(
                scaling,
                members,
                float(description["level"]),
                float(description["unit"]),
                description["source"],
                float(description.get("first_stage", 0.0)),
            )
            ranker.score(np.zeros((1, len(features)), np.float32))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactMismatchError(
                f"The arrays of the ranker of search do not fit its description: {error}. Train it again."
            ) from error
        return ranker

    def _of_inputs(self, inputs: FloatArray) -> FloatArray:
        total = np.zeros(len(inputs), np.float32)
        for member in self.members:
            hidden = inputs
            for weights, offsets in member[:-1]:
                hidden = hidden @ weights.T + offsets
                hidden = hidden / (1 + np.exp(-np.clip(hidden, -60, 60)))  # SiLU
            weights, offsets = member[-1]
            total += (hidden @ weights.T + offsets)[:, 0]
        score: FloatArray = (self.level + self.unit * total / len(self.members)).astype(np.float32)
        return score
