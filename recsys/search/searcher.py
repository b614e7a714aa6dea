"""Search from top to bottom: understand, match, order, page, count facets."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import RequestError, StoreUnavailableError, did_you_mean
from recsys.filters import Filters
from recsys.funnel.online_features import feature_status
from recsys.funnel.ranking import diversify_items
from recsys.funnel.recommender import Recommender
from recsys.retrieval.lexical.query import LexicalQuery
from recsys.search.answer import (
    MEANING_UNAVAILABLE,
    NOT_PERSONALISED,
    PAGES_NOT_STORED,
    SEARCH_UNAVAILABLE,
    WORDS_UNAVAILABLE,
    SearchAnswer,
)
from recsys.search.course import Course, QueryVectors, Understanding, Understood
from recsys.search.facets import Facet, count_facet
from recsys.search.filter_fields import filter_field, selected_values
from recsys.search.first_stage import FirstStageWeights, gather_evidence, score_first_stage
from recsys.search.index import SearchIndex
from recsys.search.matching import Matched, Meaning, any_word_items, match_items
from recsys.search.ordering import Scored, SortKeys, order_by_relevance, sort_items
from recsys.search.page_items import Highlighter, PageItems
from recsys.search.paging import PageOrder, Pager
from recsys.search.requests import MAX_QUERY, RELEVANCE, SORTS, SearchRequest
from recsys.service_settings import SearchSettings

PERSONAL = "personal"
PERSONAL_WEIGHT = 0.1  # of one standard deviation of taste, at full personalisation
_MOST_DEVIATIONS = 3.0
DIVERSE_POOL = 4  # times the page: items that a diverse first page is chosen from
RELAXED_POOL = 200  # items with any word that are looked at for a page that is not full


@dataclass(frozen=True)
class Searcher:
    """Answers searches from one state of the catalog. Immutable, safe for many threads.

    Attributes:
        recommender: whose bundle, catalog, features and taste it shares.
        vectors: None where there is no encoder.
        pager: keeps the orders of first pages.
        highlighter: what of an item's texts a query matches.
    """

    recommender: Recommender
    index: SearchIndex
    understanding: Understanding
    vectors: QueryVectors | None
    pager: Pager
    highlighter: Highlighter
    settings: SearchSettings

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
        if cursor is None:
            trained = self.index.trained
            place = self.pager.first_page(request, scored.index, self.bundle_id, trained, self._vocabulary)
        else:
            place = self.pager.next_page(cursor, scored.index, self.bundle_id, self._vocabulary)
        page = place.page(request.k)
        relaxed = page[:0] if cursor is not None else self._relaxed(course, request.k - len(page))
        return self._answer(course, scored, place, page, relaxed)

    @property
    def bundle_id(self) -> str:
        """The bundle that answers."""
        return self.recommender.bundle.manifest.bundle_id

    @property
    def _vocabulary(self) -> Vocabulary:
        return self.recommender.bundle.items.vocabulary

    def prepare(self, request: SearchRequest, now: datetime) -> Course:
        """The query understood and matched, the user's profile read."""
        degraded: list[str] = []
        understood = self.understanding.understand(request.query, request.without)
        allowed = self._allowed(request.filters, understood.filters)
        vector = self._vector(understood, degraded)
        near = self._near(vector, understood.query)
        words = self.index.words
        if words is None and understood.query.groups:
            degraded.append(WORDS_UNAVAILABLE)
        if words is None and vector is None and understood.query.groups:
            degraded.append(SEARCH_UNAVAILABLE)
            everything = np.ones(len(allowed), bool)
            matched = Matched(allowed, everything, None, None)
        else:
            matched = match_items(words, understood.query, near, allowed)
        profile, away = self.recommender.read_profile(request.user_id, now)
        if away:
            degraded.append(NOT_PERSONALISED)
        evidence = gather_evidence(matched, understood.query, words, self.index.meaning, vector, near)
        return Course(request, now, understood, allowed, near, matched, evidence, profile, tuple(degraded))

    def order(self, course: Course) -> Scored:
        """The products of M in the order that was asked for, each by its best variant, with their scores."""
        request, catalog = course.request, self.recommender.catalog
        weights = FirstStageWeights(self.settings.words_weight, self.settings.popularity_weight)
        if course.matched.least is None:
            weights = replace(weights, popularity=1.0)  # nothing else is known
        index = course.matched.index
        scored = score_first_stage(index, course.evidence, catalog.popularity, weights)
        if request.sort == RELEVANCE:
            scored = order_by_relevance(scored, lambda head: self._personal(course, head))
            return self._diverse(self._one_a_product(scored), request)
        keys = SortKeys(catalog.items.price_micros, catalog.items.first_at, catalog.popularity)
        place = np.zeros(len(course.allowed), np.int64)
        place[index] = np.arange(len(index))
        return self._one_a_product(scored.take(place[sort_items(index, request.sort, keys)]))

    def _allowed(self, filters: Filters, understood: Filters) -> BoolArray:
        """(N + 1,) what passes both and is in stock as the index knows it."""
        catalog = self.recommender.catalog
        mask = catalog.passing(filters) & catalog.passing(understood)
        return mask if filters.include_unavailable else mask & catalog.items.available

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
        """`head` with the user's taste added: standard deviations from what was found, by the dial."""
        dial = course.request.personalisation
        dial = self.settings.personalisation if dial is None else dial
        taste = self.recommender.taste(course.profile, head.index) if dial and len(head) > 1 else None
        spread = 0.0 if taste is None else float(taste.std())
        if taste is None or not spread:
            return head
        deviations = np.clip((taste - taste.mean()) / spread, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return head.with_part(PERSONAL, dial * PERSONAL_WEIGHT * deviations)

    def _one_a_product(self, scored: Scored) -> Scored:
        """Only the first variant of each product."""
        return scored.take(self.index.products.first_places(scored.index))

    def _diverse(self, scored: Scored, request: SearchRequest) -> Scored:
        """`scored` with a more diverse first page in front; nothing is left out."""
        strength = self.settings.diversity if request.diversity is None else request.diversity
        pool = scored.index[: DIVERSE_POOL * request.k]
        if strength <= 0 or len(pool) < 3:
            return scored
        chosen = diversify_items(self.recommender.bundle.text_vectors[pool], request.k, strength)
        rest = np.ones(len(scored), bool)
        rest[chosen] = False
        return scored.take(np.concatenate([chosen, np.flatnonzero(rest)]))

    def _relaxed(self, course: Course, count: int) -> IntArray:
        """Up to `count` products outside of M that match any word and may be shown."""
        if count <= 0 or course.request.sort != RELEVANCE:
            return np.zeros(0, np.int64)
        found = any_word_items(self.index.words, course.understood.query, RELAXED_POOL)
        found = found[course.allowed[found] & ~course.matched.mask[found]]
        lead = self.index.products.lead
        found = found[~np.isin(lead[found], lead[course.matched.index])]
        return found[self.index.products.first_places(found)][:count]

    def _answer(
        self, course: Course, scored: Scored, place: PageOrder, page: IntArray, relaxed: IntArray
    ) -> SearchAnswer:
        request, understood = course.request, course.understood
        shown = np.concatenate([page, relaxed])
        rows = self.recommender.read_items(shown) if len(shown) else None
        items = PageItems.of(course, scored, self.recommender.catalog, self.highlighter)
        written = items.shown(shown, place.offset, rows)
        cursor = self.pager.next_cursor(request, place, self.bundle_id, self._vocabulary)
        lost = (PAGES_NOT_STORED,) if cursor is not None and not place.kept else ()
        return SearchAnswer(
            request_id=request.request_id,
            query_id=place.query_id,
            user_id=request.user_id,
            bundle_id=self.bundle_id,
            at=course.now,
            query=request.query,
            rewritten=understood.rewritten,
            rewrites=tuple(understood.rewrites),
            total=len(place.order),
            items=written[: len(page)],
            relaxed=written[len(page) :],
            facets=self._facets(course),
            sort=request.sort,
            cursor=cursor,
            words_wanted=course.matched.wanted,
            words_matched=course.matched.least,
            redirect=None,
            notes=(),
            rules=(),
            rules_version=0,
            features=feature_status(columns.RANKING_SERVICE, (course.profile.rows, rows)),
            personalised=PERSONAL in scored.parts,
            degraded=(*course.degraded, *lost),
        )

    def _facets(self, course: Course) -> tuple[Facet, ...]:
        return tuple(
            count_facet(
                each,
                self.index.columns.column(each.name),
                self._mask_without(course, each.name),
                self.index.products,
                selected_values(course.request.filters, each.name),
            )
            for each in course.request.facets
        )

    def _mask_without(self, course: Course, name: str) -> BoolArray:
        """(N + 1,) M as it would be without the filter on the facet's own field."""
        filters = course.request.filters
        others = filters.without(filter_field(name))
        if others == filters:
            return course.matched.mask
        return course.matched.open_mask & self._allowed(others, course.understood.filters)


def check_request(request: SearchRequest) -> None:
    """Raises RequestError where `request` asks for what cannot be."""
    if len(request.query) > MAX_QUERY:
        raise RequestError(
            f"query: it has {len(request.query)} characters; the most is {MAX_QUERY}. Shorten it."
        )
    if request.sort not in SORTS:
        near = did_you_mean(request.sort, SORTS)
        raise RequestError(f"sort: {request.sort!r} is not an order.{near} Use one of {', '.join(SORTS)}.")
