"""What fusion and the ranker learn from: cases of the validation period, their candidates and their labels.

The retriever never trained on that period, so its scores there are what they will be in service.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.catalog import stable_key
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import Split
from recsys.instants import DAY

WEEK_MICROS = 7 * DAY
# Of the users with requests to learn from. Those that fusion's epoch is chosen on are others than those that
# it is compared with the ranker and the baselines on: what was chosen as the best of many looks better than
# it is.
CHOOSING_SHARE, HELD_OUT_SHARE = 0.15, 0.2


@dataclass(frozen=True)
class RankingData:
    """R requests with up to C candidates each.

    Attributes:
        features: (R, C, F) float32 in RANKING_FEATURES order.
        labels: (R, C) bool, whether the candidate was acted on in the window.
        mask: (R, C) bool, false for padding.
        judges: (R,) bool, held out to choose an epoch and an order.
        calibrates: (R,) bool, held out to fit the calibration; from all others is learned.
        kinds: (R,) places of the requests' kinds in `recsys.models.orders.REQUEST_KINDS`.
        users: (R,) the user of each request.
    """

    features: FloatArray
    labels: BoolArray
    mask: BoolArray
    judges: BoolArray
    calibrates: BoolArray
    kinds: IntArray
    users: IntArray

    @property
    def held(self) -> BoolArray:
        """(R,) bool, whether nothing is learned from a request."""
        return np.asarray(self.judges | self.calibrates)


def join_ranking_data(parts: list[RankingData]) -> RankingData:
    """The requests of all `parts`, padded to the widest of them."""
    width = max(part.mask.shape[1] for part in parts)

    def padded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        missing = [(0, 0), (0, width - values.shape[1]), *[(0, 0)] * (values.ndim - 2)]
        return np.pad(values, missing)

    return RankingData(
        np.concatenate([padded(part.features) for part in parts]),
        np.concatenate([padded(part.labels) for part in parts]),
        np.concatenate([padded(part.mask) for part in parts]),
        np.concatenate([part.judges for part in parts]),
        np.concatenate([part.calibrates for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.users for part in parts]),
    )


@dataclass(frozen=True)
class HeldOutUsers:
    """Some users by the hashes of their ids: those whose requests nothing is learned from.

    Users are held out as a whole: one has several requests, about windows that overlap, and what is learned
    from one request would be tested on the next. Who they are depends on their ids alone, so that fusion, the
    ranker and logged responses agree on it, and events of others change nothing.

    Attributes:
        above, last: the hashes h of the ids that are held out: above < h <= last.
    """

    above: int = -1
    last: int = -1

    @classmethod
    def share_of(cls, ids: Iterable[str], share: float, above: int = -1) -> "HeldOutUsers":
        """A `share` of the users `ids`: those with the smallest hashes above `above`."""
        hashes = np.sort(_hashes(ids))
        count = int(len(hashes) * share)
        rest = hashes[hashes > above][:count]
        return cls(above, int(rest[-1]) if len(rest) else above)

    def of(self, ids: Sequence[str], users: IntArray) -> BoolArray:
        """(R,) whether the users (R,), indexes into `ids`, are held out."""
        distinct, place = np.unique(users, return_inverse=True)
        hashes = _hashes(ids[user] for user in distinct.tolist())
        held: BoolArray = (hashes > self.above) & (hashes <= self.last)
        return held[place]


def _hashes(ids: Iterable[str]) -> IntArray:
    """Hashes of external ids, from 0 on."""
    keys = np.fromiter((stable_key(identifier) for identifier in ids), np.int64)
    return keys & np.iinfo(np.int64).max


def ranking_cases(
    interactions: Interactions, split: Split, rng: np.random.Generator, count: int
) -> EvalCases:
    """Up to `count` cases from the validation period.

    Under leave-one-out these are the validation cases. Under a cut through time the window gives cases at
    its start and again one and two weeks in, each time with what is left of it as targets, so that
    features of several ages are learned.
    """
    if split.train_end is None or split.test_start is None:
        cases = split.validation
    else:
        end = split.test_start
        starts = range(split.train_end, max(end - WEEK_MICROS, split.train_end) + 1, WEEK_MICROS)
        cases = join_cases([window_cases(interactions, start, end) for start in list(starts)[:3]])
    return sampled_cases(cases, rng, count)


def sampled_cases(cases: EvalCases, rng: np.random.Generator, count: int) -> EvalCases:
    """Up to `count` of `cases`, in their order."""
    if len(cases) <= count:
        return cases
    return cases.take(np.sort(rng.choice(len(cases), count, replace=False)))


@dataclass(frozen=True)
class RankerCases:
    """Cases of the validation period, by what they are for.

    Attributes:
        learning: of users who are not held out. Cut by time: asked in the middle of the period and a week
            later, about what comes then.
        judging: of held-out users. Cut by time: asked at the start, about what comes before the middle.
            Features count what all users take: on the weeks that it learned from, a ranker looks better than
            it is. And at the start the first stage is as fresh as the one that is served; two weeks later it
            would be stale, and a ranker, whose features are not, would look better than it is as well.
        calibrating: of held-out users, about the whole period, which is what `p_click` speaks of.
    """

    learning: EvalCases
    judging: EvalCases
    calibrating: EvalCases


def ranker_cases(interactions: Interactions, split: Split, held: HeldOutUsers) -> RankerCases:
    """The ranker's cases; under leave-one-out those that judge are those that calibrate."""

    def of_users(cases: EvalCases, wanted: bool) -> EvalCases:
        is_held = held.of(interactions.users.ids, cases.user_index)
        return cases.take(np.flatnonzero(is_held == wanted))

    if split.train_end is None or split.test_start is None:
        held_out = of_users(split.validation, True)
        return RankerCases(of_users(split.validation, False), held_out, held_out)
    start, end = split.train_end, split.test_start
    middle = (start + end) // 2
    starts = [each for each in (middle, middle + WEEK_MICROS) if each < end]
    late = join_cases([window_cases(interactions, each, end) for each in starts])
    return RankerCases(
        of_users(late, False),
        of_users(window_cases(interactions, start, middle), True),
        of_users(window_cases(interactions, start, end), True),
    )


