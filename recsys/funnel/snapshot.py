"""The online features that a slate was made from, as they were: an audit compares them with the lake."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from recsys.documents import JsonObject
from recsys.funnel.online_features import FeatureRows

SNAPSHOT_ITEMS = 20  # of the candidates, evenly from the first to the last


@dataclass(frozen=True)
class FeatureSnapshot:
    """References to what one recommendation read; `snapshot_line` writes it out.

    Attributes:
        user: the user's views, None for a visitor. item_ids: (K,) candidates. items: their views.
    """

    request_id: str
    at: datetime
    bundle_id: str
    user_id: str | None
    user: FeatureRows | None
    item_ids: npt.NDArray[np.object_]
    items: FeatureRows


class SnapshotLog(Protocol):
    """Keeps a sample of snapshots; never makes a request wait and never fails it."""

    def append(self, record: FeatureSnapshot) -> None:
        """Keeps `record`, or leaves it out of the sample."""
        ...


def snapshot_line(snapshot: FeatureSnapshot) -> JsonObject:
    """One line of the log: the user's rows, and those of up to SNAPSHOT_ITEMS candidates.

    A row is `{"event_at": micros, "values": {feature: value}}`, both as the store had them: a float as the
    double that equals it, an array whole, null where the value was null. A row that was not there has
    `event_at` null and no values.
    """
    count = len(snapshot.item_ids)
    places = np.unique(np.linspace(0, count - 1, min(count, SNAPSHOT_ITEMS)).round().astype(np.int64))
    return {
        "request_id": snapshot.request_id,
        "at": snapshot.at,
        "bundle_id": snapshot.bundle_id,
        "user_id": snapshot.user_id,
        "user": {} if snapshot.user is None else _views(snapshot.user, 0),
        "items": [
            {"item_id": str(snapshot.item_ids[place]), "views": _views(snapshot.items, place)}
            for place in places.tolist()
        ],
    }


def _views(rows: FeatureRows, place: int) -> JsonObject:
    return {
        view: {"event_at": None, "values": {}}
        if rows.missing[view][place]
        else {"event_at": int(at[place]), "values": row_values(rows, view, place)}
        for view, at in rows.event_at.items()
    }


def row_values(rows: FeatureRows, view: str, place: int) -> Mapping[str, Any]:
    """Feature -> value of one row of a view: plain numbers, texts and lists, None where the value is null."""
    return {
        name: None if name in rows.null and rows.null[name][place] else _plain(column[place])
        for name, column in rows.columns.items()
        if rows.views[name] == view
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
