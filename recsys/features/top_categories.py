"""A user's favourite categories at each instant: those with the largest counts over a rolling window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.features.timeline import Changes, Instants, Moments, Timeline
from recsys.features.window_sums import MomentSums, RollingSums
from recsys.features.windows import PROFILE_DAYS, day_of

BLOCK_CELLS = 2_000_000  # counts (row x category) held at once


@dataclass(frozen=True)
class TopCategories:
    """Row r as it is written has `keys[offsets[r]:offsets[r + 1]]`, largest share first."""

    keys: IntArray
    shares: FloatArray
    offsets: IntArray


@dataclass(frozen=True)
class _Counts:
    """Counts of U users as they move: S steps on the rows at which some count of a user changes.

    Users come in the order of how many categories they have, so that a dense table of several wastes little.

    Attributes:
        row_start: (U + 1,) first moved row of each user.
        pair_start: (U,) first (user, category) pair of each user.
        width: (U,) how many pairs that are, ascending.
        pair_key: (P,) category key of each pair, ascending within a user.
        step_row: (S,) moved row of each step, ascending.
        step_column: (S,) which category of the user it is about.
        step_amount: (S,) what it adds to the count.
        place: (R,) the moved row that holds at each row of the timeline, V = none does.
    """

    row_start: IntArray
    pair_start: IntArray
    width: IntArray
    pair_key: IntArray
    step_row: IntArray
    step_column: IntArray
    step_amount: IntArray
    place: IntArray


def top_categories(
    timeline: Instants, changes: Changes, sums: RollingSums | MomentSums, category: IntArray
) -> TopCategories:
    """The TOP_CATEGORY_COUNT most frequent categories of the last PROFILE_DAYS days, at every row.

    Of equal counts the smaller key comes first.

    Args:
        sums: of `changes` over the timeline.
        category: (C,) stable key of the category of each change's item, 0 = none.
    """
    if isinstance(timeline, Moments) or isinstance(sums, MomentSums):
        assert isinstance(timeline, Moments)
        return _at_moments(timeline, changes, category)
    moving = _moving_counts(timeline, changes.entity, sums, category)
    moved = int(moving.row_start[-1])
    # One row more, all zero, stands for "no action with a category yet".
    keys = np.zeros((moved + 1, columns.TOP_CATEGORY_COUNT), np.int64)
    shares = np.zeros((moved + 1, columns.TOP_CATEGORY_COUNT), np.float32)
    for first, last in _blocks(moving):
        rows = slice(moving.row_start[first], moving.row_start[last])
        keys[rows], shares[rows] = _block(moving, first, last)
    place = moving.place[timeline.written]
    keys, shares = keys[place], shares[place]  # (R, TOP_CATEGORY_COUNT)
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


def _moving_counts(timeline: Timeline, entity: IntArray, sums: RollingSums, category: IntArray) -> _Counts:
    counted = np.flatnonzero((category != 0) & (sums.leave[PROFILE_DAYS] >= 0))
    distinct, rank = _ranked(category[counted])
    categories = max(len(distinct), 1)
    pairs, pair = _ranked(entity[counted] * categories + rank)
    users, pair_start, width = np.unique(pairs // categories, return_index=True, return_counts=True)
    by_width = np.argsort(width, kind="stable")
    moved = np.zeros(len(timeline), bool)
    steps = np.concatenate([sums.enter[counted], sums.leave[PROFILE_DAYS][counted]])
    moved[steps] = True
    row_user = np.searchsorted(users, timeline.entity[moved])
    new_user = np.argsort(by_width, kind="stable")
    rows = np.argsort(new_user[row_user], kind="stable")  # moved rows by user, the narrow first
    new_row = np.append(np.argsort(rows, kind="stable"), len(rows))
    last = np.cumsum(moved) - 1  # the last moved row so far; of another entity it says nothing
    of_entity = np.append(timeline.entity[moved], -1)[last] == timeline.entity
    step_row, column = (
        new_row[last[steps]],
        pair - pair_start[np.searchsorted(users, pairs // categories)][pair],
    )
    order = np.argsort(step_row, kind="stable")
    sign = sums.sign[counted]
    return _Counts(
        row_start=np.concatenate([[0], np.cumsum(np.bincount(row_user, minlength=len(users))[by_width])]),
        pair_start=pair_start[by_width],
        width=width[by_width],
        pair_key=distinct[pairs % categories] if len(distinct) else pairs,
        step_row=step_row[order],
        step_column=np.concatenate([column, column])[order],
        step_amount=np.concatenate([sign, -sign])[order],
        place=new_row[np.where(of_entity, last, len(rows))],
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
    first, rows = 0, 0
    sizes = zip(np.diff(moving.row_start).tolist(), moving.width.tolist(), strict=True)
    for user, (user_rows, width) in enumerate(sizes):
        if rows and (rows + user_rows) * width > BLOCK_CELLS:
            yield first, user
            first, rows = user, 0
        rows += user_rows
    if rows:
        yield first, len(moving.width)


def _block(moving: _Counts, first: int, last: int) -> tuple[IntArray, FloatArray]:
    """(V, 5) keys, largest count first, 0 where there are fewer, and their shares, of users first..last."""
    low, high = int(moving.row_start[first]), int(moving.row_start[last])
    steps = slice(*np.searchsorted(moving.step_row, [low, high]))
    width = max(int(moving.width[last - 1]), columns.TOP_CATEGORY_COUNT)
    cell = (moving.step_row[steps] - low) * width + moving.step_column[steps]
    narrow = (steps.stop - steps.start) * width < np.iinfo(np.int32).max
    counts = np.zeros((high - low, width), np.int32 if narrow else np.int64)  # (V, categories of the user)
    np.add.at(counts.reshape(-1), cell, moving.step_amount[steps].astype(counts.dtype))
    # Every user's counts end at zero, so the next user's begin there.
    np.cumsum(counts, axis=0, out=counts)
    total = counts.sum(1)
    # A number that says count and category: of equal counts the smaller key, which comes first, is larger.
    counts *= width
    counts += np.arange(width - 1, -1, -1, dtype=counts.dtype)
    if width > columns.TOP_CATEGORY_COUNT:
        counts.partition(width - columns.TOP_CATEGORY_COUNT, axis=1)
    top = np.sort(counts[:, -columns.TOP_CATEGORY_COUNT :], axis=1)[:, ::-1].astype(np.int64)
    largest, column = top // width, width - 1 - top % width
    start = np.repeat(moving.pair_start[first:last], np.diff(moving.row_start[first : last + 1]))  # (V,)
    pair = np.minimum(start[:, None] + column, len(moving.pair_key) - 1)
    keys = np.where(largest > 0, moving.pair_key[pair], 0)
    shares = largest / np.maximum(total, 1)[:, None]
    return keys, shares.astype(np.float32)
