"""Turns the chosen places into slate items with their reasons: the only string work of a request."""

import numpy as np

from recsys import columns
from recsys.funnel import reasons
from recsys.funnel.candidates import (
    CATEGORY,
    CONTEXT,
    DENSE,
    REPEAT,
    SIMILAR_COSINE,
    SOURCES,
    TOGETHER,
)
from recsys.funnel.ranking import Ranked
from recsys.funnel.reasons import reason
from recsys.funnel.slate import Reason, SlateItem
from recsys.funnel.user_profile import Profile
from recsys.models.bundle import Bundle
from recsys.models.signals import LATEST, RECENCY, moments_back


def slate_items(bundle: Bundle, ranked: Ranked, profile: Profile, language: str) -> tuple[SlateItem, ...]:
    """The items of `ranked` in its order, positions from 1."""
    items = bundle.items
    return tuple(
        SlateItem(
            position=place + 1,
            item_id=items.vocabulary.ids[index],
            title=items.titles[index],
            category=items.categories[index] or None,
            price_micros=price if price > 0 else None,
            score=float(ranked.scores[place]),
            p_click=None if ranked.probabilities is None else float(ranked.probabilities[place]),
            source=SOURCES[source],
            reason=_reason(bundle, profile, index, source, because_of, language),
        )
        for place, (index, source, because_of, price) in enumerate(
            zip(
                ranked.candidates.index.tolist(),
                ranked.candidates.source.tolist(),
                ranked.candidates.because_of.tolist(),
                ranked.prices.tolist(),
                strict=True,
            )
        )
    )


def _reason(
    bundle: Bundle, profile: Profile, index: int, source: int, because_of: int, language: str
) -> Reason:
    items = bundle.items
    if source == REPEAT:
        return _repeat(bundle, profile, index, language)
    if source == TOGETHER:
        because_of = _strongest_neighbour(bundle, profile, index)
    together = bundle.signal_tables.co_occurrence.index
    if source == TOGETHER or (source == CONTEXT and index in together[because_of]):
        return _of_item(reasons.TOGETHER, bundle, because_of, language)
    if source == CONTEXT:
        return _of_item(reasons.SIMILAR, bundle, because_of, language)
    if source == DENSE:
        return _nearest(bundle, profile, index, language)
    if source == CATEGORY:
        return reason(reasons.POPULAR_IN, language, category=items.categories[index])
    return reason(reasons.POPULAR, language)


def _repeat(bundle: Bundle, profile: Profile, index: int, language: str) -> Reason:
    kind, at_seconds = profile.last(index)
    bought = kind == columns.KIND_CODES[columns.PURCHASE]
    code = reasons.BOUGHT_BEFORE if bought else reasons.SEEN_BEFORE
    # Instants of a shop without a clock are made up; it is the one that has no ranker.
    dated = {} if bundle.ranker is None else {"date": reasons.date_of(at_seconds)}
    return reason(code, language, **dated)


def _strongest_neighbour(bundle: Bundle, profile: Profile, index: int) -> int:
    """The item of the history that `index` is the strongest neighbour of."""
    items, at_seconds = (part[-LATEST:] for part in (profile.items, profile.at_seconds))
    neighbours = bundle.signal_tables.co_occurrence
    weighted = neighbours.score[items] * (RECENCY ** moments_back(at_seconds))[:, None]  # (H, M)
    return int(items[np.where(neighbours.index[items] == index, weighted, 0).max(axis=1).argmax()])


def _nearest(bundle: Bundle, profile: Profile, index: int, language: str) -> Reason:
    """`similar to` the most similar item of the history, if one is similar."""
    history = profile.items
    cosines = bundle.item_vectors[history] @ bundle.item_vectors[index]  # (H,)
    best = int(np.argmax(cosines)) if len(history) else 0
    if not len(history) or cosines[best] < SIMILAR_COSINE or history[best] == index:
        return reason(reasons.FOR_YOU, language)
    return _of_item(reasons.SIMILAR, bundle, int(history[best]), language)


def _of_item(code: str, bundle: Bundle, index: int, language: str) -> Reason:
    """The reason that names item `index`."""
    items = bundle.items
    return reason(code, language, title=items.titles[index], item_id=items.vocabulary.ids[index])
