"""What the funnel answers: an ordered slate, why each item is on it, and what it was made from.

What a field is stands in its metadata, which OpenAPI shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from recsys.catalog import AttributeValue
from recsys.documents import JsonObject
from recsys.funnel.requests import EFFORT_DEGRADATIONS
from recsys.rules.effects import FiredRule

# What may be wrong with an answer that is an answer all the same.
ONLINE_FEATURES_UNAVAILABLE = "online_features_unavailable"
EVENTS_NOT_VISIBLE_YET = "events_not_visible_yet"  # those of the request's token
# Of one answer; a service adds its own.
DEGRADATIONS = (ONLINE_FEATURES_UNAVAILABLE, EVENTS_NOT_VISIBLE_YET, *EFFORT_DEGRADATIONS)

FeatureValue = str | float | None


@dataclass(frozen=True)
class Reason:
    """Why an item is on the slate: a stable code with its parameters, and a sentence."""

    code: str = field(metadata={"description": "stable code of the reason"})
    text: str = field(metadata={"description": "a sentence in the language that was asked for"})
    parameters: Mapping[str, str] = field(
        metadata={"description": "what the sentence names, by name: a title, an item id, a category, a day"}
    )


@dataclass(frozen=True)
class SlateItem:
    """One place of the slate."""

    position: int = field(metadata={"description": "from 1"})
    item_id: str = field(metadata={"description": "id of the item"})
    title: str = field(metadata={"description": "what is shown; the id where the item has no title"})
    category: str | None = field(metadata={"description": "null where the catalog has none"})
    price_micros: int | None = field(
        metadata={"description": "in millionths of the currency unit; null where it is not known"}
    )
    score: float = field(metadata={"description": "comparable within one slate only"})
    p_click: float | None = field(
        metadata={"description": "calibrated probability; null without ranker or features"}
    )
    source: str = field(metadata={"description": "which source of candidates found it first"})
    reason: Reason = field(metadata={"description": "why it is here"})


@dataclass(frozen=True)
class ViewStatus:
    """The rows of one feature view that an answer was made from."""

    oldest_at: datetime | None = field(
        metadata={"description": "event timestamp of the oldest row; null where there was none"}
    )
    newest_at: datetime | None = field(
        metadata={"description": "event timestamp of the newest row; null where there was none"}
    )
    rows: int = field(metadata={"description": "rows found"})
    missing: int = field(metadata={"description": "rows that were not there or had expired"})


@dataclass(frozen=True)
class FeatureStatus:
    """How fresh the online features of an answer were.

    Attributes:
        freshness_seconds: how long the oldest of what an import or the stream has accepted waits to be
            online, 0 where nothing waits; None where that is not known.
    """

    service: str = field(metadata={"description": "Feast's FeatureService that the features are of"})
    freshness_seconds: float | None = field(
        metadata={"description": "how far the online features lag behind what was accepted; 0 = not at all"}
    )
    views: Mapping[str, ViewStatus] = field(metadata={"description": "feature view -> its rows"})


@dataclass(frozen=True)
class Slate:
    """The answer to one request."""

    request_id: str = field(metadata={"description": "what an impression or a click of this slate carries"})
    user_id: str | None = field(
        metadata={"description": "who it is for; null for a visitor and for similar items"}
    )
    bundle_id: str = field(metadata={"description": "the bundle that it was made with"})
    at: datetime = field(metadata={"description": "when it was made, UTC"})
    items: tuple[SlateItem, ...] = field(metadata={"description": "in the order in which they are shown"})
    candidates: int = field(metadata={"description": "how many items were ranked"})
    features: FeatureStatus = field(metadata={"description": "how fresh the features were"})
    cold_start: bool = field(
        metadata={"description": "nothing was known of the user: context and popularity answered"}
    )
    degraded: tuple[str, ...] = field(
        metadata={"description": "what was not as it should be; empty on a good day"}
    )
    rules: tuple[FiredRule, ...] = field(
        default=(),
        metadata={"description": "every action of a rule of the shop that fired, the strongest first"},
    )
    rules_version: int = field(
        default=0, metadata={"description": "of the shop's rules that were in force; 0 = none were ever made"}
    )
    redirect: str | None = field(
        default=None, metadata={"description": "where a rule sends the user instead; null without one"}
    )
    notes: tuple[str | JsonObject, ...] = field(
        default=(), metadata={"description": "what rules hand to the page: texts and objects"}
    )


@dataclass(frozen=True)
class HistoryEntry:
    """One action of a user, as the feature store knows it."""

    item_id: str = field(metadata={"description": "id of the item"})
    title: str = field(metadata={"description": "what is shown; the id where the item has no title"})
    kind: str = field(metadata={"description": "what the user did"})
    at: datetime = field(metadata={"description": "when it happened, UTC"})


@dataclass(frozen=True)
class ItemDetails:
    """One item: the catalog's facts, and what the online store says of it now."""

    item_id: str = field(metadata={"description": "id of the item"})
    title: str = field(metadata={"description": "what is shown; the id where the item has no title"})
    category: str | None = field(metadata={"description": "null where the catalog has none"})
    brand: str | None = field(metadata={"description": "null where the catalog has none"})
    price_micros: int | None = field(
        metadata={"description": "in millionths of the currency unit; null where it is not known"}
    )
    available: bool = field(metadata={"description": "whether it can be bought now"})
    attributes: Mapping[str, AttributeValue] = field(
        metadata={"description": "the shop's own, by name: a text, a number or a list of texts"}
    )
    popularity: float = field(
        metadata={"description": "decayed count of its events; what unknown users are shown is ordered by it"}
    )
    features: Mapping[str, FeatureValue] = field(
        metadata={
            "description": "online feature -> value; empty where the online store is away or has no row"
        }
    )
    bundle_id: str = field(metadata={"description": "the bundle whose catalog was asked"})
    degraded: tuple[str, ...] = field(
        metadata={"description": "what was not as it should be; empty on a good day"}
    )
