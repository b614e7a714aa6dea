"""Online features in the funnel: their rows and source, what they say of the user, and how old they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Histories, Vocabulary, histories_from_features
from recsys.errors import ConfigError, StoreUnavailableError
from recsys.funnel.requests import Effort
from recsys.funnel.slate import FeatureStatus, ViewStatus
from recsys.instants import from_micros

_NO_NUMBER = np.zeros(1, np.int64)
_NO_LIST = np.empty(1, object)
_NO_LIST[0] = np.zeros(0, np.int64)
_Read = TypeVar("_Read")

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
        out = np.empty((len(names), rows), np.float32)  # it is written, and read by models, column by column
        absent = {view: mask for view, mask in self.missing.items() if mask.any()}
        for place, name in enumerate(names):
            out[place] = self.columns[name]
            if self.views[name] in absent:
                out[place, absent[self.views[name]]] = np.nan
            if name in self.null:
                out[place, self.null[name]] = np.nan
        return out.T


def concatenate_rows(parts: Sequence[FeatureRows]) -> FeatureRows:
    """The rows of several reads of the same views, one after the other; at least one part."""
    first = parts[0]
    if len(parts) == 1:
        return first
    null = {
        name: np.concatenate([part.null.get(name, np.zeros(len(part.columns[name]), bool)) for part in parts])
        for name in {name for part in parts for name in part.null}
    }
    return FeatureRows(
        {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
        {view: np.concatenate([part.missing[view] for part in parts]) for view in first.missing},
        {view: np.concatenate([part.event_at[view] for part in parts]) for view in first.event_at},
        first.views,
        null,
    )


class FeatureSource(Protocol):
    """Online features of one FeatureService, one round trip a call.

    Raises:
        StoreUnavailableError: the store did not answer in time.
    """

    def read_user(self, user_id: str) -> FeatureRows:
        """The user's views, one row."""
        ...

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        """The items' views, one row an id, in that order."""
        ...

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        """Both in one round trip."""
        ...


def read_user_if_there(source: FeatureSource, user_id: str | None) -> tuple[FeatureRows | None, bool]:
    """The user's views, None for a visitor, and whether the store is away."""
    if user_id is None:
        return None, False
    try:
        return source.read_user(user_id), False
    except StoreUnavailableError:
        return None, True


def read_items_if_there(source: FeatureSource, item_ids: Sequence[str]) -> FeatureRows | None:
    """The items' views; None if the store is away."""
    try:
        return source.read_items(item_ids)
    except StoreUnavailableError:
        return None


def bounded_source(source: FeatureSource, effort: Effort) -> FeatureSource:
    """`source`, of which only that is read which goes into an answer of `effort`."""
    return source if effort < Effort.NO_SECOND_STAGE else _PartlyRead(source, effort)


class _PartlyRead:
    """A FeatureSource that says of what is not to be read that it is not there."""

    def __init__(self, source: FeatureSource, effort: Effort) -> None:
        self._source = source
        self._effort = effort

    def read_user(self, user_id: str) -> FeatureRows:
        """The user's views; not there at Effort.POPULARITY."""
        if self._effort >= Effort.POPULARITY:
            raise self._not_read()
        return self._source.read_user(user_id)

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        """Nothing is there."""
        raise self._not_read()

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        """Nothing is there."""
        raise self._not_read()

    def _not_read(self) -> StoreUnavailableError:
        return StoreUnavailableError("online store", f"read with {self._effort.codes[0]}", 0.0)


class CircuitBreaker:
    """A FeatureSource that stops reading a store that is away: requests do not queue up behind its timeout.

    After a failure every read fails at once for `retry_seconds`; then one read is let through. Its
    success closes the circuit, its failure opens it again.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, source: FeatureSource, clock: Callable[[], float], retry_seconds: float = 1.0) -> None:
        self._source = source
        self._clock = clock
        self._retry_seconds = retry_seconds
        self._lock = Lock()
        self._failure: StoreUnavailableError | None = None
        self._retry_at = 0.0

    @property
    def open(self) -> bool:
        """Whether the last read failed."""
        return self._failure is not None

    @property
    def failure(self) -> StoreUnavailableError | None:
        """What the last read failed with; None where it did not."""
        return self._failure

    def read_user(self, user_id: str) -> FeatureRows:
        """As the source; the last failure again while the circuit is open."""
        self._check()
        return self._read(lambda: self._source.read_user(user_id))

    def read_items(self, item_ids: Sequence[str]) -> FeatureRows:
        """As the source; the last failure again while the circuit is open."""
        self._check()
        return self._read(lambda: self._source.read_items(item_ids))

    def read(self, user_id: str, item_ids: Sequence[str]) -> tuple[FeatureRows, FeatureRows]:
        """As the source; the last failure again while the circuit is open."""
        self._check()
        return self._read(lambda: self._source.read(user_id, item_ids))

    def _check(self) -> None:
        """Raises the last failure again, unless it is time for another try."""
        if self._failure is None:
            return
        with self._lock:
            failure = self._failure
            if failure is None:
                return
            now = self._clock()
            if now < self._retry_at:
                # A fresh error: raising the same object from many threads would grow its traceback.
                raise StoreUnavailableError(failure.store, failure.operation, failure.seconds)
            self._retry_at = now + self._retry_seconds

    def _read(self, read: Callable[[], _Read]) -> _Read:
        try:
            rows = read()
        except StoreUnavailableError as error:
            self._note(error)
            raise
        except ConfigError as error:
            # A server that is another shop's is as good as none: what needs no features is answered.
            failure = StoreUnavailableError("online store", "read rows", 0.0, str(error))
            self._note(failure)
            raise failure from error
        if self._failure is not None:
            with self._lock:
                self._failure = None
        return rows

    def _note(self, failure: StoreUnavailableError) -> None:
        with self._lock:
            self._failure = failure
            self._retry_at = self._clock() + self._retry_seconds


class AskedQuery(NamedTuple):
    """A query of a user, folded, and the Unix seconds at which it was asked last."""

    text: str
    at_seconds: int


def asked_queries(rows: FeatureRows | None) -> tuple[AskedQuery, ...]:
    """What the user of these rows searched for, the latest first; nothing where they do not have it."""
    if rows is None or columns.SEARCH_TEXTS not in rows.columns:
        return ()
    texts, instants = rows.columns[columns.SEARCH_TEXTS][0], rows.columns[columns.SEARCH_AT][0]
    return tuple(AskedQuery(str(text), int(at)) for text, at in zip(texts, instants, strict=True))


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

    @property
    def searches(self) -> tuple[AskedQuery, ...]:
        """What the user searched for, the latest first."""
        return asked_queries(self.rows)

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


def feature_status(service: str, parts: tuple[FeatureRows | None, ...]) -> FeatureStatus:
    """The status of all views in `parts`; a part that was not read is None.

    How far the online store lags behind is not to be seen in its rows: who serves adds it.
    """
    views = {view: _view_status(part, view) for part in parts if part is not None for view in part.event_at}
    return FeatureStatus(service, None, views)


def _view_status(part: FeatureRows, view: str) -> ViewStatus:
    found = part.event_at[view][~part.missing[view]]
    missing = len(part.missing[view]) - len(found)
    if not len(found):
        return ViewStatus(None, None, 0, missing)
    return ViewStatus(from_micros(int(found.min())), from_micros(int(found.max())), len(found), missing)
