"""A corner shop of nine items whose right answers are obvious, and stand-ins for what the funnel is given.

    fruit   apple banana cherry      dairy   milk cheese yogurt      bakery  bread bagel toast

Items of a category point the same way, categories are at right angles. Popularity falls in the order
above: apple 9, banana 8 ... toast 1. Bread goes with milk and cheese, milk with bread.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from recsys import columns
from recsys.catalog import stable_key
from recsys.dataset.interactions import Histories, Vocabulary
from recsys.dataset.item_table import ItemTable
from recsys.errors import StoreUnavailableError
from recsys.funnel.online_features import FeatureRows
from recsys.funnel.served_answer import ServedAnswer
from recsys.instants import to_micros
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.neighbours import Neighbours
from recsys.models.ranker import RankerShape
from recsys.models.signals import SignalTables

NOW = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)
ITEMS = ("apple", "banana", "cherry", "milk", "cheese", "yogurt", "bread", "bagel", "toast")
CATEGORIES = ("fruit",) * 3 + ("dairy",) * 3 + ("bakery",) * 3
PRICES = tuple(price * 1_000_000 for price in (1, 2, 3, 1, 5, 2, 3, 1, 2))
GOES_WITH = {"bread": ("milk", "cheese"), "milk": ("bread",)}
SERVICE_HASH = "hash-of-today"

USER_VIEWS = (columns.USER_ACTIVITY, columns.USER_HISTORY)
ITEM_VIEWS = (columns.ITEM_ENGAGEMENT, columns.ITEM_CONTENT)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class MeanRetriever:
    """The user's vector is the mean of the history's item vectors."""

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors = vectors

    def user_vectors(self, histories: Histories, item_vectors: np.ndarray | None = None) -> np.ndarray:
        vectors = self._vectors if item_vectors is None else item_vectors
        total = vectors[histories.items].sum(1)  # (B, D)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)

    def item_vectors(self) -> np.ndarray:
        return self._vectors

    def content_vectors(
        self, index: np.ndarray, text_vectors: np.ndarray, attributes: Sequence[Any], near: Any = None
    ) -> np.ndarray:
        """An item is like its text."""
        return text_vectors

    def text_cosines(self, text_vectors: np.ndarray) -> np.ndarray:
        return text_vectors @ self._vectors.T


class FeatureRanker:
    """Scores by one feature; the probability is the sigmoid of the score."""

    def __init__(self, feature: str = columns.RETRIEVAL_SCORE) -> None:
        self._column = columns.RANKING_FEATURES.index(feature)
        self.shape = RankerShape()

    def score(self, features: np.ndarray) -> np.ndarray:
        assert features.shape[1] == len(columns.RANKING_FEATURES)
        return np.nan_to_num(features[:, self._column])

    def score_of_user(self, user: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.score(np.concatenate([np.tile(user, (len(items), 1)), items], axis=1))

    def calibrated(self, scores: np.ndarray, kind: int = 0) -> np.ndarray:
        return 1 / (1 + np.exp(-scores))


def shop_bundle(**changes: Any) -> Bundle:
    """The shop's bundle; `repeats` changes its manifest, anything else a field of the bundle."""
    repeats = changes.pop("repeats", True)
    bundle_id = changes.pop("bundle_id", "bundle-1")
    # An item is like its category and a little like nothing else, the first of a category the least so.
    vectors = np.zeros((10, 12), np.float32)
    for place in range(9):
        vectors[place + 1, place // 3] = 1.0
        vectors[place + 1, 3 + place] = 0.2 + 0.1 * (place % 3)
    vectors[1:] /= np.linalg.norm(vectors[1:], axis=1, keepdims=True)
    together, none = (
        Neighbours(np.zeros((10, 2), np.int64), np.zeros((10, 2), np.float32)) for _ in range(2)
    )
    for item, others in GOES_WITH.items():
        for place, other in enumerate(others):
            together.index[_index(item), place] = _index(other)
            together.score[_index(item), place] = 1.0 - 0.5 * place
    bundle = Bundle(
        manifest=_manifest(bundle_id, repeats),
        items=ItemTable(
            vocabulary=Vocabulary(("", *ITEMS)),
            titles=("", *(item.title() for item in ITEMS)),
            categories=("", *CATEGORIES),
            brands=("", *("Farm" if place % 2 else "Valley" for place in range(9))),
            price_micros=np.array((-1, *PRICES), np.int64),
            available=np.array((False, *(True,) * 9)),
            attributes=("{}", '{"organic": "yes", "tags": ["red", "green"]}', *('{"organic": "no"}',) * 8),
        ),
        retriever=MeanRetriever(vectors),
        text_vectors=vectors,
        signal_tables=SignalTables(
            co_occurrence=together,
            item_cosine=none,
            text=none,  # titles have nothing in common
            words=none,
            item_vectors=vectors,
            item_events=np.array((0, *range(9, 0, -1)), np.float32),
            popularity=np.array((0, *range(9, 0, -1)), np.float32),
            text_missing=np.zeros(10, bool),
        ),
        fusion=initial_fusion(4, repeats=repeats),
        ranker=FeatureRanker(),
    )
    return replace(bundle, **changes)


def _index(item: str) -> int:
    return ITEMS.index(item) + 1


def _manifest(bundle_id: str, repeats: bool) -> Manifest:
    return Manifest(
        bundle_id=bundle_id,
        created_at=NOW,
        dataset="corner-shop",
        protocol="all",
        repeats=repeats,
        services={columns.RANKING_SERVICE: SERVICE_HASH},
        data_start=days_ago(30),
        data_end=NOW,
        users=1,
        items=9,
        encoder="none",
        settings={},
        metrics={},
    )


class ShopFeatures:
    """Online features in memory: histories by user, and what is out of stock or has another price now.

    Attributes:
        searches: by user, the latest first; rows have them only where some user has.
        away: whether reads fail as they do when Redis is down.
        reads: calls so far, failed ones included.
    """

    def __init__(
        self,
        histories: Mapping[str, Sequence[tuple[str, str, datetime]]] | None = None,
        sold_out: Sequence[str] = (),
        prices: Mapping[str, int] | None = None,
        clicks: Mapping[str, int] | None = None,
        without_row: Sequence[str] = (),
        searches: Mapping[str, Sequence[tuple[str, datetime]]] | None = None,
    ) -> None:
        self.histories = dict(histories or {})
        self.searches = dict(searches or {})
        self.sold_out = set(sold_out)
        self.prices = dict(prices or {})
        self.clicks = dict(clicks or {})
        self.without_row = set(without_row)
        self.away = False
        self.reads = 0

    def read_user(self, user_id: str) -> FeatureRows:
        self._ask("read_user")
        history = self.histories.get(user_id)
        past = history or ()
        values: dict[str, np.ndarray] = {
            name: np.zeros(1, np.int64) for name in (*columns.USER_RANKING_FEATURES, columns.LAST_EVENT_AT)
        }
        values[columns.LAST_EVENT_AT][0] = int(past[-1][2].timestamp()) if past else 0
        lists = {
            columns.TOP_CATEGORIES: [],
            columns.TOP_CATEGORY_SHARES: [],
            columns.HISTORY_ITEMS: [stable_key(item) for item, _, _ in past],
            columns.HISTORY_KINDS: [columns.KIND_CODES[kind] for _, kind, _ in past],
            columns.HISTORY_AT: [int(at.timestamp()) for _, _, at in past],
        }
        for name, numbers in lists.items():
            values[name] = np.empty(1, object)
            values[name][0] = np.array(numbers, np.int64)
        of_history = (columns.HISTORY_ITEMS, columns.HISTORY_KINDS, columns.HISTORY_AT)
        views = {
            name: columns.USER_HISTORY if name in of_history else columns.USER_ACTIVITY for name in values
        }
        missing = np.array([history is None])
        at = to_micros(past[-1][2]) if past else 0
        absent = dict.fromkeys(USER_VIEWS, missing)
        instants = dict.fromkeys(USER_VIEWS, np.array([at], np.int64))
        if self.searches:
            own = self.searches.get(user_id, ())
            values[columns.SEARCH_TEXTS], values[columns.SEARCH_AT] = np.empty(1, object), np.empty(1, object)
            values[columns.SEARCH_TEXTS][0] = np.array([text for text, _ in own], object)
            values[columns.SEARCH_AT][0] = np.array([int(at.timestamp()) for _, at in own], np.int64)
            views |= dict.fromkeys((columns.SEARCH_TEXTS, columns.SEARCH_AT), columns.USER_SEARCHES)
            absent[columns.USER_SEARCHES] = np.array([not own])
            instants[columns.USER_SEARCHES] = np.array([to_micros(own[0][1]) if own else 0], np.int64)
        return FeatureRows(values, absent, instants, views)

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        self._ask("read_items")
        count = len(item_ids)
        values: dict[str, np.ndarray] = {
            name: np.zeros(count, np.float32) for name in columns.ITEM_RANKING_FEATURES
        }
        values["item_click_count_7d"] = np.array([self.clicks.get(item, 0) for item in item_ids], np.int32)
        prices = dict(zip(ITEMS, PRICES, strict=True)) | self.prices
        values[columns.PRICE_MICROS] = np.array([prices.get(item, 0) for item in item_ids], np.int64)
        values[columns.AVAILABLE] = np.array([item not in self.sold_out for item in item_ids])
        values[columns.ITEM_KEY] = np.array([stable_key(item) for item in item_ids], np.int64)
        values[columns.CATEGORY_KEY] = np.zeros(count, np.int64)
        content = (columns.PRICE_MICROS, columns.AVAILABLE, columns.ITEM_KEY, columns.CATEGORY_KEY)
        views = {
            name: columns.ITEM_CONTENT if name in content else columns.ITEM_ENGAGEMENT for name in values
        }
        missing = np.array([item in self.without_row for item in item_ids], bool)
        at = np.where(missing, 0, to_micros(days_ago(2))).astype(np.int64)
        return FeatureRows(values, dict.fromkeys(ITEM_VIEWS, missing), dict.fromkeys(ITEM_VIEWS, at), views)

    def _ask(self, operation: str) -> None:
        self.reads += 1
        if self.away:
            raise StoreUnavailableError("redis", operation, 0.2)


def regulars() -> ShopFeatures:
    """Ann bought milk ten days ago and apples twice, the last time two days ago; Vic looked at bread."""
    return ShopFeatures(
        {
            "ann": [
                ("apple", columns.PURCHASE, days_ago(12)),
                ("milk", columns.PURCHASE, days_ago(10)),
                ("apple", columns.PURCHASE, days_ago(2)),
            ],
            "vic": [("bread", columns.VIEW, days_ago(1))],
        }
    )


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class KeptAnswers:
    """An AnswerLog in memory."""

    name = "slates"
    dropped = 0
    left_out = 0

    def __init__(self) -> None:
        self.answers: list[ServedAnswer] = []

    def append(self, record: ServedAnswer) -> None:
        self.answers.append(record)


Ask = Callable[..., Any]
