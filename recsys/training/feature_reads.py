"""What training reads from the feature store, always by FeatureService name."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.dataset.interactions import EvalCases, Histories, Interactions, Vocabulary
from recsys.dataset.item_table import ItemTable, item_table, text_matrix
from recsys.features.history_windows import WindowsPart, histories_from_windows
from recsys.instants import SECOND
from recsys.progress import Progress, silent


class TrainingFeatures(Protocol):
    """Point-in-time features; `recsys.stores.features.offline.OfflineFeatures` is the real one."""

    def training_set(self, rows: pd.DataFrame, service: str) -> pd.DataFrame:
        """`rows` (keys and `at`) and a column a feature, strictly before `at`; same rows, same order."""
        ...

    def history_windows(
        self, users: npt.NDArray[np.object_], at: IntArray, service: str
    ) -> Iterable[WindowsPart]:
        """The windows of user_history of `users` (R,) strictly before `at` (R,) microseconds, in parts.

        What `training_set` says of the same rows, without a row of the view for each.
        """
        ...

    def schema_hash(self, service: str) -> str:
        """A digest of the service's views, features and types."""
        ...


def read_histories(
    features: TrainingFeatures,
    interactions: Interactions,
    user_index: IntArray,
    at: IntArray,
    length: int,
    progress: Progress = silent,
) -> Histories:
    """Each user's history in the feature store strictly before `at` (B,) microseconds."""
    users = external_ids(interactions.users, user_index)
    with progress("join histories", None):
        parts = features.history_windows(users, at, columns.RETRIEVAL_SERVICE)
        return histories_from_windows(parts, at // SECOND, interactions.items, length)


def read_catalog(
    features: TrainingFeatures, vocabulary: Vocabulary, at: int, progress: Progress = silent
) -> tuple[ItemTable, FloatArray]:
    """The catalog and its (N + 1, E) text vectors as known before `at` microseconds."""
    ids = np.asarray(vocabulary.ids[1:], object)
    rows = pd.DataFrame({columns.ITEM_ID: ids, columns.AT: instant_column(np.full(len(ids), at, np.int64))})
    with progress("join catalog", None):
        found = features.training_set(rows, columns.CATALOG_SERVICE)
    return item_table(found, vocabulary), text_matrix(found)


def read_ranking_features(
    features: TrainingFeatures,
    interactions: Interactions,
    cases: EvalCases,
    candidates: IntArray,
    progress: Progress = silent,
) -> FloatArray:
    """(R, C, F) float32 of C candidates for R cases: RANKING_FEATURES without the retrieval score.

    NaN where a feature is missing; rows of padding candidates (item index 0) mean nothing.
    """
    requests, width = candidates.shape
    rows = pd.DataFrame(
        {
            columns.USER_ID: np.repeat(external_ids(interactions.users, cases.user_index), width),
            columns.ITEM_ID: external_ids(interactions.items, candidates.ravel()),
            columns.AT: instant_column(np.repeat(cases.at, width)),
        }
    )
    with progress("join ranking features", None):
        found = features.training_set(rows, columns.RANKING_SERVICE)
    names = [name for name in columns.RANKING_FEATURES if name != columns.RETRIEVAL_SCORE]
    out = np.empty((len(rows), len(names)), np.float32)  # (R * C, F)
    for place, name in enumerate(names):
        out[:, place] = found[name].to_numpy(np.float32, na_value=np.nan)
    return out.reshape(requests, width, len(names))


def external_ids(vocabulary: Vocabulary, index: IntArray) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """External ids of indexes."""
    return np.asarray(vocabulary.ids, object)[index]


def instant_column(at: IntArray) -> pd.Series:
    """Microseconds as aware UTC instants."""
    return pd.Series(pd.to_datetime(at, unit="us", utc=True)).astype("datetime64[us, UTC]")