def window_cases(interactions: Interactions, start: int, end: int) -> EvalCases:
    """One case, at `start`, for each user who acted in [start, end) microseconds, by what stands at `end`."""
    known = interactions.known_at(end)
    inside = known.at >= start
    width = len(known.items)
    pairs = np.unique(known.user_index[inside] * width + known.item_index[inside])
    users, counts = np.unique(pairs // width, return_counts=True)
    return EvalCases(
        user_index=users,
        at=np.full(len(users), start, np.int64),
        target_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        targets=pairs % width,
    )


def join_cases(parts: list[EvalCases]) -> EvalCases:
    """The cases of all `parts`, one after the other."""
    counts = np.concatenate([np.diff(part.target_offsets) for part in parts])
    return EvalCases(
        np.concatenate([part.user_index for part in parts]),
        np.concatenate([part.at for part in parts]),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([part.targets for part in parts]),
    )


def labels_of(cases: EvalCases, candidates: IntArray) -> BoolArray:
    """(R, C) bool, whether a candidate is among its case's targets; false for padding.

    >>> cases = EvalCases(np.array([1]), np.array([0]), np.array([0, 2]), np.array([3, 5]))
    >>> labels_of(cases, np.array([[5, 4, 0]])).tolist()
    [[True, False, False]]
    """
    out = np.zeros(candidates.shape, bool)
    for row in range(len(cases)):
        out[row] = np.isin(candidates[row], cases.targets_of(row))
    return out & (candidates > 0)


def target_counts(cases: EvalCases, seen: list[IntArray] | None) -> IntArray:
    """(R,) int64, how many targets each case has, less those of `seen` where that is given.

    >>> cases = EvalCases(np.array([1]), np.array([0]), np.array([0, 2]), np.array([3, 5]))
    >>> target_counts(cases, None).tolist(), target_counts(cases, [np.array([5, 7])]).tolist()
    ([2], [1])
    """
    counts = np.diff(cases.target_offsets)
    if seen is not None:
        repeated = [int(np.isin(cases.targets_of(row), items).sum()) for row, items in enumerate(seen)]
        counts = counts - np.array(repeated, np.int64)
    return np.asarray(counts, np.int64)
