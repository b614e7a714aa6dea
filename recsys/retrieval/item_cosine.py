"""Which items are taken by the same users, whenever that was: the cosine of item-based neighbour methods."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy import sparse

from recsys.arrays import FloatArray, IntArray, SmallIntArray
from recsys.dataset.interactions import Interactions
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import top_of_rows, without_itself

LATEST = 1000  # actions of a user that count; bounds what a guest account of a whole shop costs
_PAIRS_AT_ONCE = 4_000_000  # about 100 MB of temporary arrays


def item_cosines(
    interactions: Interactions, count: int, progress: Progress = silent
) -> tuple[SmallIntArray, FloatArray]:
    """The `count` nearest other items of every item: indexes (N + 1, M) int32, cosines (N + 1, M) float32.

        cos(i, j) = |U_i and U_j| / sqrt(|U_i| |U_j|),      U_i the users with i among their LATEST actions

    Columns run from the nearest to the farthest, ties by index; 0 where an item has fewer neighbours.

    Paper: Sarwar et al. 2001, Item-based collaborative filtering recommendation algorithms, on implicit
    feedback.
    """
    size = len(interactions.items)
    neighbours, cosines = np.zeros((size, count), np.int32), np.zeros((size, count), np.float32)
    taken = _unit_columns(interactions)  # (users, N + 1)
    takers = taken.T.tocsr()
    pairs = takers.astype(bool) @ np.diff(taken.indptr)  # (N + 1,) of each item with those of its users
    with progress("item cosines", size) as advance:
        for start, stop in _blocks(pairs):
            top, cosine = top_of_rows(takers[start:stop] @ taken, count + 1)
            items = np.arange(start, stop)
            neighbours[items], cosines[items] = without_itself(items, top, cosine, count)
            advance(stop - start)
    return neighbours, cosines


def _unit_columns(interactions: Interactions) -> sparse.csr_matrix:
    """(users, N + 1) whose columns have length 1: an entry for each item among a user's latest actions."""
    ends = interactions.user_offsets[interactions.user_index + 1]
    latest = ends - np.arange(len(interactions)) <= LATEST
    cells = interactions.user_index[latest], interactions.item_index[latest]
    shape = len(interactions.users), len(interactions.items)
    taken = sparse.csr_matrix((np.ones(len(cells[0]), np.float32), cells), shape=shape)
    taken.data[:] = 1  # actions on one item were added up
    users = np.bincount(taken.indices, minlength=shape[1])
    taken.data /= np.sqrt(users[taken.indices])
    return taken


def _blocks(pairs: IntArray) -> Iterator[tuple[int, int]]:
    """Ranges of items, of about _PAIRS_AT_ONCE pairs each and of one item at least."""
    block = np.cumsum(pairs) // _PAIRS_AT_ONCE
    edges = np.append(np.flatnonzero(np.diff(block, prepend=-1)), len(pairs)).tolist()
    yield from pairwise(edges)
