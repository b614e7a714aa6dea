"""Features of K entities as columns: what every online read returns and every ranker takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class FeatureRows:
    """Features of K entities, one array of K values a feature.

    Attributes:
        columns: feature name -> (K,) array in the feature's own type; texts and arrays are object
            arrays. Where a row is missing a number is 0, a text "" and an array empty.
        missing: view name -> (K,) bool, true where the view has no row for the entity or it has expired.
        event_at: view name -> (K,) int64 microseconds of the row's event timestamp, 0 where missing.
        views: feature name -> name of its view.
        null: feature name -> (K,) bool, true where the row is there and the value is null; only of
            features that have one. The column then holds 0, "" or an empty array, and NaN for a float.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    missing: Mapping[str, BoolArray]
    event_at: Mapping[str, IntArray]
    views: Mapping[str, str]
    null: Mapping[str, BoolArray] = field(default_factory=dict)

    def matrix(self, names: Sequence[str]) -> FloatArray:
        """(K, len(names)) float32, NaN where the feature's view is missing or its value is null."""
        rows = len(next(iter(self.columns.values())))
        out = np.empty((rows, len(names)), np.float32)
        absent = {view: mask for view, mask in self.missing.items() if mask.any()}
        for place, name in enumerate(names):
            out[:, place] = self.columns[name]
            if self.views[name] in absent:
                out[absent[self.views[name]], place] = np.nan
            if name in self.null:
                out[self.null[name], place] = np.nan
        return out
