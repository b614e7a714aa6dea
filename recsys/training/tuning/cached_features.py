"""A cache in front of a feature store: the trials of a study read the same training sets."""

import hashlib

import pandas as pd

from recsys import columns
from recsys.training.feature_reads import TrainingFeatures


class CachedFeatures:
    """A `TrainingFeatures` that reads each training set from the store once.

    Args:
        capacity: training sets to keep; the one that was read first is dropped first.
    """

    def __init__(self, features: TrainingFeatures, capacity: int = 8) -> None:
        self._features = features
        self._capacity = capacity
        self._cached: dict[str, pd.DataFrame] = {}

    def training_set(self, rows: pd.DataFrame, service: str) -> pd.DataFrame:
        """The store's training set; a copy whose columns share memory with the cached one."""
        if service == columns.RANKING_SERVICE:  # large, and never read twice
            return self._features.training_set(rows, service)
        hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()
        key = f"{service} {hashlib.sha256(hashes.tobytes()).hexdigest()}"
        if key not in self._cached:
            if len(self._cached) >= self._capacity:
                del self._cached[next(iter(self._cached))]
            self._cached[key] = self._features.training_set(rows, service)
        return self._cached[key].copy(deep=False)

    def schema_hash(self, service: str) -> str:
        """The store's own hash of the service's schema."""
        return self._features.schema_hash(service)
