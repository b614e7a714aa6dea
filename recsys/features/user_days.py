"""What a user's events come to by day: numbers that add up, so that a row of a user with very many events
follows from the days, and what changed, and not from all events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import IntArray

KIND_SUMS = ("standing", "acted", "priced", "value", "price")
_LARGEST_SUM = 2.0**62


@dataclass(frozen=True)
class DaySums:
    """Sums of S keys, sorted by key.

    Attributes:
        keys: (S, K) int64.
        sums: (S, V) int64.
    """

    keys: IntArray
    sums: IntArray

    def plus(self, other: "DaySums", sign: int = 1) -> "DaySums":
        """The sums of both, or those of `self` less the other's; keys of which nothing is left go."""
        return condensed(
            np.concatenate([self.keys, other.keys]), np.concatenate([self.sums, sign * other.sums])
        )

    def since(self, day: int) -> "DaySums":
        """Those of `day` and later; the day is the first of a key."""
        first = int(np.searchsorted(self.keys[:, 0], day))
        return self if first == 0 else DaySums(self.keys[first:], self.sums[first:])


def condensed(keys: IntArray, sums: IntArray) -> DaySums:
    """The sums by distinct key of `keys` (N, K) and `sums` (N, V)."""
    order = np.lexsort(keys.T[::-1])
    keys, sums = keys[order], sums[order]
    first = np.flatnonzero(np.append(True, (keys[1:] != keys[:-1]).any(axis=1))[: len(keys)])
    total = np.add.reduceat(sums, first, axis=0) if len(first) else sums
    kept = (total != 0).any(axis=1)
    return DaySums(keys[first][kept], total[kept])


@dataclass(frozen=True)
class UserDays:
    """The days of one user.

    Attributes:
        kinds: by day and code of a kind: the actions that stand, those that came, purchases of known value
            that stand, their micros, and their micros a piece.
        categories: by day and category's key: the actions that stand.
    """

    kinds: DaySums
    categories: DaySums

    def plus(self, other: "UserDays", sign: int = 1) -> "UserDays":
        """The days of both logs together, or those of `self` without the other's."""
        return UserDays(self.kinds.plus(other.kinds, sign), self.categories.plus(other.categories, sign))

    def since(self, day: int) -> "UserDays":
        """What is of `day` and later."""
        return UserDays(self.kinds.since(day), self.categories.since(day))

    @property
    def fits(self) -> bool:
        """Whether money adds up within int64, whatever is added of one batch."""
        money = self.kinds.sums[:, KIND_SUMS.index("value") :].astype(np.float64)
        return bool(np.abs(money).sum() < _LARGEST_SUM)


NO_DAYS = UserDays(
    DaySums(np.zeros((0, 2), np.int64), np.zeros((0, len(KIND_SUMS)), np.int64)),
    DaySums(np.zeros((0, 2), np.int64), np.zeros((0, 1), np.int64)),
)


@dataclass(frozen=True)
class DaysOfUsers:
    """The days of several users, who are the rows of a log's `users`.

    Attributes:
        kind_user: (A,) whose day each of `kinds` is. category_user: (B,) the same of `categories`.
    """

    kind_user: IntArray
    kinds: DaySums
    category_user: IntArray
    categories: DaySums


def days_of_users(users: Sequence[str], days: Mapping[str, UserDays]) -> DaysOfUsers:
    """Those of `users` of whom `days` says any."""
    found = [(place, days[user]) for place, user in enumerate(users) if user in days]
    found = found or [(0, NO_DAYS)]

    def together(parts: Sequence[tuple[int, DaySums]]) -> tuple[IntArray, DaySums]:
        owner = np.repeat([place for place, _ in parts], [len(part.keys) for _, part in parts])
        keys, sums = (np.concatenate([getattr(part, name) for _, part in parts]) for name in ("keys", "sums"))
        return owner.astype(np.int64), DaySums(keys, sums)

    kinds = together([(place, each.kinds) for place, each in found])
    categories = together([(place, each.categories) for place, each in found])
    return DaysOfUsers(*kinds, *categories)
