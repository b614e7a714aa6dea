"""What the funnel answers: an ordered slate, why each item is on it, and what it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

# What may be wrong with an answer that is an answer all the same.
ONLINE_FEATURES_UNAVAILABLE = "online_features_unavailable"
EVENTS_NOT_VISIBLE_YET = "events_not_visible_yet"  # those of the request's token


@dataclass(frozen=True)
class Reason:
    """Why an item is on the slate: a stable code with its parameters, and a sentence."""

    code: str
    text: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class SlateItem:
    """One place of the slate.

    Attributes:
        position: from 1.
        score: what the order is by before diversity.
        p_click: None where no ranker or no online features were there.
        source: which source of candidates found it first.
    """

    position: int
    item_id: str
    title: str
    category: str | None
    price_micros: int | None
    score: float = field(metadata={"description": "comparable within one slate only"})
    p_click: float | None = field(
        metadata={"description": "calibrated probability; null without ranker or features"}
    )
    source: str
    reason: Reason


@dataclass(frozen=True)
class ViewStatus:
    """The rows of one feature view that an answer was made from.

    Attributes:
        oldest_at: event timestamp of the oldest row, newest_at: of the newest; None where there was none.
        rows: rows found. missing: rows that were not there or had expired.
    """

    oldest_at: datetime | None
    newest_at: datetime | None
    rows: int
    missing: int


@dataclass(frozen=True)
class FeatureStatus:
    """How fresh the online features of an answer were.

    Attributes:
        freshness_seconds: how long the oldest of what an import or the stream has accepted waits to be
            online, 0 where nothing waits; None where that is not known.
    """

    service: str
    freshness_seconds: float | None = field(
        metadata={"description": "how far the online features lag behind what was accepted; 0 = not at all"}
    )
    views: Mapping[str, ViewStatus]


@dataclass(frozen=True)
class Slate:
    """The answer to one request.

    Attributes:
        candidates: how many items were ranked.
        cold_start: nothing was known of the user, so that context and popularity answered.
        degraded: what was not as it should be; empty on a good day.
    """

    request_id: str
    user_id: str | None
    bundle_id: str
    at: datetime
    items: tuple[SlateItem, ...]
    candidates: int
    features: FeatureStatus
    cold_start: bool
    degraded: tuple[str, ...] = field(
        metadata={"description": "what was not as it should be; empty on a good day"}
    )


@dataclass(frozen=True)
class HistoryEntry:
    """One action of a user, as the feature store knows it."""

    item_id: str
    title: str
    kind: str
    at: datetime


@dataclass(frozen=True)
class ItemDetails:
    """One item: the catalog's facts, and what the online store says of it now.

    Attributes:
        features: online feature -> value; empty where the online store is away or has no row.
    """

    item_id: str
    title: str
    category: str | None
    brand: str | None
    price_micros: int | None
    available: bool
    attributes: Mapping[str, Any]
    popularity: float
    features: Mapping[str, Any]
    bundle_id: str
    degraded: tuple[str, ...]
