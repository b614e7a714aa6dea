"""A bundle's search indexes as a searcher: for the service, and for one search in the terminal."""

import logging
from pathlib import Path

from recsys.analysis.analyzer import Analyzer
from recsys.config import Settings
from recsys.errors import ArtifactError
from recsys.funnel.merchandising import RuleSource
from recsys.funnel.online_features import FeatureSource
from recsys.funnel.recommender import Recommender
from recsys.jobs.indexes.artifacts import KNOWLEDGE, LEXICAL, SUGGEST
from recsys.jobs.indexes.learned_orders import newest_order, open_order
from recsys.jobs.indexes.live_words import LiveWords, open_live_words
from recsys.jobs.indexes.timed_vectors import TimedVectors
from recsys.models.bundle import Bundle
from recsys.retrieval.text_index import TextIndex
from recsys.search.index import SearchIndex
from recsys.search.match_threshold import MatchThreshold
from recsys.search.pages import CursorCodec
from recsys.search.paging import Pager
from recsys.search.relevance.learned import LearnedOrder
from recsys.search.searcher import NO_RULES, NO_WORDS, Searcher
from recsys.search.shop_words import ShopWordsSource
from recsys.search.suggestions.build import suggest_index_from_arrays
from recsys.search.understanding.knowledge import knowledge_from_arrays
from recsys.stores.bundles.files import read_arrays
from recsys.stores.bundles.search_files import load_match_threshold
from recsys.stores.encoders.query_encoder_files import load_query_encoder
from recsys.stores.search.cursor_key import cursor_key
from recsys.stores.search.page_orders import RedisPageOrders

log = logging.getLogger(__name__)


class SearchLoader:
    """Opens the searchers of bundles; what they share, connections above all, is opened once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pages: RedisPageOrders | None = None
        self._words: list[LiveWords] = []

    def open(
        self,
        path: Path,
        recommender: Recommender,
        features: FeatureSource,
        rules: RuleSource | None = None,
        words: ShopWordsSource | None = None,
    ) -> Searcher | None:
        """The searcher of the bundle at `path`; None where it was made without search indexes.

        An index that cannot be opened is left out, and answers say so.

        Args:
            features: of columns.SEARCH_SERVICE.

        Raises:
            ConfigError: the key of cursors cannot be read.
        """
        bundle = recommender.bundle
        files = bundle.manifest.files
        if KNOWLEDGE not in files:
            return None
        index = self._open_words(path, bundle)
        knowledge = knowledge_from_arrays(read_arrays(path / KNOWLEDGE))
        meaning, threshold = _open_meaning(path, bundle)
        return Searcher(
            recommender=recommender,
            index=SearchIndex.of(bundle, None if index is None else index.view, meaning, threshold, index),
            knowledge=knowledge,
            vectors=None if meaning is None else self._vectors(path, bundle, threshold.encoder),
            pager=Pager(self._page_orders(), CursorCodec(cursor_key(self._settings))),
            settings=self._settings.search,
            features=features,
            learned=self._open_learned(bundle, knowledge.analyzer),
            suggestions=suggest_index_from_arrays(read_arrays(path / SUGGEST)),
            rules=NO_RULES if rules is None else rules,
            words=NO_WORDS if words is None else words,
        )

    def close(self) -> None:
        """Closes what is open: connections, working copies."""
        if self._pages is not None:
            self._pages.close()
        for words in self._words:
            words.close()
        self._words = []

    def _open_words(self, path: Path, bundle: Bundle) -> LiveWords | None:
        """The index of words, or None where it cannot be had.

        Of the bundles before, only the last keeps its copy: a change may still be under way there.
        """
        folder = self._settings.paths.search_indexes
        try:
            words = open_live_words(path, bundle.manifest, LEXICAL, bundle.items, folder)
        except (ArtifactError, OSError) as error:
            log.warning("search goes by meaning alone: %s", error)
            return None
        for old in self._words[:-1]:
            old.close()
        self._words = [*self._words[-1:], words]
        return words

    def _open_learned(self, bundle: Bundle, analyzer: Analyzer) -> LearnedOrder | None:
        """The newest order that was learned; None where there is none, or it cannot be read."""
        path = newest_order(self._settings.paths.search_rankers)
        try:
            return None if path is None else open_order(path, bundle.items, analyzer)
        except ArtifactError as error:
            log.warning("search goes by the first stage alone: %s", error)
            return None

    def _page_orders(self) -> RedisPageOrders:
        if self._pages is None:
            self._pages = RedisPageOrders.open(self._settings)
        return self._pages

    def _vectors(self, path: Path, bundle: Bundle, encoder: str) -> TimedVectors | None:
        try:
            queries = load_query_encoder(path, bundle.manifest.files, encoder, self._settings.text)
        except ArtifactError as error:
            log.warning("search goes by words alone: %s", error)
            return None
        return TimedVectors(queries, self._settings.search.meaning_seconds)


def _open_meaning(path: Path, bundle: Bundle) -> tuple[TextIndex | None, MatchThreshold]:
    threshold = load_match_threshold(path, bundle.manifest)
    if threshold is None:
        return None, MatchThreshold("cosine", (1.0,))
    return TextIndex(bundle.text_vectors), threshold
