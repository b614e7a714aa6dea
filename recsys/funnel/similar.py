"""What is similar to one item, in the order that a bundle has for such requests."""

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Histories
from recsys.funnel.candidates import CONTEXT, Candidates, CandidateSources
from recsys.funnel.catalog import Catalog
from recsys.models.bundle import Bundle
from recsys.models.orders import FUSION, POPULARITY_OF_ALL_TIME, RECENT_POPULARITY
from recsys.models.similar import similar_scores

SIMILAR_POOL = 200  # candidates, by their cosine or by fusion


def similar_items(
    bundle: Bundle,
    sources: CandidateSources,
    catalog: Catalog,
    item: int,
    allowed: BoolArray,
    order: str,
    at_seconds: int,
) -> tuple[Candidates, FloatArray]:
    """Candidates that are `allowed` (N + 1,), and their (K,) scores.

    With the order FUSION they are what suits a user who did nothing but look at `item`.

    Args:
        allowed: without `item` itself.
        at_seconds: when it is asked, for the network's sense of time.
    """
    if order == FUSION:
        history = Histories(
            items=np.array([[item]], np.int64),
            kinds=np.array([[columns.KIND_CODES[columns.VIEW]]], np.int64),
            at_seconds=np.array([[at_seconds]], np.int64),
            request_at_seconds=np.array([at_seconds], np.int64),
        )
        vectors = bundle.retriever.user_vectors(history, bundle.item_vectors)  # (1, D)
        users = sources.user_signals(history, vectors)
        fused = sources.fused(users, allowed[None], SIMILAR_POOL, repeats=False)
        return _around(item, fused.flat), bundle.fusion.score(fused.signals)
    if order in (RECENT_POPULARITY, POPULARITY_OF_ALL_TIME):
        lately = order == RECENT_POPULARITY
        popularity = catalog.popularity if lately else bundle.signal_tables.item_events
        index = catalog.most(popularity, SIMILAR_POOL, allowed)
        return _around(item, index), popularity[index].astype(np.float32)
    found = sources.similar(item, allowed, SIMILAR_POOL)
    return found, similar_scores(bundle, item, found.index, order)


def _around(item: int, index: IntArray) -> Candidates:
    return Candidates(index, np.full(len(index), CONTEXT, np.int8), np.full(len(index), item, np.int64))
