"""The funnel's first stage for many requests at once, so that what is evaluated is what is served."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Histories
from recsys.funnel.candidates import CandidateSources
from recsys.funnel.catalog import Catalog
from recsys.models.bundle import Bundle
from recsys.models.orders import FUSION, first_stage_scores
from recsys.models.signals import SIGNALS
from recsys.progress import Progress, silent

_ROWS_AT_ONCE = 64  # requests; more would leave the processor's cache
_PAIRS_AT_ONCE = 16_000_000  # of theirs and the catalog's, which bounds the memory


@dataclass(frozen=True)
class _Found:
    """Candidates of a few requests: row, column and item index (K,) each, and their (K, S) signals."""

    row: IntArray
    column: IntArray
    items: IntArray
    signals: FloatArray


def candidate_lists(
    bundle: Bundle,
    histories: Histories,
    seen: list[IntArray] | None,
    count: int,
    progress: Progress = silent,
    order: str = FUSION,
) -> tuple[IntArray, FloatArray]:
    """(R, count) candidate item indexes, 0 = padding, and their (R, count) fused scores.

    Scores of padding are 0. Who has no history gets what is popular, with NaN for a score.

    Args:
        seen: for each request the items that must not come back; None where repeats are welcome.
        order: whose scores to give instead, see `recsys.models.orders`.
    """
    catalog = Catalog(bundle)
    found = np.zeros((len(histories), count), np.int64)
    scores = np.zeros((len(histories), count), np.float32)
    for (part,) in _first_stage(bundle, catalog, histories, (seen,), count, progress):
        found[part.row, part.column] = part.items
        scores[part.row, part.column] = first_stage_scores(order, bundle.fusion, part.signals)
    for row in np.flatnonzero(~histories.known).tolist():
        index = catalog.popular(count, _allowed(len(catalog), seen and [seen[row]], 1)[0])
        found[row, : len(index)], scores[row, : len(index)] = index, np.nan
    return found, scores


def candidate_signals(
    bundle: Bundle,
    histories: Histories,
    kinds: Sequence[list[IntArray] | None],
    count: int,
    progress: Progress = silent,
) -> list[tuple[IntArray, FloatArray]]:
    """The same candidates and their (R, count, S) signals, what fusion learns from; zeros for padding.

    Who has no history has nothing to teach and gets no candidates.

    Args:
        kinds: a `seen` of each kind of request that is asked for; the histories are read once for all.
    """
    shape = (len(histories), count)
    found = [np.zeros(shape, np.int64) for _ in kinds]
    signals = [np.zeros((*shape, len(SIGNALS)), np.float32) for _ in kinds]
    for parts in _first_stage(bundle, Catalog(bundle), histories, kinds, count, progress):
        for kind, part in enumerate(parts):
            found[kind][part.row, part.column] = part.items
            signals[kind][part.row, part.column] = part.signals
    return list(zip(found, signals, strict=True))


def _first_stage(
    bundle: Bundle,
    catalog: Catalog,
    histories: Histories,
    kinds: Sequence[list[IntArray] | None],
    count: int,
    progress: Progress,
) -> Iterator[list[_Found]]:
    """The candidates of all requests with a history, a few requests at a time; for each `seen` of `kinds`."""
    sources, size = CandidateSources(bundle, catalog), len(catalog)
    vectors = bundle.retriever.user_vectors(histories, bundle.item_vectors)  # (R, D)
    blocks = _blocks(histories, size)
    with progress("candidates", sum(map(len, blocks))) as advance:
        for rows in blocks:
            users = sources.user_signals(histories.take(rows), vectors[rows])
            found = []
            for seen in kinds:
                allowed = _allowed(size, seen and [seen[row] for row in rows.tolist()], len(rows))
                fused = sources.fused(users, allowed, count, repeats=seen is None)
                user, items = np.divmod(fused.flat, size)
                column = np.arange(len(user)) - np.searchsorted(user, user)
                found.append(_Found(rows[user], column, items, fused.signals))
            yield found
            advance(len(rows))


def _blocks(histories: Histories, size: int) -> list[IntArray]:
    """Rows of those with a history, as many at a time as fit."""
    known = np.flatnonzero(histories.known)
    count = max(1, min(_ROWS_AT_ONCE, _PAIRS_AT_ONCE // size))
    return np.split(known, range(count, len(known), count)) if len(known) else []


def _allowed(size: int, seen: list[IntArray] | None, rows: int) -> BoolArray:
    """(rows, size) true but for padding and what each row has seen."""
    mask = np.ones((rows, size), bool)
    mask[:, 0] = False
    for row, items in enumerate(seen or ()):
        mask[row, items] = False
    return mask


def fused_scores(bundle: Bundle, histories: Histories, candidates: IntArray) -> FloatArray:
    """(R, C) fused scores of given candidates (R, C), as `candidate_lists` has them; 0 for padding."""
    sources, size = CandidateSources(bundle, Catalog(bundle)), len(bundle.items)
    vectors = bundle.retriever.user_vectors(histories, bundle.item_vectors)
    scores = np.where(candidates > 0, np.float32(np.nan), np.float32(0))
    for rows in _blocks(histories, size):
        row, column = np.nonzero(candidates[rows])
        users = sources.user_signals(histories.take(rows), vectors[rows])
        signals = users.signals_at(row * size + candidates[rows[row], column])
        scores[rows[row], column] = bundle.fusion.score(signals)
    return scores
