"""A user's favourite categories at each instant: those with the largest counts over a rolling window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.features.timeline import Changes, Instants, Moments, Timeline
from recsys.features.windows import PROFILE_DAYS, day_of, leaves_at

BLOCK_CELLS = 2_000_000  # counts (row x category) held at once


@dataclass(frozen=True)
class TopCategories:
    """Row r of the timeline has `keys[offsets[r]:offsets[r + 1]]`, largest share first."""

    keys: IntArray
    shares: FloatArray
    offsets: IntArray


@dataclass(frozen=True)
class _Counts:
    """Counts as they move: S steps on the rows at which some count of a user changes.

    Attributes:
        rows: (V,) rows of the timeline that move, grouped by user.
        row_start: (U + 1,) first moved row of each user.
        pair_start: (U + 1,) first (user, category) pair of each user.
        pair_key: (P,) category key of each pair, ascending within a user.
        step_row: (S,) moved row of each step, ascending.
        step_pair: (S,) its pair.
        step_amount: (S,) what it adds to the pair's count.
    """

    rows: IntArray
    row_start: IntArray
    pair_start: IntArray
    pair_key: IntArray
    step_row: IntArray
    step_pair: IntArray
    step_amount: IntArray


def top_categories(timeline: Instants, changes: Changes, category: IntArray) -> TopCategories:
    """The TOP_CATEGORY_COUNT most frequent categories of the last PROFILE_DAYS days, at every row.

    Of equal counts the smaller key comes first.

    Args:
        category: (C,) stable key of the category of each change's item, 0 = none.
    """
    if isinstance(timeline, Moments):
        return _at_moments(timeline, changes, category)
    moving = _moving_counts(timeline, changes, category)
    width = columns.TOP_CATEGORY_COUNT
    # One row more, all zero, stands for "no action with a category yet".
    keys = np.zeros((len(moving.rows) + 1, width), np.int64)
    shares = np.zeros((len(moving.rows) + 1, width), np.float32)
    for first, last in _blocks(moving):
        rows = slice(moving.row_start[first], moving.row_start[last])
        keys[rows], shares[rows] = _block(moving, first, last)
    place = np.searchsorted(moving.rows, np.arange(len(timeline)), side="right") - 1
    if len(moving.rows):
        place[timeline.entity[moving.rows[place]] != timeline.entity] = -1
    keys, shares = keys[place], shares[place]  # (R, width)
    present = keys != 0
    return TopCategories(keys[present], shares[present], np.concatenate([[0], np.cumsum(present.sum(1))]))


def _at_moments(moments: Moments, changes: Changes, category: IntArray) -> TopCategories:
    row = moments.rank[changes.entity]
    held = np.flatnonzero((category != 0) & (day_of(moments.at)[row] - changes.day <= PROFILE_DAYS))
    distinct, rank = _ranked(category[held])
    width = max(len(distinct), 1)
    pair = row[held] * width + rank
    order = np.argsort(pair)
    pair = pair[order]
    first = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]])[: len(pair)])
    pairs, count = pair[first], np.add.reduceat(changes.sign[held][order], first)
    pairs, count = pairs[count > 0], count[count > 0]
    # Ascending pairs and a stable sort: of equal counts the smaller key comes first.
    order = np.lexsort((-count, pairs // width))
    pairs, count = pairs[order], count[order]
    row = pairs // width
    first = np.searchsorted(row, np.arange(len(moments) + 1))
    total = np.zeros(len(moments), np.int64)
    np.add.at(total, row, count)
    top = np.flatnonzero(np.arange(len(row)) - first[row] < columns.TOP_CATEGORY_COUNT)
    lengths = np.minimum(np.diff(first), columns.TOP_CATEGORY_COUNT)
    return TopCategories(
        keys=distinct[pairs[top] % width],
        shares=(count / total[row])[top].astype(np.float32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def _moving_counts(timeline: Timeline, changes: Changes, category: IntArray) -> _Counts:
    leave_at = leaves_at(changes.day, PROFILE_DAYS)
    counted = (category != 0) & (changes.at < leave_at)
    entity, sign = changes.entity[counted], changes.sign[counted]
    distinct, rank = _ranked(category[counted])
    width = max(len(distinct), 1)
    pairs, pair = _ranked(entity * width + rank)
    enter, leave = timeline.rows_of(entity, changes.at[counted]), timeline.rows_of(entity, leave_at[counted])
    moved = np.zeros(len(timeline), bool)
    moved[enter] = moved[leave] = True
    rows, place = np.flatnonzero(moved), np.cumsum(moved) - 1
    step_row = place[np.concatenate([enter, leave])]
    order = np.argsort(step_row, kind="stable")
    users = pairs // width
    pair_start = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]])[: len(users)])
    return _Counts(
        rows=rows,
        row_start=np.append(np.searchsorted(timeline.entity[rows], users[pair_start]), len(rows)),
        pair_start=np.append(pair_start, len(pairs)),
        pair_key=distinct[pairs % width],
        step_row=step_row[order],
        step_pair=np.concatenate([pair, pair])[order],
        step_amount=np.concatenate([sign, -sign])[order],
    )


def _ranked(values: IntArray) -> tuple[IntArray, IntArray]:
    """Sorted distinct values and the place of each value; they repeat, so hashing beats sorting."""
    encoded = pa.array(values).dictionary_encode()
    found = encoded.dictionary.to_numpy()
    order = np.argsort(found)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return found[order], place[encoded.indices.to_numpy()]


def _blocks(moving: _Counts) -> Iterator[tuple[int, int]]:
    """Runs of users whose counts, as one dense table, stay within BLOCK_CELLS (one user may exceed it)."""
    first, rows, width = 0, 0, 0
    sizes = zip(np.diff(moving.row_start).tolist(), np.diff(moving.pair_start).tolist(), strict=True)
    for user, (user_rows, user_width) in enumerate(sizes):
        wider = max(width, user_width)
        if rows and (rows + user_rows) * wider > BLOCK_CELLS:
            yield first, user
            first, rows, wider = user, 0, user_width
        rows, width = rows + user_rows, wider
    if rows:
        yield first, len(moving.row_start) - 1


def _block(moving: _Counts, first: int, last: int) -> tuple[IntArray, FloatArray]:
    """(V, 5) keys, largest count first, 0 where there are fewer, and their shares, of users first..last."""
    low, high = int(moving.row_start[first]), int(moving.row_start[last])
    steps = slice(*np.searchsorted(moving.step_row, [low, high]))
    sizes = np.diff(moving.pair_start[first : last + 1])
    user = np.repeat(np.arange(last - first), np.diff(moving.row_start[first : last + 1]))  # (V,)
    start = moving.pair_start[first:last][user]  # (V,)
    row = moving.step_row[steps] - low
    width = max(int(sizes.max()), columns.TOP_CATEGORY_COUNT)
    counts = np.zeros((high - low, width), np.int64)  # (V, categories of the user)
    np.add.at(counts, (row, moving.step_pair[steps] - start[row]), moving.step_amount[steps])
    # Every user's counts end at zero, so the next user's begin there.
    counts = np.cumsum(counts, axis=0)
    ranked = counts * width - np.arange(width)  # equal counts: the smaller key, which comes first
    top = np.argpartition(ranked, -columns.TOP_CATEGORY_COUNT, axis=1)[:, -columns.TOP_CATEGORY_COUNT :]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(ranked, top, 1), axis=1), 1)
    largest = np.take_along_axis(counts, top, 1)
    pair = np.minimum(start[:, None] + top, len(moving.pair_key) - 1)
    keys = np.where(largest > 0, moving.pair_key[pair], 0)
    shares = largest / np.maximum(counts.sum(1), 1)[:, None]
    return keys, shares.astype(np.float32)
