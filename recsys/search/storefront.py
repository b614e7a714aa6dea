"""What answers in a shop: recommendation and search over one bundle and one state of the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recsys.arrays import DoubleArray
from recsys.errors import ArtifactNotFoundError
from recsys.funnel.recommender import Recommender
from recsys.funnel.requests import Effort
from recsys.models.bundle import Bundle
from recsys.models.bundle_update import ItemChange
from recsys.retrieval.popularity import LivePopularity
from recsys.retrieval.recent_searches import QueryMeanings
from recsys.search.effort import searcher_with_effort
from recsys.search.relevance.learned import LearnedOrder
from recsys.search.searcher import Searcher

NO_SEARCH = (
    "this bundle was trained without search indexes. Run `recsys train`, or `recsys train --search-only`."
)


@dataclass(frozen=True)
class Storefront:
    """A recommender and the searcher that shares its bundle, catalog, features and rules. Immutable.

    Attributes:
        search: None where the bundle has no search indexes.
    """

    recommender: Recommender
    search: Searcher | None = None

    @classmethod
    def of(cls, recommender: Recommender, search: Searcher | None) -> "Storefront":
        """Both over one catalog; what users search for moves recommendations by the searcher's texts."""
        if search is None:
            return cls(recommender)
        texts, vectors = search.index.meaning, search.vectors
        if texts is not None and vectors is not None:
            recommender = recommender.with_meanings(QueryMeanings(vectors, texts))
        return cls(recommender, replace(search, recommender=recommender))

    @property
    def bundle(self) -> Bundle:
        """What it answers from."""
        return self.recommender.bundle

    @property
    def version(self) -> int:
        """Changes of the catalog up to this one are known, 0 = none."""
        return self.recommender.version

    def searcher(self) -> Searcher:
        """What answers searches.

        Raises:
            ArtifactNotFoundError: the bundle has no search indexes.
        """
        if self.search is None:
            raise ArtifactNotFoundError(NO_SEARCH)
        return self.search

    def with_changes(self, changes: Sequence[ItemChange], version: int) -> "Storefront":
        """As `Recommender.with_changes`, for both."""
        recommender = self.recommender.with_changes(changes, version)
        search = None if self.search is None else self.search.with_changes(recommender, changes)
        return Storefront.of(recommender, search)

    def with_effort(self, effort: Effort) -> "Storefront":
        """The same that does only what `effort` says for an answer, and says so in `degraded`."""
        if effort is Effort.FULL:
            return self
        recommender = self.recommender.with_effort(effort)
        return Storefront(recommender, self.search and searcher_with_effort(self.search, recommender))

    def with_order(self, order: LearnedOrder) -> "Storefront":
        """The same with another learned order of search."""
        return Storefront(self.recommender, self.search and replace(self.search, learned=order))

    def with_popularity(self, popularity: DoubleArray | LivePopularity) -> "Storefront":
        """As `Recommender.with_popularity`, for both."""
        recommender = self.recommender.with_popularity(popularity)
        return Storefront(recommender, self.search and replace(self.search, recommender=recommender))
