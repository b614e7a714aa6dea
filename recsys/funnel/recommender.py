"""The funnel: retrieve, read features, rank, apply the rules, diversify_items, explain."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from functools import partial

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recsys.catalog import stable_key
from recsys.dataset.interactions import Histories, histories_from_features
from recsys.funnel.candidates import RULE, CandidateContext, Candidates, CandidateSources
from recsys.funnel.catalog import Catalog, allowed_items, passes_now, prices_now
from recsys.funnel.details import history_entries, item_details
from recsys.funnel.explanation import make_slate
from recsys.funnel.indexes.near_items import near_items
from recsys.funnel.item_explanation import Course, Explainer, ItemExplanation
from recsys.funnel.merchandising import (
    FixedRules,
    RuleSource,
    apply_rules,
    pin_items,
    similar_situation,
    situation_of,
    tightened,
)
from recsys.funnel.online_features import (
    FeatureRows,
    FeatureSource,
    Profile,
    bounded_source,
    read_items_if_there,
    read_user_if_there,
)
from recsys.funnel.ranking import (
    SMALLEST_POOL,
    Ranked,
    diversify,
    further_candidates,
    rank_candidates,
    sort_candidates,
    spread_of,
)
from recsys.funnel.requests import Effort, RecommendRequest, SimilarRequest
from recsys.funnel.rounds import Look, Round, fill_slate, look_at_pinned, recording
from recsys.funnel.served_answer import Candidate
from recsys.funnel.similar import similar_items
from recsys.funnel.slate import HistoryEntry, ItemDetails, Slate
from recsys.funnel.snapshot import FeatureSnapshot, SnapshotLog
from recsys.models.bundle import Bundle
from recsys.models.bundle_update import ItemChange, update_bundle
from recsys.models.orders import SIMILAR
from recsys.models.signals import UserSignals
from recsys.retrieval.popularity import LivePopularity
from recsys.retrieval.recent_searches import QueryMeanings, recent_searches
from recsys.rules.rule_set import RuleSet
from recsys.service_settings import ServingSettings
from recsys.versions.spare_capacity import SpareCapacity


class Recommender:
    """Answers from one bundle and one source of online features. Immutable, safe for many threads.

    Without online features (the store is away, nothing is known of the user) context and popularity
    answer, and the slate says so.

    Args:
        snapshots: takes what each recommendation read; None where it is not audited.
        rules: of the shop; None = none.
        meanings: of queries among the texts of `bundle`; None = what users searched for moves nothing.

    Attributes:
        version: changes of the catalog up to this one are known, 0 = none; see `with_changes`.
        features, rules: as they were given. effort: what goes into an answer.
    """

    def __init__(
        self,
        bundle: Bundle,
        features: FeatureSource,
        settings: ServingSettings,
        snapshots: SnapshotLog | None = None,
        rules: RuleSource | None = None,
        meanings: QueryMeanings | None = None,
    ) -> None:
        self.bundle = bundle
        self.catalog = Catalog(bundle)
        self.features = features
        self._settings = settings
        self._snapshots = snapshots
        self.rules: RuleSource = FixedRules() if rules is None else rules
        self._meanings = meanings
        self._sources = CandidateSources(bundle, self.catalog)
        self._spare = SpareCapacity()
        self._near = near_items(bundle)
        self.version, self.effort = 0, Effort.FULL

    def with_changes(self, changes: Sequence[ItemChange], version: int) -> "Recommender":
        """A recommender that knows new and changed items too, for little work; this one stays as it is.

        What users searched for moves nothing there, until `with_meanings` brings texts of the same catalog.

        Args:
            changes: the newest row of each item that changed after `self.version`.
            version: up to which they are all there.
        """
        other = copy(self)
        other.version = version
        if changes:
            other.bundle, other._meanings = update_bundle(self.bundle, changes, self._spare, self._near), None
            index = other.bundle.items.vocabulary.indexes([change.item.item_id for change in changes])
            other.catalog = self.catalog.with_items(other.bundle.items, index)
            # Only vectors that differ: an index holds no prices.
            known, new = index[index < len(self.bundle.items)], index[index >= len(self.bundle.items)]
            moved = (other.bundle.item_vectors[known] != self.bundle.item_vectors[known]).any(1)
            touched = np.concatenate([known[moved], new])
            now = self._sources.popularity
            now = self._spare.with_rows("popularity_now", now, len(other.catalog), index[:0], now[:0])
            bundle = other.bundle.with_arrays(popularity=now)
            other._sources = self._sources.with_bundle(bundle, other.catalog, touched)
        return other

    def with_effort(self, effort: Effort) -> "Recommender":
        """The same that does only what `effort` says, and says so in `degraded`."""
        other = copy(self)
        other.effort, other.features = effort, bounded_source(self.features, effort)
        fewer = {"candidates": effort.share_of(self._settings.candidates)}
        other._settings = self._settings.model_copy(update=fewer)
        return other

    def with_meanings(self, meanings: QueryMeanings | None) -> "Recommender":
        """The same with these meanings of queries, of the texts of `bundle`."""
        other = copy(self)
        other._meanings = meanings
        return other

    def with_popularity(self, popularity: DoubleArray | LivePopularity) -> "Recommender":
        """The same with another popularity (N + 1,): what unknown users get, and a signal for the others.

        `bundle` keeps that of training's end, from which the next popularity is reckoned.
        """
        other = copy(self)
        other.catalog = self.catalog.with_popularity(popularity)
        as_of_now = self.bundle.with_arrays(popularity=other.catalog.popularity.astype(np.float32))
        other._sources = self._sources.with_bundle(as_of_now, other.catalog, np.zeros(0, np.int64))
        return other

    def recommend(self, request: RecommendRequest, now: datetime) -> Slate:
        """The slate for a user at a place of the shop.

        Raises:
            UnknownItemError: the context item is not in the catalog.
            RequestError: the context category or a filter's attribute is not.
        """
        return self._run(request, now).slate

    def serve(self, request: RecommendRequest, now: datetime) -> tuple[Slate, tuple[Candidate, ...]]:
        """The slate as `recommend`, and the best candidates that it does not show, for the log of answers."""
        course = self._run(request, now)
        return course.slate, self._further(course.order, course.chosen)

    def explain(self, request: RecommendRequest, item_id: str, now: datetime) -> ItemExplanation:
        """Why an item is on the slate for `request`, or which rule or stage kept it off; for any item.

        It is the same funnel, written down on its way. Nothing is logged, and no snapshot is taken.

        Raises:
            UnknownItemError: the item or the context item is not in the catalog.
            RequestError: as `recommend`.
        """
        index = self.catalog.index(item_id)
        unlogged = copy(self)
        unlogged._snapshots = None
        rounds: list[Round] = []
        course = unlogged._run(request, now, rounds)
        row = self._read_items(np.array([index]), read=not course.slate.degraded)
        explainer = Explainer(self.bundle, self.catalog, self._sources, self._settings)
        return explainer.explain(course, index, row)

    def _run(self, request: RecommendRequest, now: datetime, rounds: list[Round] | None = None) -> Course:
        """The funnel from top to bottom; `rounds` takes every look at candidates, for an explanation."""
        context_item, context_category = self._context(request)
        user, away = read_user_if_there(self.features, request.user_id)
        profile = Profile.of(user, self.bundle.items.vocabulary, now)
        signals = self._user_signals(profile.histories)
        known = signals is not None
        repeats = self.bundle.manifest.repeats if request.allow_repeats is None else request.allow_repeats
        dial, at = self._settings.searched_weight, int(now.timestamp())
        searches = recent_searches(self._meanings, profile.searches, at, dial)
        context = CandidateContext(signals, context_item, context_category, repeats, searches)
        removed = np.append(profile.items[:0] if repeats else profile.items, context_item)
        allowed = allowed_items(self.catalog, request.filters, request.exclude, removed)
        situation = situation_of(request, self.catalog, context_item, user, self.rules, now)
        current = self.rules.current if request.rules else RuleSet()
        rules, allowed = apply_rules(current, self.catalog, situation, allowed)
        request = replace(request, filters=tightened(request.filters, rules.effects))
        look: Look = partial(self._look, context, profile, request, now)
        look = look if rounds is None else recording(look, rounds)
        filled = fill_slate(self.catalog, allowed, request, look, read=not away)
        order = rules.reorder(sort_candidates(filled.ranked, known))
        diversity = self._settings.diversity if request.diversity is None else request.diversity
        chosen = diversify(order, self.bundle.signal_tables.item_vectors, request.k, diversity)
        spread = spread_of(filled.ranked.model_scores)
        score_pinned = partial(self._score_pinned, context, profile, request, filled.rows is not None, spread)
        chosen, fired = pin_items(rules, chosen, order, allowed, request.k, score_pinned)
        slate = make_slate(self.bundle, request, now, chosen, profile, filled, self.effort)
        slate = rules.mark(replace(slate, cold_start=not known and not away), fired)
        return Course(request, context, profile, allowed, order, chosen, slate, rounds or (), rules)

    def similar(self, request: SimilarRequest, now: datetime) -> Slate:
        """Items that could stand in for one, see `recsys.funnel.similar.similar_items`.

        Raises:
            UnknownItemError: the item is not in the catalog.
            RequestError: a filter names an attribute that no item has.
        """
        return self.serve_similar(request, now)[0]

    def serve_similar(self, request: SimilarRequest, now: datetime) -> tuple[Slate, tuple[Candidate, ...]]:
        """The slate as `similar`, and the best candidates that it does not show, for the log of answers."""
        item = self.catalog.index(request.item_id)
        allowed = allowed_items(self.catalog, request.filters, request.exclude, np.array([item]))
        situation = similar_situation(request, self.catalog, item, now)
        rules, allowed = apply_rules(self.rules.current, self.catalog, situation, allowed)
        request = replace(request, filters=tightened(request.filters, rules.effects))
        look = partial(self._look_around, item, max(2 * request.k, SMALLEST_POOL), now)
        filled = fill_slate(self.catalog, allowed, request, look, read=True)
        ranked = filled.ranked
        order = rules.reorder(ranked.take(np.argsort(-ranked.scores, kind="stable")))
        first = order.take(np.arange(min(request.k, len(order))))
        score_pinned = partial(look_at_pinned, self.catalog, look, request)
        best, fired = pin_items(rules, first, order, allowed, request.k, score_pinned)
        unknown = Profile.of(None, self.bundle.items.vocabulary, now)
        slate = make_slate(self.bundle, request, now, best, unknown, filled, self.effort)
        return rules.mark(slate, fired), self._further(order, best)

    def item(self, item_id: str) -> ItemDetails:
        """What the catalog and the online store say of an item.

        Raises:
            UnknownItemError: the item is not in the catalog.
        """
        index = self.catalog.index(item_id)
        rows = self._read_items(np.array([index]), read=True)
        return item_details(self.bundle, float(self.catalog.popularity[index]), index, rows)

    def history(self, user_id: str, count: int, now: datetime) -> tuple[HistoryEntry, ...]:
        """The user's last `count` actions on items that the bundle knows, the latest first.

        Raises:
            StoreUnavailableError: the online store is away.
        """
        profile = Profile.of(self.features.read_user(user_id), self.bundle.items.vocabulary, now)
        return history_entries(self.bundle, profile, count)

    def taste(self, profile: Profile, index: IntArray) -> FloatArray | None:
        """(K,) fusion's scores of the items at `index` for a user; None where nothing is known of it."""
        signals = self._user_signals(profile.histories) if self.effort < Effort.NO_SECOND_STAGE else None
        return None if signals is None else self.bundle.fusion.score(signals.signals_at(index))

    def warm_up(self, now: datetime) -> None:
        """Runs every stage once, so that the first request is as quick as the others."""
        item = next(iter(self.catalog.popular(1, np.ones(len(self.catalog), bool)).tolist()), 0)
        vocabulary = self.bundle.items.vocabulary
        keys = np.array([stable_key(vocabulary.ids[item])], np.int64)
        instants = np.array([int(now.timestamp())], np.int64)
        history = histories_from_features(
            [keys], [np.ones(1, np.int64)], [instants], instants, vocabulary, columns.HISTORY_LENGTH
        )
        self._user_signals(history)
        if self.bundle.ranker is not None:
            rows = np.full((self._settings.candidates, len(columns.RANKING_FEATURES)), np.nan, np.float32)
            self.bundle.ranker.score(rows)
        if item:
            self.recommend(RecommendRequest("warm-up", context_item_id=vocabulary.ids[item]), now)

    def _context(self, request: RecommendRequest) -> tuple[int, int]:
        """Index of the context item and code of the context category, 0 = none."""
        item, category = request.context_item_id, request.context_category
        index = 0 if item is None else self.catalog.index(item)
        return index, 0 if category is None else self.catalog.category_code(category)

    def _user_signals(self, histories: Histories) -> UserSignals | None:
        """What the one history says of all items; None where it is empty."""
        if not histories.items.any():
            return None
        item_vectors = self.bundle.signal_tables.item_vectors
        vectors = self.bundle.retriever.user_vectors(histories, item_vectors)  # (1, D)
        return self._sources.user_signals(histories, vectors)

    def _read_items(self, index: IntArray, read: bool) -> FeatureRows | None:
        return read_items_if_there(self.features, self.catalog.ids[index].tolist()) if read else None

    def _look(
        self,
        context: CandidateContext,
        profile: Profile,
        request: RecommendRequest,
        now: datetime,
        pool: BoolArray,
        read: bool,
    ) -> tuple[Ranked, FeatureRows | None]:
        """One round of `recommend`: scored candidates from `pool`, and the views that were read."""
        candidates, signals = self._sources.find(context, pool, self._settings.candidates)
        rows = self._read_items(candidates.index, read)
        ranked = rank_candidates(
            self.bundle, self.catalog, context, profile, candidates, rows, signals=signals
        )
        if self._snapshots is not None and rows is not None:
            ids, bundle_id = self.catalog.ids[candidates.index], self.bundle.manifest.bundle_id
            self._snapshots.append(
                FeatureSnapshot(request.request_id, now, bundle_id, request.user_id, profile.rows, ids, rows)
            )
        return ranked, rows

    def _score_pinned(
        self,
        context: CandidateContext,
        profile: Profile,
        request: RecommendRequest,
        read: bool,
        spread: float,
        index: IntArray,
    ) -> Ranked:
        """Items that a rule pins and no source found, scored like candidates; those that may be shown now."""
        count, users = len(index), context.user_signals
        found = Candidates(index, np.full(count, RULE, np.int8), np.zeros(count, np.int64))
        rows = self._read_items(index, read)
        signals = None if users is None else users.signals_at(index)
        ranked = rank_candidates(
            *(self.bundle, self.catalog, context, profile, found, rows), signals=signals, spread=spread
        )
        return ranked.take(passes_now(self.catalog, index, request.filters, rows))

    def _look_around(
        self, item: int, count: int, now: datetime, pool: BoolArray, read: bool
    ) -> tuple[Ranked, FeatureRows | None]:
        """One round of `similar`: the `count` most similar of `pool`, and the views that were read."""
        order, at = self.bundle.order_of(SIMILAR), int(now.timestamp())
        found, scores = similar_items(self.bundle, self._sources, self.catalog, item, pool, order, at)
        best = np.argsort(-scores, kind="stable")[:count]
        index = found.index[best]
        rows = self._read_items(index, read)
        return Ranked(found.take(best), scores[best], None, prices_now(self.catalog, index, rows)), rows

    def _further(self, order: Ranked, chosen: Ranked) -> tuple[Candidate, ...]:
        return further_candidates(self.catalog.ids, order, chosen, self._settings.logged_candidates)
