"""Turns the chosen places into slate items with their reasons: the only string work of a request."""

import numpy as np

from recsys import columns
from recsys.funnel import reasons
from recsys.funnel.candidates import (
    ALIKE,
    CATEGORY,
    CONTEXT,
    DENSE,
    REPEAT,
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
            reason=_reason(bundle, profile, index, source, evidence, language),
        )
        for place, (index, source, evidence, price) in enumerate(
            zip(
                ranked.candidates.index.tolist(),
                ranked.candidates.source.tolist(),
                ranked.candidates.evidence.tolist(),
                ranked.prices.tolist(),
                strict=True,
            )
        )
    )


def _reason(
    bundle: Bundle, profile: Profile, index: int, source: int, evidence: int, language: str
) -> Reason:
    items = bundle.items
    if source == REPEAT:
        return _repeat(bundle, profile, index, language)
    if source == TOGETHER:
        evidence = _loudest(bundle, profile, index)
    if source == TOGETHER or (source == CONTEXT and index in bundle.neighbours[evidence]):
        return reason(reasons.TOGETHER, language, title=items.titles[evidence], item_id=_id(bundle, evidence))
    if source == CONTEXT:
        return reason(reasons.SIMILAR, language, title=items.titles[evidence], item_id=_id(bundle, evidence))
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


def _loudest(bundle: Bundle, profile: Profile, index: int) -> int:
    """The item of the history that speaks loudest for `index` as a neighbour."""
    items, at_seconds = (part[-LATEST:] for part in (profile.items, profile.at_seconds))
    voice = bundle.neighbour_scores[items] * (RECENCY ** moments_back(at_seconds))[:, None]  # (H, M)
    return int(items[np.where(bundle.neighbours[items] == index, voice, 0).max(axis=1).argmax()])


def _nearest(bundle: Bundle, profile: Profile, index: int, language: str) -> Reason:
    """`similar to` the most similar item of the history, if one is similar."""
    history = profile.items
    cosines = bundle.item_vectors[history] @ bundle.item_vectors[index]  # (H,)
    best = int(np.argmax(cosines)) if len(history) else 0
    if not len(history) or cosines[best] < ALIKE or history[best] == index:
        return reason(reasons.FOR_YOU, language)
    evidence = int(history[best])
    return reason(
        reasons.SIMILAR, language, title=bundle.items.titles[evidence], item_id=_id(bundle, evidence)
    )


def _id(bundle: Bundle, index: int) -> str:
    return bundle.items.vocabulary.ids[index]
