"""Slate items and why each is on the slate: a code with parameters, and a sentence.

The only string work of a request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property

import numpy as np

from recsys import columns
from recsys.arrays import DoubleArray, FloatArray, IntArray, SmallIntArray
from recsys.funnel import candidates
from recsys.funnel.candidates import SIMILAR_COSINE, SOURCES
from recsys.funnel.online_features import Profile, feature_status
from recsys.funnel.ranking import Ranked
from recsys.funnel.requests import Effort, RecommendRequest, SimilarRequest
from recsys.funnel.rounds import Filled
from recsys.funnel.slate import ONLINE_FEATURES_UNAVAILABLE, Reason, Slate, SlateItem
from recsys.models.bundle import Bundle
from recsys.models.own_signals import LATEST, moments_back
from recsys.models.signals import RECENCY

BOUGHT_BEFORE = "bought_before"
SEEN_BEFORE = "seen_before"
TOGETHER = "together"
SIMILAR = "similar"
FOR_YOU = "for_you"
SEARCHED = "searched"
POPULAR_IN = "popular_in_category"
POPULAR = "popular"
PICKED = "picked_by_shop"

# code -> language -> sentence. A shop without a clock knows no date.
SENTENCES: Mapping[str, Mapping[str, str]] = {
    BOUGHT_BEFORE: {"en": "bought before, last on {date}", "zh": "您曾购买过，最近一次是 {date}"},
    f"{BOUGHT_BEFORE} undated": {"en": "bought before", "zh": "您曾购买过"},
    SEEN_BEFORE: {"en": "looked at before, last on {date}", "zh": "您曾看过，最近一次是 {date}"},
    f"{SEEN_BEFORE} undated": {"en": "looked at before", "zh": "您曾看过"},
    TOGETHER: {"en": "often goes with {title}", "zh": "常与“{title}”一起选购"},
    SIMILAR: {"en": "similar to {title}", "zh": "与“{title}”相似"},
    FOR_YOU: {"en": "picked for you", "zh": "为您挑选"},
    SEARCHED: {"en": "you searched for {query}", "zh": "您搜索过“{query}”"},
    POPULAR_IN: {"en": "popular in {category}", "zh": "“{category}”中的热门"},
    POPULAR: {"en": "popular now", "zh": "当前热门"},
    PICKED: {"en": "picked by the shop", "zh": "店铺精选"},
}
REASON_CODES = (
    BOUGHT_BEFORE,
    SEEN_BEFORE,
    TOGETHER,
    SIMILAR,
    FOR_YOU,
    SEARCHED,
    POPULAR_IN,
    POPULAR,
    PICKED,
)


def make_slate(
    bundle: Bundle,
    request: RecommendRequest | SimilarRequest,
    now: datetime,
    shown: Ranked,
    profile: Profile,
    filled: Filled,
    effort: Effort,
) -> Slate:
    """The slate of the items `shown`, in their order, without what rules say of it."""
    asked = effort < Effort.NO_SECOND_STAGE  # else that nothing was read is no fault of the store
    unread = (ONLINE_FEATURES_UNAVAILABLE,) if asked and not filled.complete else ()
    return Slate(
        request_id=request.request_id,
        user_id=request.user_id if isinstance(request, RecommendRequest) else None,
        bundle_id=bundle.manifest.bundle_id,
        at=now,
        items=slate_items(bundle, shown, profile, request.language),
        candidates=len(filled.ranked),
        features=feature_status(columns.RANKING_SERVICE, (profile.rows, filled.rows)),
        cold_start=False,
        degraded=(*unread, *effort.codes),
    )


def slate_items(bundle: Bundle, ranked: Ranked, profile: Profile, language: str) -> tuple[SlateItem, ...]:
    """The items of `ranked` in its order, positions from 1."""
    items, history = bundle.items, HistoryTables(bundle, profile)
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
            reason=_reason(history, index, source, because_of, language),
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


class HistoryTables:
    """What the bundle says of the items of one history, looked up when a reason first needs it."""

    def __init__(self, bundle: Bundle, profile: Profile) -> None:
        self.bundle, self.profile = bundle, profile

    @cached_property
    def items(self) -> IntArray:
        """(H,) the history's items, oldest first."""
        return self.profile.items

    @cached_property
    def vectors(self) -> FloatArray:
        """(H, D) their vectors."""
        return self.bundle.signal_tables.item_vectors[self.items]

    @cached_property
    def neighbours(self) -> tuple[SmallIntArray, DoubleArray]:
        """(L, M) the neighbours of the LATEST of them and what each adds to the signal of co-occurrence."""
        table, latest = self.bundle.signal_tables.co_occurrence, self.items[-LATEST:]
        recency = RECENCY ** moments_back(self.profile.at_seconds[-LATEST:])
        return table.index[latest], table.score[latest] * recency[:, None]


