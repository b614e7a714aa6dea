"""From labelled actions to training batches: which windows to fetch, and the states and targets in them."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.dataset.interactions import Histories, Interactions
from recsys.dataset.split import history_ends
from recsys.instants import SECOND

_SORTED_BATCHES = 32  # batches whose rows are sorted by length together


@dataclass(frozen=True)
class TrainingWindows:
    """R rows to fetch histories for: user `user_index` strictly before `at`.

    Attributes:
        user_index: (R,) int64. at: (R,) int64 microseconds.
        start, stop: (R,) int64; the row's targets are the labels `start:stop`, of which the last moment
            is at `at`. Every label of a user but those of the first moment is a target of one row.
    """

    user_index: IntArray
    at: IntArray
    start: IntArray
    stop: IntArray

    def __len__(self) -> int:
        return len(self.user_index)


@dataclass(frozen=True)
class TrainingData:
    """R windows and what is to be predicted inside them.

    A state is a place in a window from which the next moment is predicted: the last action before it.
    Serving predicts the next basket given what came strictly before, so training does too: items of one
    instant are targets of one state, and are never in each other's history.

    Attributes:
        histories: R rows of L actions.
        state_offsets: (R + 1,) int64; the states of row r are `state_offsets[r]:state_offsets[r + 1]`.
        state_position: (S,) int64 column of each state in its row.
        state_at_seconds: (S,) int64 instant of the moment it predicts, the request's instant.
        pair_offsets: (S + 1,) int64; the pairs of state s are `pair_offsets[s]:pair_offsets[s + 1]`.
        target: (P,) int64 item index. weight: (P,) float32, above 0.
        items: N, without padding.
    """

    histories: Histories
    state_offsets: IntArray
    state_position: IntArray
    state_at_seconds: IntArray
    pair_offsets: IntArray
    target: IntArray
    weight: FloatArray
    items: int

    def __len__(self) -> int:
        return len(self.histories)

    @property
    def frequency(self) -> FloatArray:
        """(N + 1,) float32 share of each item among the targets."""
        counts = np.bincount(self.target, minlength=self.items + 1)
        shares: FloatArray = (counts / max(1, counts.sum())).astype(np.float32)
        return shares


@dataclass(frozen=True)
class Batch:
    """B windows, cut on the left to the longest of them (l <= L), with s states and p pairs."""

    items: IntArray  # (B, l)
    kinds: IntArray  # (B, l)
    at_seconds: IntArray  # (B, l)
    state_row: IntArray  # (s,)
    state_position: IntArray  # (s,)
    state_at_seconds: IntArray  # (s,)
    pair_state: IntArray  # (p,)
    target: IntArray  # (p,)
    weight: FloatArray  # (p,)


def training_windows(
    labels: Interactions, length: int, actions: Interactions | None = None, stride: int | None = None
) -> TrainingWindows:
    """Windows of which each label is a target once, with at least `length - stride` actions of context.

    A row's history, the last `length` actions before `at`, also holds the row's earlier targets: the
    causal user tower learns from all of them in one pass. A larger stride means fewer, fuller rows with
    less context for their first targets.

    Args:
        labels: the actions to predict.
        actions: all that enters histories, if that is more than the labels.
        stride: actions between windows; default half the length.
    """
    stride = stride or max(1, length // 2)
    if not len(labels):
        return TrainingWindows(*(np.zeros(0, np.int64) for _ in range(4)))
    actions = labels if actions is None else actions
    ends = history_ends(actions, labels.user_index, labels.at)
    before = ends - actions.user_offsets[labels.user_index]  # (M,) actions before each label's instant
    chunk = before // stride
    edge = (np.diff(labels.user_index) != 0) | (np.diff(chunk) != 0)
    start = np.concatenate([[0], np.flatnonzero(edge) + 1]).astype(np.int64)
    stop = np.append(start[1:], len(labels)).astype(np.int64)
    useful = before[stop - 1] > 0  # a first moment has nothing before it
    start, stop = start[useful], stop[useful]
    return TrainingWindows(labels.user_index[start], labels.at[stop - 1], start, stop)


def training_data(histories: Histories, labels: Interactions, windows: TrainingWindows) -> TrainingData:
    """The states and pairs of `windows`, given the histories that the feature store returned for them.

    A label's state is the last action of a strictly earlier second; a label without one (a user's first
    moment, or a history that lost its items) is left out.
    """
    counts = windows.stop - windows.start
    row = np.repeat(np.arange(len(windows)), counts)  # (P,)
    label = np.arange(len(row)) + np.repeat(windows.start - np.cumsum(counts) + counts, counts)
    seconds = labels.at[label] // SECOND
    position = _last_before(histories.at_seconds, row, seconds)
    known = (position >= 0) & (labels.weight[label] > 0)
    known[known] = histories.items[row[known], position[known]] > 0
    row, label, seconds, position = row[known], label[known], seconds[known], position[known]
    # Labels are sorted by user and instant, so the pairs of one state are neighbours.
    new = np.ones(len(row), bool)
    new[1:] = (np.diff(row) != 0) | (np.diff(seconds) != 0)
    first = np.flatnonzero(new)
    return TrainingData(
        histories=histories,
        state_offsets=np.searchsorted(row[first], np.arange(len(windows) + 1)).astype(np.int64),
        state_position=position[first],
        state_at_seconds=seconds[first],
        pair_offsets=np.append(first, len(row)).astype(np.int64),
        target=labels.item_index[label],
        weight=labels.weight[label],
        items=len(labels.items) - 1,
    )


def batch_rows(data: TrainingData, batch_size: int, rng: np.random.Generator) -> list[IntArray]:
    """The rows of each batch of one epoch, in random order; rows without a state are left out.

    Rows of similar length share a batch (within a random pool of 32 batches), which spares the
    attention most of its padding. A batch's rows are sorted by length.
    """
    rows = rng.permutation(np.flatnonzero(np.diff(data.state_offsets)))
    lengths = (data.histories.kinds > 0).sum(1)
    groups = []
    for start in range(0, len(rows), batch_size * _SORTED_BATCHES):
        pool = rows[start : start + batch_size * _SORTED_BATCHES]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        groups += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [groups[place] for place in rng.permutation(len(groups))]


def targets_of(data: TrainingData, rows: IntArray) -> tuple[IntArray, float]:
    """The targets (P,) of these rows of `data` and the sum of their weights."""
    states, _ = _ranges(data.state_offsets, rows)
    pairs, _ = _ranges(data.pair_offsets, states)
    return data.target[pairs], float(data.weight[pairs].sum())


def batch_of(data: TrainingData, rows: IntArray) -> Batch:
    """The batch of these rows of `data`."""
    histories = data.histories.take(rows)
    width = max(1, int((histories.kinds > 0).sum(1).max()))
    cut = histories.items.shape[1] - width
    states, state_row = _ranges(data.state_offsets, rows)
    pairs, pair_state = _ranges(data.pair_offsets, states)
    return Batch(
        items=histories.items[:, cut:],
        kinds=histories.kinds[:, cut:],
        at_seconds=histories.at_seconds[:, cut:],
        state_row=state_row,
        state_position=data.state_position[states] - cut,
        state_at_seconds=data.state_at_seconds[states],
        pair_state=pair_state,
        target=data.target[pairs],
        weight=data.weight[pairs],
    )


def histories_of(actions: Interactions, user_index: IntArray, at: IntArray, length: int) -> Histories:
    """The last `length` actions of users strictly before `at` (U,), without a feature store.

    Tests compare the feature store with it, and a script that has only arrays may use it.
    """
    ends = history_ends(actions, user_index, at)
    place = ends[:, None] + np.arange(-length, 0)  # (U, L)
    inside = place >= actions.user_offsets[user_index][:, None]
    place = np.where(inside, place, 0)

    def column(values: IntArray) -> IntArray:
        return np.where(inside, values[place], 0) if len(values) else np.zeros(place.shape, np.int64)

    return Histories(
        items=column(actions.item_index),
        kinds=column(actions.kind),
        at_seconds=column(actions.at // SECOND),
        request_at_seconds=at // SECOND,
    )


def _last_before(at_seconds: IntArray, row: IntArray, seconds: IntArray) -> IntArray:
    """(P,) the last column of `row` whose instant is before `seconds`; -1 where there is none."""
    position = np.empty(len(row), np.int64)
    for start in range(0, len(row), 1 << 18):
        part = slice(start, start + (1 << 18))
        position[part] = (at_seconds[row[part]] < seconds[part, None]).sum(1) - 1
    return position


def _ranges(offsets: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """All indexes `offsets[r]:offsets[r + 1]` for r in `rows`, and for each its place in `rows`."""
    counts = offsets[rows + 1] - offsets[rows]
    owner = np.repeat(np.arange(len(rows)), counts)
    inner = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return offsets[rows][owner] + inner, owner
