"""A feature store that answers from arrays in memory: the fake of `TrainingFeatures`."""

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from recsys import columns
from recsys.catalog import stable_key
from recsys.dataset.interactions import Interactions
from recsys.features.history_windows import WindowsPart, windows_of_lists


class FakeTrainingFeatures:
    """Histories and counts strictly before an instant, from `interactions`; items are of `categories`.

    Args:
        categories: item id -> category.
        vectors: item id -> text vector.
    """

    def __init__(
        self, interactions: Interactions, categories: dict[str, str], vectors: dict[str, np.ndarray]
    ) -> None:
        self._interactions = interactions
        self._categories = categories
        self._vectors = vectors
        self.asked: list[str] = []

    def schema_hash(self, service: str) -> str:
        return f"hash of {service}"

    def training_set(self, rows: pd.DataFrame, service: str) -> pd.DataFrame:
        self.asked.append(service)
        out = rows.copy()
        if service == columns.CATALOG_SERVICE:
            return self._catalog(out)
        histories = [self._before(user, at) for user, at in zip(rows["user_id"], rows["at"], strict=True)]
        if service == columns.RETRIEVAL_SERVICE:
            ids = self._interactions.items.ids
            out[columns.HISTORY_ITEMS] = [
                np.array([stable_key(ids[i]) for i in self._interactions.item_index[h]], np.int64)
                for h in histories
            ]
            out[columns.HISTORY_KINDS] = [self._interactions.kind[h] for h in histories]
            out[columns.HISTORY_AT] = [self._interactions.at[h] // 1_000_000 for h in histories]
            return out
        for name in columns.RANKING_FEATURES:
            out[name] = np.nan
        index = self._interactions.items.indexes(rows["item_id"].tolist())
        out[columns.TIMES_IN_HISTORY] = [
            float((self._interactions.item_index[h] == i).sum())
            for h, i in zip(histories, index, strict=True)
        ]
        return out

    def history_windows(self, users: np.ndarray, at: np.ndarray, service: str) -> Iterable[WindowsPart]:
        instants = pd.to_datetime(at, unit="us", utc=True)
        found = self.training_set(pd.DataFrame({"user_id": users, "at": instants}), service)
        lists = [
            found[name].tolist()
            for name in (columns.HISTORY_ITEMS, columns.HISTORY_KINDS, columns.HISTORY_AT)
        ]
        return [WindowsPart(np.arange(len(users)), windows_of_lists(*lists))]

    def _before(self, user_id: str, at: pd.Timestamp) -> np.ndarray:
        data = self._interactions
        instant = at.value // 1000
        return np.flatnonzero((data.user_index == data.users.index(user_id)) & (data.at < instant))[-50:]

    def _catalog(self, out: pd.DataFrame) -> pd.DataFrame:
        ids = out["item_id"]
        out[columns.TITLE] = [f"title of {i}" for i in ids]
        out[columns.CATEGORY] = [self._categories[i] for i in ids]
        out[columns.BRAND] = None
        out[columns.PRICE_MICROS] = pd.array([1_000_000] * (len(ids) - 1) + [None], "Int64")
        out[columns.AVAILABLE] = True
        out[columns.ATTRIBUTES] = [json.dumps({"category": self._categories[i]}) for i in ids]
        out[columns.TEXT_VECTOR] = [self._vectors[i] for i in ids]
        return out
