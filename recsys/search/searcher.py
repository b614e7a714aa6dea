"""Search from top to bottom: understand, match, count, order, page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.errors import CursorExpiredError, RequestError, StoreUnavailableError
from recsys.filters import Filters
from recsys.funnel.online_features import Profile, feature_status
from recsys.funnel.ranking import diversify_items
from recsys.funnel.recommender import Recommender
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.search.answer import (
    MEANING_UNAVAILABLE,
    NOT_PERSONALISED,
    PAGES_NOT_STORED,
    SEARCH_UNAVAILABLE,
    WORDS_UNAVAILABLE,
    Rewrite,
    SearchAnswer,
)
from recsys.search.facets import Facet, count_facet
from recsys.search.first_stage import Evidence, FirstStageWeights, gather_evidence, score_first_stage
from recsys.search.index import SearchIndex
from recsys.search.matching import Matched, Meaning, any_word_items, match_items
from recsys.search.ordering import Scored, SortKeys, order_by_relevance, sort_items
from recsys.search.page_items import PageItems
from recsys.search.pages import (
    Cursor,
    CursorCodec,
    PageStore,
    after_item,
    decode_order,
    encode_order,
    fingerprint,
)
from recsys.search.requests import MAX_QUERY, RELEVANCE, SORTS, SearchRequest

PERSONAL = "personal"
PERSONAL_WEIGHT = 0.1  # of one standard deviation of taste, at full personalisation
_MOST_DEVIATIONS = 3.0
DIVERSE_POOL = 4  # times the page: items that a diverse first page is chosen from


@dataclass(frozen=True)
class SearchSettings:
    """How search orders and pages; see `[search]` of docs/search.md.

    Attributes:
        personalisation: 0 to 1, where a request says nothing. diversity: of first pages.
        weights: of the first stage.
    """

    personalisation: float = 0.5
    diversity: float = 0.05
    weights: FirstStageWeights = FirstStageWeights()


@dataclass(frozen=True)
class Searcher:
    """Answers searches from one state of the catalog. Immutable, safe for many threads.

    Attributes:
        recommender: whose bundle, catalog, features and taste it shares.
        vectors: None where there is no encoder.
        pager: keeps the orders of first pages.
    """

    recommender: Recommender
    index: SearchIndex
    understanding: Understanding
    vectors: QueryVectors | None
    pager: Pager
    highlighter: Highlighter
    settings: SearchSettings = SearchSettings()

    def search(self, request: SearchRequest, now: datetime) -> SearchAnswer:
        """The page that `request` asks for.

        Raises:
            RequestError: the query is too long; a filter, facet or sort is not known.
            InvalidCursorError: the cursor is not of this request.
            CursorExpiredError: its order is no longer kept, or another bundle serves.
        """
        check_request(request)
        cursor = self.pager.read_cursor(request, self.bundle_id)
        course = self.prepare(request, now)
        scored = self.order(course)
        place = self._place(request, cursor, scored.index)
        page = place.page(request.k)
        relaxed = self._relaxed(course, request.k - len(page)) if cursor is None else page[:0]
        shown = np.concatenate([page, relaxed])
        rows = self.recommender.read_items(shown) if len(shown) else None
        items = self._page_items(course, scored).shown(shown, place.offset, rows)
        next_cursor = self.pager.next_cursor(request, place, self.bundle_id, self._vocabulary)
        lost = next_cursor is not None and not place.kept
        return SearchAnswer(
            request_id=request.request_id,
            query_id=place.query_id,
            user_id=request.user_id,
            bundle_id=self.bundle_id,
            at=now,
            query=request.query,
            rewritten=course.understood.rewritten,
            rewrites=tuple(course.understood.rewrites),
            total=len(place.order),
            items=items[: len(page)],
            relaxed=items[len(page) :],
            facets=self._facets(course),
            sort=request.sort,
            cursor=next_cursor,
            words_wanted=course.matched.wanted,
            words_matched=course.matched.least,
            redirect=None,
            notes=(),
            rules=(),
            rules_version=0,
            features=feature_status(columns.RANKING_SERVICE, (course.profile.rows, rows)),
            personalised=PERSONAL in scored.parts,
            degraded=(*course.degraded, PAGES_NOT_STORED) if lost else course.degraded,
        )

    @property
    def bundle_id(self) -> str:
        """The bundle that answers."""
        return self.recommender.bundle.manifest.bundle_id

    @property
    def _vocabulary(self) -> Vocabulary:
        return self.recommender.bundle.items.vocabulary

    def _place(self, request: SearchRequest, cursor: Cursor | None, order: IntArray) -> PageOrder:
        if cursor is None:
            return self.pager.first_page(
                request, order, self.bundle_id, self.index.trained, self._vocabulary
            )
        return self.pager.next_page(cursor, order, self.bundle_id, self._vocabulary)

    def prepare(self, request: SearchRequest, now: datetime) -> Course:
        """The query understood and matched, the user's profile read."""
        degraded: list[str] = []
        understood = self.understanding.understand(request.query, request.without)
        filters = request.filters
        allowed = self._allowed(filters, understood.filters)
        vector = self._vector(understood, degraded)
        near = self._near(vector, understood.query)
        words = self.index.words
        if words is None:
            degraded.append(WORDS_UNAVAILABLE)
        if words is None and vector is None and understood.query.words:
            degraded.append(SEARCH_UNAVAILABLE)
            matched = Matched(allowed, np.ones(len(allowed), bool), None, None)
        else:
            matched = match_items(words, understood.query, near, allowed)
        profile, away = self.recommender.read_profile(request.user_id, now)
        if away:
            degraded.append(NOT_PERSONALISED)
        return Course(
            request, understood, filters, allowed, vector, near, matched, profile, tuple(degraded)
        )

    def order(self, course: Course) -> Scored:
        """The products of M in the order that was asked for, each by its best variant, with their scores."""
        request, matched = course.request, course.matched
        catalog = self.recommender.catalog
        evidence = self.evidence(course)
        weights = self.settings.weights
        if course.browses:
            weights = replace(weights, popularity=1.0)  # nothing else is known
        scored = score_first_stage(matched.index, evidence, catalog.popularity, weights)
        if request.sort == RELEVANCE:
            scored = order_by_relevance(scored, lambda head: self._personal(course, head))
            return self._diverse(self._one_a_product(scored), request)
        keys = SortKeys(self.index.items.price_micros, self._first_at(), catalog.popularity)
        place = np.zeros(len(matched.mask), np.int64)
        place[scored.index] = np.arange(len(scored))
        return self._one_a_product(scored.take(place[sort_items(scored.index, request.sort, keys)]))

    def evidence(self, course: Course) -> Evidence:
        """How the items of M match."""
        return gather_evidence(
            course.matched,
            course.understood.query,
            self.index.words,
            self.index.meaning,
            course.vector,
            course.near,
        )

    def _allowed(self, *filters: Filters) -> BoolArray:
        """(N + 1,) what passes all filters and is in stock as the index knows it."""
        catalog = self.recommender.catalog
        mask = catalog.items.available.copy()
        if filters[0].include_unavailable:
            mask[1:] = True
        for each in filters:
            mask &= catalog.passing(each)
        return mask

    def _vector(self, understood: Understood, degraded: list[str]) -> FloatArray | None:
        """The vector of the query; None where there is none, and then it is said in `degraded`."""
        if self.index.meaning is None or not understood.query.words:
            return None
        try:
            if self.vectors is not None:
                return self.vectors.encode(understood.rewritten)
        except StoreUnavailableError:
            pass
        degraded.append(MEANING_UNAVAILABLE)
        return None

    def _near(self, vector: FloatArray | None, query: LexicalQuery) -> Meaning | None:
        if vector is None or self.index.meaning is None:
            return None
        return Meaning(*self.index.meaning.above(vector, self.index.threshold.of(len(query.words))))

    def _personal(self, course: Course, head: Scored) -> Scored:
        """`head` with the user's taste added: standard deviations from what is found, by the dial."""
        dial = course.request.personalisation
        dial = self.settings.personalisation if dial is None else dial
        if not dial or len(head) < 2:
            return head
        taste = self.recommender.taste(course.profile, head.index)
        if taste is None:
            return head
        spread = float(taste.std())
        if not spread:
            return head
        deviations = np.clip((taste - taste.mean()) / spread, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return head.with_part(PERSONAL, dial * PERSONAL_WEIGHT * deviations)

    def _one_a_product(self, scored: Scored) -> Scored:
        """Only the first variant of each product."""
        if not self.index.products.has_variants:
            return scored
        place = np.zeros(len(self.index.items), np.int64)
        place[scored.index] = np.arange(len(scored))
        return scored.take(place[self.index.products.best(scored.index)])

    def _diverse(self, scored: Scored, request: SearchRequest) -> Scored:
        """`scored` with a more diverse first page in front; nothing is left out."""
        strength = self.settings.diversity if request.diversity is None else request.diversity
        pool = scored.index[: DIVERSE_POOL * request.k]
        if strength <= 0 or len(pool) < 3:
            return scored
        vectors = self.recommender.bundle.text_vectors[pool]
        chosen = diversify_items(vectors, request.k, strength)
        rest = np.setdiff1d(np.arange(len(scored)), chosen)
        return scored.take(np.concatenate([chosen, rest]))

    def _first_at(self) -> IntArray:
        return self.index.items.first_at

    def _relaxed(self, course: Course, count: int) -> IntArray:
        """Up to `count` items outside of M that match any word and may be shown."""
        found = any_word_items(self.index.words, course.understood.query, 4 * count + 100) if count > 0 else None
        if found is None:
            return np.zeros(0, np.int64)
        found = found[course.allowed[found] & ~course.matched.mask[found]]
        return self.index.products.best(found)[:count]

    def _page_items(self, course: Course, scored: Scored) -> PageItems:
        near = np.zeros(len(course.allowed), bool)
        if course.near is not None:
            near[course.near.index] = True
        return PageItems(
            self.recommender.catalog,
            scored,
            course.evidence,
            near,
            lambda index: self.highlighter(course.understood.query, index),
            course.browses,
            SEARCH_UNAVAILABLE in course.degraded,
        )

    def _facets(self, course: Course) -> tuple[Facet, ...]:
        return tuple(
            count_facet(
                each,
                self.index.columns.column(each.name),
                self._mask_without(course, each.name),
                self.index.products,
                selected_values(course.filters, each.name),
            )
            for each in course.request.facets
        )

    def _mask_without(self, course: Course, name: str) -> BoolArray:
        """(N + 1,) M as it would be without the filter on the facet's own field."""
        others = course.filters.without(name)
        if others == course.filters:
            return course.matched.mask
        return course.matched.open_mask & self._allowed(others, course.understood.filters)


def check_request(request: SearchRequest) -> None:
    """Raises RequestError where `request` asks for what cannot be."""
    if len(request.query) > MAX_QUERY:
        raise RequestError(
            f"query: it has {len(request.query)} characters; the most is {MAX_QUERY}. Shorten it."
        )
    if request.sort not in SORTS:
        sort_items(np.zeros(0, np.int64), request.sort, _NO_KEYS)


def selected_values(filters: Filters, name: str) -> frozenset[str]:
    """The values that `filters` name for a facet."""
    raise NotImplementedError


_NO_KEYS = SortKeys(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
