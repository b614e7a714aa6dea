"""Second stage: the features of K candidates, their scores, the order they give, and its diversity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.features.cross import cross_features
from recsys.funnel.candidates import CATEGORY, CandidateContext, Candidates
from recsys.funnel.catalog import Catalog, prices_now
from recsys.funnel.online_features import FeatureRows, Profile
from recsys.funnel.served_answer import Candidate
from recsys.models.bundle import Bundle
from recsys.models.orders import FUSION, NO_HISTORY, RANKER, REQUEST_KINDS, first_stage_scores, kind_of
from recsys.retrieval.recent_searches import RecentSearches

POOL = 5  # times the slate's length: items that diversity chooses among
SMALLEST_POOL = 50


@dataclass(frozen=True)
class Ranked:
    """K candidates with what they are ordered by.

    Attributes:
        scores: (K,) what the order is by. probabilities: (K,) or None without a ranker or features.
        prices: (K,) micros as of now, 0 or less where unknown.
        searched: (K,) the part of the scores that the user's searches are; None = none.
    """

    candidates: Candidates
    scores: FloatArray
    probabilities: FloatArray | None
    prices: IntArray
    searched: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, places: IntArray | BoolArray) -> "Ranked":
        """Those at `places`, in that order."""
        return replace(
            self,
            candidates=self.candidates.take(places),
            scores=self.scores[places],
            probabilities=None if self.probabilities is None else self.probabilities[places],
            prices=self.prices[places],
            searched=None if self.searched is None else self.searched[places],
        )

    @property
    def model_scores(self) -> FloatArray:
        """(K,) the scores without the part of the searches."""
        return self.scores if self.searched is None else self.scores - self.searched

    def with_searched(self, part: FloatArray | None) -> "Ranked":
        """The same with `part` (K,) added to the scores, once."""
        return self if part is None else replace(self, scores=self.scores + part, searched=part)


def concatenate_ranked(parts: Sequence[Ranked]) -> Ranked:
    """The candidates of all `parts`, one after the other; no item is in two of them."""
    parts = [part for part in parts if len(part)] or parts[:1]
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    searched = [part.searched for part in parts if part.searched is not None]
    return Ranked(
        Candidates.union([part.candidates for part in parts], sum(map(len, parts))),
        np.concatenate([part.scores for part in parts]),
        np.concatenate(probabilities) if len(probabilities) == len(parts) else None,
        np.concatenate([part.prices for part in parts]),
        np.concatenate(searched) if len(searched) == len(parts) else None,
    )


def feature_matrix(profile: Profile, items: FeatureRows, retrieval_scores: FloatArray) -> FloatArray:
    """(K, F) float32 columns.RANKING_FEATURES of one user and K items, NaN where missing.

    Args:
        items: the K items' views. retrieval_scores: (K,) fusion's.
    """
    user, others = split_features(profile, items, retrieval_scores)
    return np.concatenate([np.broadcast_to(user, (len(others), len(user))), others], axis=1)


def split_features(
    profile: Profile, items: FeatureRows, retrieval_scores: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The user's part (U,) of `feature_matrix`, which comes first, and that of K items (K, F - U)."""
    at = int(profile.histories.request_at_seconds[0])
    cross = cross_features(profile.columns, items.columns, at)
    of_items = items.matrix(columns.ITEM_RANKING_FEATURES).T
    others = (*(cross[name] for name in columns.CROSS_FEATURES), retrieval_scores)
    return profile.matrix()[0], np.concatenate([of_items, np.stack(others)]).T


def score_candidates(
    bundle: Bundle,
    popularity: DoubleArray,
    profile: Profile,
    candidates: Candidates,
    signals: FloatArray | None,
    rows: FeatureRows | None,
    kind: str,
) -> tuple[FloatArray, FloatArray | None]:
    """(K,) scores and, where there is a ranker and it has features, (K,) calibrated probabilities.

    The score is that of the order which the bundle has for this kind of request; fusion's where the ranker's
    is wanted and cannot be had, and for an unknown user the item's popularity.

    Args:
        kind: of the request of a user with a history, see `recsys.models.orders`.
        popularity: (N + 1,) of the items. signals: (K, S) the candidates'; None where nothing is known.
    """
    if signals is None:
        order, kind = FUSION, NO_HISTORY
        fused = np.full(len(candidates), np.nan, np.float32)  # "missing" to the ranker
        fallback = popularity[candidates.index].astype(np.float32)
    else:
        order = bundle.order_of(kind)
        fallback = fused = bundle.fusion.score(signals)
        if order not in (RANKER, FUSION):
            fallback = first_stage_scores(order, bundle.fusion, signals)
    if bundle.ranker is None or rows is None or not len(candidates):
        return fallback, None
    logits = bundle.ranker.score_of_user(*split_features(profile, rows, fused))
    scores = logits if order == RANKER else fallback
    return scores, bundle.ranker.calibrated(logits, REQUEST_KINDS.index(kind))


