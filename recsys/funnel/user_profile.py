"""What the online features say of the user of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.dataset.histories import Histories, histories_from_features
from recsys.dataset.interactions import Vocabulary
from recsys.features.rows import FeatureRows

_NO_NUMBER = np.zeros(1, np.int64)
_NO_LIST = np.empty(1, object)
_NO_LIST[0] = np.zeros(0, np.int64)

# The columns of an unknown user, as a feature reader gives them for a missing row.
UNKNOWN_USER: Mapping[str, npt.NDArray[Any]] = {
    columns.AVERAGE_PRICE: _NO_NUMBER,
    columns.LAST_EVENT_AT: _NO_NUMBER,
    columns.TOP_CATEGORIES: _NO_LIST,
    columns.TOP_CATEGORY_SHARES: _NO_LIST,
    columns.HISTORY_ITEMS: _NO_LIST,
    columns.HISTORY_KINDS: _NO_LIST,
    columns.HISTORY_AT: _NO_LIST,
}


@dataclass(frozen=True)
class Profile:
    """One user at one instant.

    Attributes:
        rows: the user's views; None for a visitor, or where the online store is away.
        histories: one history, without items that the bundle does not know.
    """

    rows: FeatureRows | None
    histories: Histories

    @classmethod
    def of(cls, rows: FeatureRows | None, vocabulary: Vocabulary, now: datetime) -> "Profile":
        """The profile by `rows` as of `now`."""
        values = UNKNOWN_USER if rows is None else rows.columns
        histories = histories_from_features(
            list(values[columns.HISTORY_ITEMS]),
            list(values[columns.HISTORY_KINDS]),
            list(values[columns.HISTORY_AT]),
            np.array([int(now.timestamp())], np.int64),
            vocabulary,
            columns.HISTORY_LENGTH,
        )
        return cls(rows, histories)

    @property
    def columns(self) -> Mapping[str, npt.NDArray[Any]]:
        """Feature name -> (1,) array; as of a missing row where nothing was read."""
        return UNKNOWN_USER if self.rows is None else self.rows.columns

    @property
    def items(self) -> IntArray:
        """(H,) item indexes of the history, oldest first."""
        row: IntArray = self.histories.items[0]
        return row[row > 0]

    @property
    def at_seconds(self) -> IntArray:
        """(H,) Unix seconds of `items`."""
        instants: IntArray = self.histories.at_seconds[0][self.histories.items[0] > 0]
        return instants

    def matrix(self) -> FloatArray:
        """(1, F) float32 columns.USER_RANKING_FEATURES, NaN where missing."""
        if self.rows is None:
            return np.full((1, len(columns.USER_RANKING_FEATURES)), np.nan, np.float32)
        return self.rows.matrix(columns.USER_RANKING_FEATURES)

    def last(self, item: int) -> tuple[int, int]:
        """Kind code and Unix seconds of the history's last purchase of `item`, else of its last action."""
        places = np.flatnonzero(self.histories.items[0] == item)
        bought = places[self.histories.kinds[0, places] == columns.KIND_CODES[columns.PURCHASE]]
        place = (bought if len(bought) else places)[-1]
        return int(self.histories.kinds[0, place]), int(self.histories.at_seconds[0, place])
