"""Search from top to bottom: understand, match, order, page, count facets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np

from recsys import columns
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import Vocabulary
from recsys.errors import StoreUnavailableError
from recsys.filters import Filters
from recsys.funnel.merchandising import AppliedRules, FixedRules, RuleSource
from recsys.funnel.online_features import (
    FeatureRows,
    FeatureSource,
    Profile,
    feature_status,
    read_items_if_there,
    read_user_if_there,
)
from recsys.funnel.recommender import Recommender
from recsys.funnel.served_answer import Candidate
from recsys.models.bundle_update import ItemChange
from recsys.retrieval.recent_searches import QueryVectors
from recsys.rules.effects import FiredRule
from recsys.search.answer import (
    MEANING_UNAVAILABLE,
    NOT_PERSONALISED,
    PAGES_NOT_STORED,
    SEARCH_UNAVAILABLE,
    WORDS_UNAVAILABLE,
    SearchAnswer,
    SearchItem,
)
from recsys.search.course import Course
from recsys.search.facets import Facet, count_facet
from recsys.search.filter_fields import filter_field, selected_values
from recsys.search.index import SearchIndex
from recsys.search.matching import Matched, Meaning, any_word_items, match_items
from recsys.search.merchandising import pin_products, rules_for
from recsys.search.page_items import PageItems
from recsys.search.paging import PageOrder, Pager
from recsys.search.relevance.first_stage import FirstStageWeights, first_stage_evidence, score_first_stage
from recsys.search.relevance.known_items import known_of_items
from recsys.search.relevance.learned import LearnedOrder, rank_learned
from recsys.search.relevance.ordering import Scored, SortKeys, diversify_page, order_by_relevance, sort_items
from recsys.search.relevance.reranking import PERSONAL, add_named, add_taste
from recsys.search.requests import RELEVANCE, SearchRequest, check_request
from recsys.search.shop_words import FixedWords, ShopWordsSource
from recsys.search.suggestions.answer import SuggestAnswer, SuggestRequest, finds_something, suggest
from recsys.search.suggestions.build import suggest_index
from recsys.search.suggestions.index import SuggestIndex
from recsys.search.understanding.knowledge import with_new_texts
from recsys.search.understanding.understand import QueryKnowledge, UnderstoodQuery, understand
from recsys.service_settings import SearchSettings

NO_RULES = FixedRules()
NO_SUGGESTIONS = suggest_index((), (), (), ())
NO_WORDS = FixedWords()
RELAXED_POOL = 200  # items with any word that are looked at for a page that is not full


@dataclass(frozen=True)
class Searcher:
    """Answers searches from one state of the catalog. Immutable, safe for many threads.

    Attributes:
        recommender: whose bundle, catalog and taste it shares.
        features: of columns.SEARCH_SERVICE.
        knowledge: what queries are understood by, beside the shop's synonyms.
        vectors: None where there is no encoder.
        learned: None where nothing was learned of judgments or clicks.
        suggestions: for what is being typed.
        rules: the shop's. words: its synonyms, and what it never suggests.
        pager: keeps the orders of first pages.
    """

    recommender: Recommender
    index: SearchIndex
    knowledge: QueryKnowledge
    vectors: QueryVectors | None
    pager: Pager
    settings: SearchSettings
    features: FeatureSource
    learned: LearnedOrder | None = None
    suggestions: SuggestIndex = NO_SUGGESTIONS
    rules: RuleSource = NO_RULES
    words: ShopWordsSource = NO_WORDS

    def search(self, request: SearchRequest, now: datetime) -> SearchAnswer:
        """The page that `request` asks for; see `serve`."""
        return self.serve(request, now)[0]

    def suggest(self, request: SuggestRequest) -> SuggestAnswer:
        """What to type on, the user's own queries first, which categories to go to, which items are meant.

        Raises:
            RequestError: `count` is too large.
        """
        catalog, hidden = self.recommender.catalog, self.words.words.hidden
        finds = partial(finds_something, self._knowledge(), self.index.words, catalog)
        return suggest(self.suggestions, request, self.features, finds, hidden, catalog, self.bundle_id)

    def serve(
        self, request: SearchRequest, now: datetime, logged: int = 0
    ) -> tuple[SearchAnswer, tuple[Candidate, ...]]:
        """The page that `request` asks for, and up to `logged` products behind it, for the log of answers.

        Raises:
            RequestError: the query is too long; a filter, facet or sort is not known.
            InvalidCursorError: the cursor is not of this request.
            CursorExpiredError: its order is no longer kept, or another bundle serves.
        """
        check_request(request)
        cursor = self.pager.read_cursor(request, self.bundle_id)
        course = self.prepare(request, now)
        scored = self.order(course)
        pinned = pin_products(course, scored.index, self.index.products)
        if cursor is None:
            trained = self.index.trained
            place = self.pager.first_page(request, scored.index, self.bundle_id, trained, self._vocabulary)
        else:
            place = self.pager.next_page(cursor, pinned.order, self.bundle_id, self._vocabulary)
        page = place.page(request.k)
        relaxed = page[:0] if cursor is not None else self._relaxed(course, request.k - len(page))
        shown = np.concatenate([page, relaxed])
        ids = self.recommender.catalog.ids[shown].tolist()
        rows = read_items_if_there(self.features, ids) if ids else None
        items = PageItems.of(course, scored, self.recommender.catalog, self.knowledge.analyzer, pinned.items)
        written = items.shown(shown, place.offset, rows)
        answer = self._answer(course, place, written[: len(page)], written[len(page) :], rows, pinned.fired)
        return answer, self._behind(scored, page, logged)

    def _behind(self, scored: Scored, page: IntArray, count: int) -> tuple[Candidate, ...]:
        """Ids and scores of the best `count` products that are not on the page."""
        places = np.flatnonzero(~np.isin(scored.index[: count + len(page)], page))[:count]
        ids = self.recommender.catalog.ids[scored.index[places]].tolist()
        return tuple(zip(ids, scored.scores[places].tolist(), strict=True))

    def with_changes(self, recommender: Recommender, changes: Sequence[ItemChange]) -> "Searcher":
        """A searcher that knows new and changed items too; this one stays as it is.

        Args:
            recommender: that knows them.
        """
        ids = [change.item.item_id for change in changes]
        index = self.index.with_changes(recommender.bundle, ids)
        items, popularity = recommender.bundle.items, recommender.catalog.popularity
        places = items.with_other_words(self.index.items, items.vocabulary.indexes(ids))
        if not len(places):
            return replace(self, recommender=recommender, index=index)
        shown = {place: (items.title_words(place), float(popularity[place])) for place in places.tolist()}
        return replace(
            self,
            recommender=recommender,
            index=index,
            knowledge=with_new_texts(self.knowledge, [items.titles[each] for each in shown]),
            learned=self.learned and self.learned.with_items(items, places),
            suggestions=self.suggestions.with_items(shown),
        )

    @property
    def bundle_id(self) -> str:
        """The bundle that answers."""
        return self.recommender.bundle.manifest.bundle_id

    @property
    def order_id(self) -> str:
        """The learned order, "" where nothing was learned."""
        return "" if self.learned is None else self.learned.order_id

    @property
    def _vocabulary(self) -> Vocabulary:
        return self.recommender.bundle.items.vocabulary

    def prepare(self, request: SearchRequest, now: datetime) -> Course:
        """The query understood, the user's profile read, the rules applied, the items matched."""
        degraded: list[str] = []
        understood = self._understand(request)
        user, away = read_user_if_there(self.features, request.user_id)
        profile = Profile.of(user, self._vocabulary, now)
        if away:
            degraded.append(NOT_PERSONALISED)
        rules = rules_for(request, understood, profile, self.rules, self.recommender.catalog, now)
        allowed = self._allowed(request.filters, understood, rules)
        vector = self._vector(understood, degraded)
        near = self._near(vector, understood)
        words = self.index.words
        if words is None and understood.lexical.groups:
            degraded += [WORDS_UNAVAILABLE] if vector is not None else [WORDS_UNAVAILABLE, SEARCH_UNAVAILABLE]
        if SEARCH_UNAVAILABLE in degraded:
            matched = Matched(allowed, np.ones(len(allowed), bool), None, None)
        else:
            matched = match_items(words, understood.lexical, near, allowed)
        evidence = first_stage_evidence(matched, understood.lexical, words, self.index.meaning, vector, near)
        found = (allowed, vector, near, matched, evidence)
        return Course(request, now, understood, *found, profile, rules, tuple(degraded))

    def _understand(self, request: SearchRequest) -> UnderstoodQuery:
        words = self.index.words
        in_index = None if words is None else words.document_frequency
        return understand(request.query, self._knowledge(), request.without, in_index)

    def _knowledge(self) -> QueryKnowledge:
        return replace(self.knowledge, synonyms=self.words.words.synonyms)

    def order(self, course: Course) -> Scored:
        """The products of M in the order that was asked for, each by its best variant, with their scores."""
        request, catalog, index = course.request, self.recommender.catalog, course.matched.index
        scored = self.first_stage(course)
        if request.sort == RELEVANCE:
            scored = order_by_relevance(scored, partial(self._rerank, course), self.recommender.effort)
            scored = self._one_a_product(scored)
            scored = scored.take(course.rules.items.order(scored.index))
            strength = self.settings.diversity if request.diversity is None else request.diversity
            return diversify_page(scored, self.recommender.bundle.text_vectors, request.k, strength)
        keys = SortKeys(catalog.items.price_micros, catalog.items.first_at, catalog.popularity)
        place = np.zeros(len(course.allowed), np.int64)
        place[index] = np.arange(len(index))
        return self._one_a_product(scored.take(place[sort_items(index, request.sort, keys)]))

    def first_stage(self, course: Course) -> Scored:
        """M with first-stage scores, by item index."""
        weights = FirstStageWeights(self.settings.words_weight, self.settings.popularity_weight)
        if course.matched.least is None:
            weights = replace(weights, popularity=1.0)  # nothing else is known
        popularity = self.recommender.catalog.popularity
        return score_first_stage(course.matched.index, course.evidence, popularity, weights)

    def _allowed(self, filters: Filters, understood: UnderstoodQuery, rules: AppliedRules) -> BoolArray:
        """(N + 1,) what passes request, query and rules, and is in stock as the index knows it."""
        catalog = self.recommender.catalog
        mask = catalog.passing(filters)
        if understood.intent.filters.conditions:
            mask &= catalog.passing(understood.intent.filters)
        if not filters.include_unavailable:
            mask &= catalog.items.available
        return rules.items.without_removed(mask)

    def _vector(self, understood: UnderstoodQuery, degraded: list[str]) -> FloatArray | None:
        """The vector of the query; None where there is none, and then it is said in `degraded`."""
        if self.index.meaning is None or not understood.lexical.words:
            return None
        try:
            if self.vectors is not None:
                return self.vectors.encode(understood.meaning)
        except StoreUnavailableError:
            pass
        degraded.append(MEANING_UNAVAILABLE)
        return None

    def _near(self, vector: FloatArray | None, understood: UnderstoodQuery) -> Meaning | None:
        meaning = self.index.meaning
        if vector is None or meaning is None:
            return None
        words = len(understood.lexical.words)
        return Meaning(*meaning.above(vector, self.index.threshold.of(words, meaning.background(vector))))

    def _rerank(self, course: Course, head: Scored) -> Scored:
        """`head` as learned where there is a ranker, with what the query names and the user's taste added."""
        learned, meaning = self.learned, self.index.meaning
        if learned is not None and meaning is not None and course.understood.lexical.words:
            features = learned.reader.features(
                *(course.understood, course.vector, head.index, self.index.words, meaning),
                known_of_items(self.recommender.catalog, head.index, course.now),
            )
            head = rank_learned(head, learned.ranker, features)
        named = add_named(
            head, course.understood.intent, self.recommender.catalog, self.settings.named_weight
        )
        dial = course.request.personalisation
        dial = self.settings.personalisation if dial is None else dial
        return (
            named if not dial else add_taste(named, self.recommender.taste(course.profile, head.index), dial)
        )

    def _one_a_product(self, scored: Scored) -> Scored:
        """Only the first variant of each product."""
        return scored.take(self.index.products.first_places(scored.index))

    def _relaxed(self, course: Course, count: int) -> IntArray:
        """Up to `count` products outside of M that match any word and may be shown."""
        if count <= 0 or course.request.sort != RELEVANCE:
            return np.zeros(0, np.int64)
        found = any_word_items(self.index.words, course.understood.lexical, RELAXED_POOL)
        found = found[course.allowed[found] & ~course.matched.mask[found]]
        lead = self.index.products.lead
        found = found[~np.isin(lead[found], lead[course.matched.index])]
        return found[self.index.products.first_places(found)][:count]

    def _answer(
        self,
        course: Course,
        place: PageOrder,
        items: tuple[SearchItem, ...],
        relaxed: tuple[SearchItem, ...],
        rows: FeatureRows | None,
        fired: tuple[FiredRule, ...],
    ) -> SearchAnswer:
        request, understood, effects = course.request, course.understood, course.rules.effects
        cursor = self.pager.next_cursor(request, place, self.bundle_id, self._vocabulary)
        lost = (PAGES_NOT_STORED,) if cursor is not None and not place.kept else ()
        return SearchAnswer(
            request_id=request.request_id,
            query_id=place.query_id,
            user_id=request.user_id,
            bundle_id=self.bundle_id,
            at=course.now,
            query=request.query,
            rewritten=understood.text,
            rewrites=understood.rewrites,
            total=len(place.order),
            items=items,
            relaxed=relaxed,
            facets=self._facets(course),
            sort=request.sort,
            cursor=cursor,
            words_wanted=course.matched.wanted,
            words_matched=course.matched.least,
            redirect=effects.redirect,
            notes=effects.notes,
            rules=fired,
            rules_version=effects.version,
            features=feature_status(columns.SEARCH_SERVICE, (course.profile.rows, rows)),
            personalised=any(PERSONAL in item.parts for item in items),
            degraded=(*course.degraded, *lost, *self.recommender.effort.codes),
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
        return course.matched.open_mask & self._allowed(others, course.understood, course.rules)