def rank_candidates(
    bundle: Bundle,
    catalog: Catalog,
    context: CandidateContext,
    profile: Profile,
    candidates: Candidates,
    rows: FeatureRows | None,
    *,
    signals: FloatArray | None,
    spread: float | None = None,
) -> Ranked:
    """`candidates` with their scores, what the user searched for included, and their prices as of now.

    Args:
        rows: of the candidates; None where the store is away. signals: as for `score_candidates`.
        spread: of the scores of all candidates of the request, where these are not all; see `searched_part`.
    """
    kind = kind_of(context.repeats)
    scores, probabilities = score_candidates(
        bundle, catalog.visitor_scores, profile, candidates, signals, rows, kind
    )
    ranked = Ranked(candidates, scores, probabilities, prices_now(catalog, candidates.index, rows))
    spread = spread_of(scores) if spread is None else spread
    return ranked.with_searched(searched_part(context.searches, candidates.index, spread))


def spread_of(scores: FloatArray) -> float:
    """The standard deviation of the scores of candidates, 0 for fewer than two."""
    return float(scores.std()) if len(scores) > 1 else 0.0


def searched_part(searches: RecentSearches | None, index: IntArray, spread: float) -> FloatArray | None:
    """(K,) what the user's searches add to the scores of the items at `index`; None = nothing.

        spread x nearness, which has the weight in it

    Scores of different orders share no scale; so the unit is a standard deviation of the candidates'.

    Args:
        spread: see `spread_of`.
    """
    if searches is None:
        return None
    return np.asarray(spread * searches.nearness(index), np.float32)


def sort_candidates(ranked: Ranked, known: bool) -> Ranked:
    """`ranked`, best first: what belongs to the context before the rest, and by score within each.

    For an unknown user the sources' own order stands: nearness to the context, then popularity; where
    searches of the user are known, popularity with their part.
    """
    rest = ranked.candidates.source > CATEGORY  # the first two codes are the context's
    if known:
        return ranked.take(np.lexsort((-ranked.scores, rest)))
    if ranked.searched is None:
        return ranked.take(np.argsort(rest, kind="stable"))
    return ranked.take(np.lexsort((np.where(rest, -ranked.scores, 0), rest)))


def diversify(ranked: Ranked, item_vectors: FloatArray, count: int, strength: float) -> Ranked:
    """`count` items of the best of `ranked`, see `diversify_items`; `item_vectors` (N + 1, D)."""
    pool = ranked.candidates.index[: max(POOL * count, SMALLEST_POOL)]
    return ranked.take(diversify_items(item_vectors[pool], count, strength))


def further_candidates(
    item_ids: npt.NDArray[np.object_], order: Ranked, chosen: Ranked, count: int
) -> tuple[Candidate, ...]:
    """Ids and scores of the first `count` of `order` that are not `chosen`, for the log of answers.

    Args:
        item_ids: (N + 1,) by index.
    """
    index = order.candidates.index[: count + len(chosen)]
    rest = np.flatnonzero(~np.isin(index, chosen.candidates.index))[:count]
    return tuple(zip(item_ids[index[rest]].tolist(), order.scores[rest].tolist(), strict=True))


def diversify_items(vectors: FloatArray, count: int, strength: float) -> IntArray:
    """Places of `count` of M items, best first, by maximal marginal relevance.

        next = argmax over the rest of  (1 - strength) (1 - place / M) - strength * max cosine to those chosen

    Relevance is the place, not the score: scores have no common scale. So at strength s an item can
    overtake at most about M s / (1 - s) others.

    Paper: Carbonell and Goldstein 1998, "The Use of MMR", with rank for relevance.

    Args:
        vectors: (M, D) unit rows, the best item first.

    >>> same, other = [1.0, 0.0], [0.0, 1.0]
    >>> diversify_items(np.array([same, same, other], np.float32), 2, 0.0).tolist()
    [0, 1]
    >>> diversify_items(np.array([same, same, other], np.float32), 2, 0.5).tolist()
    [0, 2]
    """
    size = len(vectors)
    count = min(count, size)
    if strength <= 0 or count < 2:
        return np.arange(count)
    relevance = (1 - strength) * (1 - np.arange(size, dtype=np.float32) / size)
    cosines = vectors @ vectors.T  # (M, M)
    nearest = np.zeros(size, np.float32)  # unlike items gain nothing by being opposite
    chosen = np.empty(count, np.int64)
    for place in range(count):
        best = int(np.argmax(relevance - strength * nearest))
        chosen[place] = best
        relevance[best] = -np.inf
        np.maximum(nearest, cosines[best], out=nearest)
    return chosen
