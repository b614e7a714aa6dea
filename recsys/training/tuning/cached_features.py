"""A cache in front of a feature store: the trials of a study read the same training sets."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys import columns
from recsys.arrays import IntArray
from recsys.features.history_windows import WindowsPart
from recsys.training.feature_reads import TrainingFeatures


class CachedFeatures:
    """A `TrainingFeatures` that reads each training set and each lot of windows from the store once.

    Args:
        capacity: answers to keep; the one that was read first is dropped first.
    """

    def __init__(self, features: TrainingFeatures, capacity: int = 8) -> None:
        self._features = features
        self._capacity = capacity
        self._cached: dict[str, Any] = {}

    def training_set(self, rows: pd.DataFrame, service: str) -> pd.DataFrame:
        """The store's training set; a copy whose columns share memory with the cached one."""
        if service == columns.RANKING_SERVICE:  # large, and never read twice
            return self._features.training_set(rows, service)
        hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()
        key = f"{service} {hashlib.sha256(hashes.tobytes()).hexdigest()}"
        found: pd.DataFrame = self._once(key, lambda: self._features.training_set(rows, service))
        return found.copy(deep=False)

    def history_windows(
        self, users: npt.NDArray[np.object_], at: IntArray, service: str
    ) -> Iterable[WindowsPart]:
        """The store's windows."""
        hashes = pd.util.hash_array(users)
        asked = hashlib.sha256(hashes.tobytes() + at.tobytes()).hexdigest()
        found: list[WindowsPart] = self._once(
            f"windows of {service} {asked}", lambda: list(self._features.history_windows(users, at, service))
        )
        return found

    def _once(self, key: str, read: Callable[[], Any]) -> Any:
        if key not in self._cached:
            if len(self._cached) >= self._capacity:
                del self._cached[next(iter(self._cached))]
            self._cached[key] = read()
        return self._cached[key]

    def schema_hash(self, service: str) -> str:
        """The store's own hash of the service's schema."""
        return self._features.schema_hash(service)