def _reason(history: HistoryTables, index: int, source: int, because_of: int, language: str) -> Reason:
    bundle, profile = history.bundle, history.profile
    items = bundle.items
    if source == candidates.REPEAT:
        return _repeat(bundle, profile, index, language)
    if source == candidates.TOGETHER:
        because_of = _strongest_neighbour(history, index)
    together = bundle.signal_tables.co_occurrence.index
    if source == candidates.TOGETHER or (source == candidates.CONTEXT and index in together[because_of]):
        return _of_item(TOGETHER, bundle, because_of, language)
    if source == candidates.CONTEXT:
        return _of_item(SIMILAR, bundle, because_of, language)
    if source == candidates.DENSE:
        return _nearest(history, index, language)
    if source == candidates.SEARCHED:
        return build_reason(SEARCHED, language, query=profile.searches[because_of].text)
    if source == candidates.CATEGORY:
        return build_reason(POPULAR_IN, language, category=items.categories[index])
    if source == candidates.RULE:
        return build_reason(PICKED, language)
    return build_reason(POPULAR, language)


def _repeat(bundle: Bundle, profile: Profile, index: int, language: str) -> Reason:
    kind, at_seconds = profile.last(index)
    bought = kind == columns.KIND_CODES[columns.PURCHASE]
    code = BOUGHT_BEFORE if bought else SEEN_BEFORE
    # Instants of a shop without a clock are made up.
    dated = {} if not bundle.fusion.shape.clock else {"date": utc_day(at_seconds)}
    return build_reason(code, language, **dated)


def _strongest_neighbour(history: HistoryTables, index: int) -> int:
    """The item of the history that `index` is the strongest neighbour of."""
    neighbours, weighted = history.neighbours  # (L, M)
    return int(history.items[-LATEST:][np.where(neighbours == index, weighted, 0).max(axis=1).argmax()])


def _nearest(history: HistoryTables, index: int, language: str) -> Reason:
    """`similar to` the most similar item of the history, if one is similar."""
    items = history.items
    cosines = history.vectors @ history.bundle.signal_tables.item_vectors[index]  # (H,)
    best = int(np.argmax(cosines)) if len(items) else 0
    if not len(items) or cosines[best] < SIMILAR_COSINE or items[best] == index:
        return build_reason(FOR_YOU, language)
    return _of_item(SIMILAR, history.bundle, int(items[best]), language)


def _of_item(code: str, bundle: Bundle, index: int, language: str) -> Reason:
    """The reason that names item `index`."""
    items = bundle.items
    return build_reason(code, language, title=items.titles[index], item_id=items.vocabulary.ids[index])


def build_reason(code: str, language: str, **parameters: str) -> Reason:
    """The reason `code` in `language`; a repeat without a `date` gets its undated sentence."""
    undated = f"{code} undated"
    sentence = SENTENCES[undated if undated in SENTENCES and "date" not in parameters else code]
    return Reason(code, sentence[language].format(**parameters), parameters)


def utc_day(seconds: int) -> str:
    """The UTC day of Unix `seconds`.

    >>> utc_day(86_400)
    '1970-01-02'
    """
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
