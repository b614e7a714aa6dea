"""Actions as integer arrays: what splits, baselines and metrics work on, and the histories models read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.catalog import stable_key
from recsys.instants import NEVER
from recsys.versions.grown_mapping import MOST_RECENT, GrownMapping
from recsys.versions.text_rows import TextRows


@dataclass(frozen=True)
class Vocabulary:
    """External ids and their indexes: `ids[0]` is padding, so indexes start at 1."""

    ids: Sequence[str]  # a tuple, or rows of which a longer vocabulary shares all

    @classmethod
    def of(cls, ids: Iterable[str]) -> "Vocabulary":
        """The vocabulary of distinct `ids`, sorted, so that equal sets give equal indexes."""
        return cls(("", *sorted(set(ids))))

    def __len__(self) -> int:
        """Number of indexes, padding included."""
        return len(self.ids)

    @cached_property
    def _index(self) -> GrownMapping[str, int]:
        return GrownMapping.of({identifier: index for index, identifier in enumerate(self.ids)})

    @cached_property
    def _keys(self) -> "_SortedKeys":
        keys = np.fromiter((stable_key(identifier) for identifier in self.ids[1:]), np.int64, len(self) - 1)
        return _SortedKeys.of(keys, 1)

    @cached_property
    def _late_keys(self) -> "_SortedKeys":
        """Of ids that came later, few enough to be copied for each more."""
        return _SortedKeys.of(np.zeros(0, np.int64), 0)

    def extended(self, identifiers: Sequence[str]) -> "Vocabulary":
        """This vocabulary with new ids behind the known ones, whose indexes stay; for little work."""
        if not identifiers:
            return self
        size = len(self)
        new = {identifier: size + place for place, identifier in enumerate(identifiers)}
        ids = TextRows.of(self.ids).with_rows({index: name for name, index in new.items()}, size + len(new))
        longer = Vocabulary(ids)
        # What was looked up in the old one need not be computed again for all ids.
        keys = np.fromiter((stable_key(identifier) for identifier in new), np.int64, len(new))
        known, late = self._keys, self._late_keys.merged(_SortedKeys.of(keys, size))
        if len(late.keys) > MOST_RECENT:
            known, late = known.merged(late), _SortedKeys.of(keys[:0], 0)
        found = {"_index": self._index.with_items(new), "_keys": known, "_late_keys": late}
        longer.__dict__.update(found)
        return longer

    def index(self, identifier: str) -> int:
        """The index of `identifier`; 0 if it is unknown."""
        return self._index.values_of((identifier,), 0)[0]

    def indexes(self, identifiers: Sequence[str]) -> IntArray:
        """(K,) int64 indexes; 0 where unknown."""
        return np.array(self._index.values_of(identifiers, 0), np.int64)

    def indexes_of_keys(self, keys: IntArray) -> IntArray:
        """Indexes of stable keys (see `recsys.catalog.stable_key`), any shape; 0 where unknown."""
        known = self._keys.find(keys)
        if not len(self._late_keys.keys):
            return known
        late = self._late_keys.find(keys)
        return np.where(late, late, known)


@dataclass(frozen=True)
class _SortedKeys:
    """Stable keys of ids: `keys` (K,) ascending, and the `index` of each."""

    keys: IntArray
    index: IntArray

    @classmethod
    def of(cls, keys: IntArray, first: int) -> "_SortedKeys":
        """Of `keys` whose indexes run from `first` on."""
        order = np.argsort(keys)
        return cls(keys[order], order + first)

    def merged(self, more: "_SortedKeys") -> "_SortedKeys":
        """Both; of an equal key that of `more` comes first, which is found."""
        place = np.searchsorted(self.keys, more.keys)
        return _SortedKeys(np.insert(self.keys, place, more.keys), np.insert(self.index, place, more.index))

    def find(self, keys: IntArray) -> IntArray:
        """The index of each of `keys`, any shape; 0 where it is not there."""
        if not len(self.keys):
            return np.zeros(keys.shape, np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.index[place], 0)


@dataclass(frozen=True)
class Interactions:
    """M actions sorted by user, then instant, then arrival; all arrays have shape (M,).

    Attributes:
        user_index: int64 into `users`, never 0.
        item_index: int64 into `items`, never 0.
        kind: int64 codes of `recsys.columns.KIND_CODES`.
        weight: float32, how much the action says about preference.
        at: int64 microseconds since 1970, UTC.
        undone_at: int64 microseconds, later than `at`: the instant of the cancellation that left nothing of a
            purchase, NEVER where it stands; by default all stand.
    """

    users: Vocabulary
    items: Vocabulary
    user_index: IntArray
    item_index: IntArray
    kind: IntArray
    weight: FloatArray
    at: IntArray
    undone_at: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if len(self.undone_at) != len(self.at):
            object.__setattr__(self, "undone_at", np.full(len(self.at), NEVER, np.int64))

    def __len__(self) -> int:
        return len(self.user_index)

    @cached_property
    def end(self) -> int:
        """The instant, microseconds, right after the last action or cancellation; 0 of no actions."""
        undone = self.undone_at[self.undone_at != NEVER]
        return max(int(self.at.max(initial=-1)), int(undone.max(initial=-1))) + 1

    def before(self, instant: int) -> "Interactions":
        """The log as it was at `instant`: neither actions nor cancellations at or after it are in it."""
        past = self.take(self.at < instant)
        return replace(past, undone_at=np.where(past.undone_at < instant, past.undone_at, NEVER))

    def known_at(self, instant: int) -> "Interactions":
        """The actions before `instant` that no cancellation before `instant` undid."""
        past = self.before(instant)
        return past.take(past.undone_at == NEVER)

    def as_standing(self) -> "Interactions":
        """The same actions, of which no cancellation undoes any."""
        return replace(self, undone_at=np.full(len(self), NEVER, np.int64))

    def take(self, mask: BoolArray) -> "Interactions":
        """Only the actions where `mask` (M,) holds; vocabularies stay whole."""
        return Interactions(
            self.users,
            self.items,
            self.user_index[mask],
            self.item_index[mask],
            self.kind[mask],
            self.weight[mask],
            self.at[mask],
            self.undone_at[mask],
        )

    @cached_property
    def user_offsets(self) -> IntArray:
        """(len(users) + 1,): the actions of user u are `user_offsets[u]:user_offsets[u + 1]`."""
        return np.searchsorted(self.user_index, np.arange(len(self.users) + 1)).astype(np.int64)


@dataclass(frozen=True)
class EvalCases:
    """U cases: a user at an instant, and the items that came next, which a recommender has to predict.

    What happened strictly before `at` may be used for the prediction, nothing else.

    Attributes:
        user_index: (U,) int64 into `Interactions.users`.
        at: (U,) int64 microseconds.
        target_offsets: (U + 1,) int64; case c has `targets[target_offsets[c]:target_offsets[c + 1]]`.
        targets: (T,) int64 item indexes, distinct within a case.
    """

    user_index: IntArray
    at: IntArray
    target_offsets: IntArray
    targets: IntArray

    def __len__(self) -> int:
        return len(self.user_index)

    def targets_of(self, case: int) -> IntArray:
        """The item indexes to predict in one case."""
        return self.targets[self.target_offsets[case] : self.target_offsets[case + 1]]

    def take(self, rows: IntArray) -> "EvalCases":
        """Only these cases, in this order."""
        lists = [self.targets_of(int(row)) for row in rows]
        return EvalCases(
            self.user_index[rows],
            self.at[rows],
            np.cumsum([0, *(len(targets) for targets in lists)]).astype(np.int64),
            np.concatenate(lists) if lists else np.zeros(0, np.int64),
        )


@dataclass(frozen=True)
class Histories:
    """B histories of up to L actions, oldest first, right-aligned (padding, if any, on the left).

    Attributes:
        items: (B, L) int64 item indexes, 0 = padding or an item unknown to the vocabulary.
        kinds: (B, L) int64 kind codes, 0 = padding.
        at_seconds: (B, L) int64 Unix seconds, 0 = padding.
        request_at_seconds: (B,) int64 Unix seconds of the request.
    """

    items: IntArray
    kinds: IntArray
    at_seconds: IntArray
    request_at_seconds: IntArray

    def __len__(self) -> int:
        return len(self.items)

    @property
    def known(self) -> BoolArray:
        """(B,) bool, whether a history has an item that the vocabulary knows."""
        some: BoolArray = np.any(self.items > 0, axis=1)
        return some

    @classmethod
    def joined(cls, parts: Sequence["Histories"]) -> "Histories":
        """All rows of `parts`, which are equally wide, in their order."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def take(self, rows: IntArray | slice) -> "Histories":
        """Only these rows, in this order."""
        return Histories(
            self.items[rows], self.kinds[rows], self.at_seconds[rows], self.request_at_seconds[rows]
        )


def histories_from_features(
    item_keys: Sequence[IntArray],
    kinds: Sequence[IntArray],
    at_seconds: Sequence[IntArray],
    request_at_seconds: IntArray,
    vocabulary: Vocabulary,
    length: int,
) -> Histories:
    """Histories from the arrays of the `user_history` view, one row a request.

    A missing row is an empty array. Items that `vocabulary` lacks are left out, the rest moves together.
    """
    rows = len(item_keys)
    items = np.zeros((rows, length), np.int64)  # (B, L)
    kind_codes = np.zeros((rows, length), np.int64)  # (B, L)
    instants = np.zeros((rows, length), np.int64)  # (B, L)
    for row in range(rows):
        index = vocabulary.indexes_of_keys(np.asarray(item_keys[row], np.int64))
        known = np.flatnonzero(index)[-length:]
        if len(known):
            items[row, -len(known) :] = index[known]
            kind_codes[row, -len(known) :] = np.asarray(kinds[row], np.int64)[known]
            instants[row, -len(known) :] = np.asarray(at_seconds[row], np.int64)[known]
    return Histories(items, kind_codes, instants, np.asarray(request_at_seconds, np.int64))
