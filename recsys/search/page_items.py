"""Products of a page as they are shown: checked against the online store, with what they matched by."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recsys.analysis.analyzer import Analyzer
from recsys.arrays import BoolArray, IntArray
from recsys.filters import Filters
from recsys.funnel.catalog import Catalog, passes_now, prices_now
from recsys.funnel.online_features import FeatureRows
from recsys.search.answer import (
    BY_BOTH,
    BY_FILTERS,
    BY_MEANING,
    BY_POPULARITY,
    BY_WORDS,
    SEARCH_UNAVAILABLE,
    SearchItem,
)
from recsys.search.course import Course
from recsys.search.highlight import FieldMatch, Highlighter
from recsys.search.relevance.ordering import Scored

_NO_FILTERS = Filters()


@dataclass(frozen=True)
class PageItems:
    """Makes the items of one page.

    Attributes:
        near: (N + 1,) what is near in meaning.
        pinned: indexes that a rule put where they are.
    """

    course: Course
    scored: Scored
    catalog: Catalog
    highlighter: Highlighter
    near: BoolArray
    pinned: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls,
        course: Course,
        scored: Scored,
        catalog: Catalog,
        analyzer: Analyzer,
        pinned: frozenset[int] = frozenset(),
    ) -> "PageItems":
        """Those of `course`, whose items have these scores."""
        near = np.zeros(len(course.allowed), bool)
        if course.near is not None:
            near[course.near.index] = True
        highlighter = Highlighter(course.understood.lexical, analyzer)
        return cls(course, scored, catalog, highlighter, near, pinned)

    def shown(self, page: IntArray, offset: int, rows: FeatureRows | None) -> tuple[SearchItem, ...]:
        """The items at `page`, positions from `offset` + 1.

        Args:
            rows: their online views, by which they cost what they cost and are sold out; None: as indexed.
        """
        parts = self.scored.parts_of(page)
        prices = prices_now(self.catalog, page, rows).tolist()
        available = passes_now(self.catalog, page, _NO_FILTERS, rows).tolist()
        known = zip(page.tolist(), prices, available, strict=True)
        return tuple(
            self._item(index, offset + place, parts.get(index, {}), price, there)
            for place, (index, price, there) in enumerate(known, start=1)
        )

    def _item(
        self, index: int, position: int, parts: Mapping[str, float], price: int, available: bool
    ) -> SearchItem:
        items = self.catalog.items
        return SearchItem(
            position=position,
            item_id=items.vocabulary.ids[index],
            product_id=(items.products[index] or None) if items.products else None,
            title=items.titles[index],
            matches=self._matches(index),
            category=items.categories[index] or None,
            brand=items.brands[index] or None,
            price_micros=price if price > 0 else None,
            available=available,
            found_by=self._found_by(index),
            score=sum(parts.values()),
            parts=dict(parts),
            pinned=index in self.pinned,
        )

    def _matches(self, index: int) -> tuple[FieldMatch, ...]:
        items = self.catalog.items
        fields = {
            "title": items.titles[index],
            "category": items.categories[index],
            "brand": items.brands[index],
        }
        return self.highlighter.matches(fields)

    def _found_by(self, index: int) -> str:
        if SEARCH_UNAVAILABLE in self.course.degraded:
            return BY_POPULARITY
        if self.course.matched.least is None:
            return BY_FILTERS
        by_words = self.course.evidence.words[index] > 0
        if by_words and self.near[index]:
            return BY_BOTH
        return BY_WORDS if by_words or not self.near[index] else BY_MEANING
