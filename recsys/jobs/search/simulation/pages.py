"""What answers simulated shoppers without the service: a searcher, or a row of an evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

import numpy as np

from recsys.arrays import IntArray
from recsys.errors import ConfigError
from recsys.evaluation.search.rows import SearchRow
from recsys.filters import filters_from_json
from recsys.search.requests import SearchRequest
from recsys.search.searcher import Searcher
from recsys.search.suggestions.answer import SuggestRequest
from recsys.simulation.searches import Question, SearchPage

DEPTH = 40


@dataclass
class SearcherPages:
    """A searcher as POST /v1/search has it: rules, spelling, stock and taste included; nothing is logged.

    Attributes:
        now: the clock. personalisation: None = the searcher's setting.
    """

    searcher: Searcher
    now: Callable[[], datetime]
    personalisation: float | None = None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def search(self, question: Question) -> SearchPage:
        """A page of results."""
        request = SearchRequest(
            request_id=f"sim-answer-{next(self._numbers)}",
            query=question.query,
            user_id=question.user_id,
            session_id=question.session_id,
            k=question.size,
            cursor=question.cursor,
            filters=filters_from_json(question.filters or {}),
            personalisation=self.personalisation,
        )
        answer = self.searcher.search(request, self.now())
        return SearchPage(
            answer.request_id,
            answer.query_id,
            tuple(item.item_id for item in (*answer.items, *answer.relaxed)),
            answer.total,
            answer.cursor,
            answer.degraded,
        )

    async def suggest(self, typed: str, user_id: str) -> tuple[str, ...]:
        """Queries to type on."""
        answer = self.searcher.suggest(SuggestRequest("sim-suggest", typed, user_id))
        return tuple(each.query for each in answer.queries)


@dataclass
class RowPages:
    """A way to search of `recsys search evaluate`, built from the catalog alone; each query is ranked once.

    It knows no filters, no suggestions and no more than `DEPTH` items of a query.

    Attributes:
        ids: (N + 1,) item ids by the row's item indexes.
    """

    row: SearchRow
    ids: Sequence[str]
    _ranked: dict[str, IntArray] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def search(self, question: Question) -> SearchPage:
        """A page of results; the cursor is its query_id and how many are above.

        Raises:
            ConfigError: the question has filters.
        """
        if question.filters:
            raise ConfigError(
                f"the row {self.row.name} knows no filters (got {question.filters}). Simulate with "
                "filter_share=0, or search in a bundle."
            )
        found = self.ranked(question.query)
        request_id = f"sim-answer-{next(self._numbers)}"
        query_id, _, above = (question.cursor or f"{request_id} 0").partition(" ")
        first, last = int(above), int(above) + question.size
        cursor = f"{query_id} {last}" if last < len(found) else None
        shown = tuple(self.ids[item] for item in found[first:last].tolist())
        return SearchPage(request_id, query_id, shown, len(found), cursor)

    async def suggest(self, typed: str, user_id: str) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def ranked(self, query: str) -> IntArray:
        """The first `DEPTH` items for a query."""
        if query not in self._ranked:
            found = self.row.rank([query], DEPTH).items[0]
            self._ranked[query] = np.asarray(found[found > 0], np.int64)
        return self._ranked[query]
