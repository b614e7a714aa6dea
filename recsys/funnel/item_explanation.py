"""Why one item is on a slate, or what kept it off: by which rule or at which stage, and by how much."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray
from recsys.funnel.candidates import (
    SEARCHED,
    SOURCES,
    CandidateContext,
    Candidates,
    CandidateSources,
    ItemSources,
)
from recsys.funnel.catalog import Catalog
from recsys.funnel.merchandising import AppliedRules
from recsys.funnel.online_features import FeatureRows, Profile, concatenate_rows
from recsys.funnel.ranking import Ranked, feature_matrix, rank_candidates, spread_of
from recsys.funnel.removal import (
    BELOW_LAST_SHOWN,
    BEYOND_CANDIDATES,
    NOT_FOUND,
    TOO_SIMILAR,
    Removal,
    removals_by_request,
    removals_by_rules,
    removals_now,
    rules_about,
)
from recsys.funnel.requests import RecommendRequest
from recsys.funnel.rounds import Round
from recsys.funnel.score_parts import ScoreParts, score_parts, with_part
from recsys.funnel.slate import Slate
from recsys.funnel.snapshot import row_values
from recsys.instants import from_micros
from recsys.models.bundle import Bundle
from recsys.models.orders import FUSION, NO_HISTORY, RANKER, first_stage_scores, kind_of
from recsys.models.signals import SIGNALS
from recsys.rules.effects import FiredRule
from recsys.service_settings import ServingSettings


@dataclass(frozen=True)
class Course:
    """What one request went through.

    Attributes:
        allowed: (N + 1,) items that its rules allow.
        order: what may be shown, best first. chosen: what is shown.
        rounds: every look at candidates, where that was asked for.
        rules: what the shop's rules did to it; None where they were not asked.
    """

    request: RecommendRequest
    context: CandidateContext
    profile: Profile
    allowed: BoolArray
    order: Ranked
    chosen: Ranked
    slate: Slate
    rounds: Sequence[Round] = ()
    rules: AppliedRules | None = None


@dataclass(frozen=True)
class ViewRow:
    """One row of features.

    Attributes:
        of: whose it is: user, item or both.
        event_at: of the row, None where there is none, or where it was computed for the request.
    """

    view: str
    of: str
    event_at: datetime | None
    age_seconds: float | None = field(metadata={"description": "from event_at to the request"})
    values: Mapping[str, Any]


@dataclass(frozen=True)
class ItemExplanation:
    """Why one item is on a slate, or is not.

    Attributes:
        position: on the slate, None = it is not shown.
        removals: what keeps it off; none where it is shown.
        source: which source of candidates names it, None = it was no candidate.
        sources: how it fared where candidates are found, None where a rule of the request removes it before.
        order: what the candidates of such a request are ordered by.
        rank: in the order of what may be shown, None = it was not among it. ranked: how many those are.
        score, p_click: the item's, as if it were a candidate where it was none.
        last_score: of the last item shown.
        stages: the scores taken apart, first stage first; none for an unknown user.
        slate: what was answered.
        rules: those that fired and are about this item.
    """

    item_id: str
    title: str
    position: int | None
    removals: tuple[Removal, ...]
    source: str | None
    sources: ItemSources | None
    order: str
    rank: int | None
    ranked: int
    score: float
    p_click: float | None
    last_score: float | None
    stages: tuple[ScoreParts, ...]
    features: tuple[ViewRow, ...]
    slate: Slate
    rules: tuple[FiredRule, ...] = ()


@dataclass(frozen=True)
class Explainer:
    """The parts of a recommender that an explanation looks things up in."""

    bundle: Bundle
    catalog: Catalog
    sources: CandidateSources
    settings: ServingSettings

    def explain(self, course: Course, index: int, row: FeatureRows | None) -> ItemExplanation:
        """Why item `index` is on the slate of `course` or not; `row` holds its views, None = store away."""
        places = np.flatnonzero(course.order.candidates.index == index)
        rank = int(places[0]) + 1 if len(places) else None
        shown = np.flatnonzero(course.chosen.candidates.index == index)
        candidate = self._candidate(course, index, row)
        items = course.slate.items
        return ItemExplanation(
            item_id=str(self.catalog.ids[index]),
            title=self.bundle.items.titles[index],
            position=int(shown[0]) + 1 if len(shown) else None,
            removals=() if len(shown) else tuple(self._removals(course, index, row, rank)),
            source=_source(course, index),
            sources=self._trace(course, index),
            order=self._order(course, row),
            rank=rank,
            ranked=len(course.order),
            score=float(candidate.scores[0]),
            p_click=None if candidate.probabilities is None else float(candidate.probabilities[0]),
            last_score=items[-1].score if items else None,
            stages=tuple(self._stages_with_searched(course, candidate, index, row)),
            features=tuple(_view_rows(course, row)),
            slate=course.slate,
            rules=tuple(rules_about(course.rules, course.slate.rules, index)),
        )

    def _order(self, course: Course, row: FeatureRows | None) -> str:
        if course.context.user_signals is None:
            return self.bundle.order_of(NO_HISTORY)
        order = self.bundle.order_of(kind_of(course.context.repeats))
        return FUSION if order == RANKER and (self.bundle.ranker is None or row is None) else order

    def _candidate(self, course: Course, index: int, row: FeatureRows | None) -> Ranked:
        """The item as it was ranked, or as it would have been."""
        for found in (course.order, *(each.found for each in course.rounds)):
            places = np.flatnonzero(found.candidates.index == index)
            if len(places):
                return found.take(places)
        users, at = course.context.user_signals, np.array([index])
        alone = Candidates(at, np.zeros(1, np.int8), np.zeros(1, np.int64))
        return rank_candidates(
            *(self.bundle, self.catalog, course.context, course.profile, alone, row),
            signals=None if users is None else users.signals_at(at),
            spread=spread_of(course.order.model_scores),
        )

    def _trace(self, course: Course, index: int) -> ItemSources | None:
        """How it fared in the last look at candidates that could have found it."""
        pools = [each.pool for each in course.rounds if each.pool[index]]
        if not pools:
            return None
        return self.sources.trace(course.context, pools[-1], self.settings.candidates, index)

    def _removals(
        self, course: Course, index: int, row: FeatureRows | None, rank: int | None
    ) -> Iterator[Removal]:
        request = course.request
        rules = [
            *removals_by_rules(course.rules, index),
            *removals_by_request(self.catalog, request, course.context, course.profile, index),
            *removals_now(self.catalog, request.filters, index, row),
        ]
        if rules:
            yield from {rule.code + rule.text: rule for rule in rules}.values()
        elif rank is None:
            yield self._not_a_candidate(course, index)
        else:
            yield self._outranked(course, index, rank)

    def _not_a_candidate(self, course: Course, index: int) -> Removal:
        trace, count = self._trace(course, index), self.settings.candidates
        if trace is None:
            return Removal(NOT_FOUND, "the candidates were sought among other items, which were in stock")
        if trace.found_by:
            place = f"place {trace.prior_place} of {trace.pool} by the first stage's score"
            return Removal(
                BEYOND_CANDIDATES, f"found by {', '.join(trace.found_by)}, but {place}; {count} go on"
            )
        places = f"place {trace.popularity_place} by popularity"
        if trace.network_place is not None:
            places += f" and {trace.network_place} by the network"
        return Removal(NOT_FOUND, f"no source of candidates found it: {places}; {count} are looked for")

    def _outranked(self, course: Course, index: int, rank: int) -> Removal:
        chosen = course.chosen.candidates.index
        if rank > len(chosen):
            return Removal(
                BELOW_LAST_SHOWN, f"rank {rank} of {len(course.order)}, and {len(chosen)} are shown"
            )
        vectors = self.bundle.signal_tables.item_vectors
        cosines = vectors[chosen] @ vectors[index]
        place = int(np.argmax(cosines))
        title = self.bundle.items.titles[chosen[place]]
        return Removal(
            TOO_SIMILAR,
            f"rank {rank}, but diversity prefers others: it is similar to {title!r} at position {place + 1} "
            f"(cosine {cosines[place]:.2f})",
        )

    def _stages_with_searched(
        self, course: Course, candidate: Ranked, index: int, row: FeatureRows | None
    ) -> Iterator[ScoreParts]:
        """The stages; that which the candidates are ordered by with the part of the user's searches."""
        order = self._order(course, row)
        found = [each.found.searched for each in course.rounds if each.found.searched is not None]
        for stage in self._stages(course, index, row):
            if candidate.searched is None or stage.model != order:
                yield stage
            else:
                mean = float(np.concatenate(found).mean())
                yield with_part(stage, SOURCES[SEARCHED], float(candidate.searched[0]), mean)

    def _stages(self, course: Course, index: int, row: FeatureRows | None) -> Iterator[ScoreParts]:
        """The first stage's score, and the ranker's where it has one, of a user with a history."""
        users = course.context.user_signals
        if users is None:
            return
        found = [each.found.candidates.index for each in course.rounds]
        signals = users.signals_at(np.concatenate(found))
        own = users.signals_at(np.array([index]))
        order = self._order(course, row)
        first = FUSION if order == RANKER else order
        scores = partial(first_stage_scores, first, self.bundle.fusion)
        yield score_parts(first, SIGNALS, scores, own[0], signals)
        rows = [each.rows for each in course.rounds if each.rows is not None]
        if self.bundle.ranker is not None and row is not None and len(rows) == len(found):
            matrix = partial(feature_matrix, course.profile)
            features: FloatArray = matrix(concatenate_rows(rows), self.bundle.fusion.score(signals))
            of_item = matrix(row, self.bundle.fusion.score(own))
            names = columns.RANKING_FEATURES
            yield score_parts(RANKER, names, self.bundle.ranker.score, of_item[0], features)


def _source(course: Course, index: int) -> str | None:
    for each in course.rounds:
        candidates = each.found.candidates
        places = np.flatnonzero(candidates.index == index)
        if len(places):
            return SOURCES[int(candidates.source[places[0]])]
    return None


def _view_rows(course: Course, row: FeatureRows | None) -> Iterator[ViewRow]:
    at = course.slate.at
    for of, rows in (("user", course.profile.rows), ("item", row)):
        if rows is None:
            continue
        for view, instants in rows.event_at.items():
            missing = bool(rows.missing[view][0])
            event_at = None if missing else from_micros(int(instants[0]))
            age = None if event_at is None else (at - event_at).total_seconds()
            yield ViewRow(view, of, event_at, age, {} if missing else row_values(rows, view, 0))
    if row is not None:
        matrix = feature_matrix(course.profile, row, np.full(1, np.nan, np.float32))[0]
        values = dict(zip(columns.RANKING_FEATURES, matrix.tolist(), strict=True))
        cross = {name: None if np.isnan(values[name]) else values[name] for name in columns.CROSS_FEATURES}
        yield ViewRow(columns.USER_ITEM_CROSS, "both", None, None, cross)
