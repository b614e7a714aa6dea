"""`recsys search train`: the order of search, learned from judged pairs."""

from dataclasses import dataclass
from pathlib import Path

from recsys.arrays import FloatArray, IntArray
from recsys.atomic import creating_folder
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ArtifactNotFoundError, ConfigError
from recsys.evaluation.search.judgments import Judgments, judgments_on
from recsys.instants import utc_now
from recsys.jobs.preconditions import check_folder_writable
from recsys.jobs.recommend.answers import ask_storefront
from recsys.jobs.search.evaluation.evaluate import SearchTest, check_test, open_test, read_pairs
from recsys.jobs.search.evaluation.evaluation_rows import open_indexes, searched_catalog
from recsys.jobs.search.evaluation.learn_order import SearchedCatalog, learn_order
from recsys.progress import Progress, silent
from recsys.search.relevance.known_items import known_of_items
from recsys.search.relevance.learned import RelevanceReader
from recsys.search.requests import SearchRequest
from recsys.search.storefront import Storefront
from recsys.stores.bundles.bundles import new_bundle_id
from recsys.stores.bundles.search_files import save_search_ranker
from recsys.training.search.ranker import SearchRankerSettings


@dataclass(frozen=True)
class LearnedFrom:
    """What an order of search was learned from.

    Attributes:
        source: the bundle or the items that features were computed of.
        unknown: pairs whose item the catalog lacks; they teach nothing.
        first_stage: how much the first-stage score counts in the order, see `learn_order`.
    """

    source: str
    queries: int
    pairs: int
    unknown: int
    first_stage: float
    folder: Path

    def to_json(self) -> JsonObject:
        """What `recsys search train` prints."""
        return {
            "features of": self.source,
            "queries": self.queries,
            "pairs": self.pairs,
            "pairs of unknown items": self.unknown,
            "share of the first stage": self.first_stage,
            "written to": str(self.folder),
        }


def train_search_order(
    settings: Settings,
    test: SearchTest,
    *,
    portable: bool = False,
    out: Path | None = None,
    progress: Progress = silent,
) -> LearnedFrom:
    """Learns from the judged pairs of `test.part` and keeps the order; what is loaded from now on uses it.

    Args:
        test: the judgments, and the items where they are not the shop's.
        portable: read only features that mean the same on every shop and with every encoder.
        out: a new folder to keep the order in, where nothing uses it; None = the home.

    Raises:
        ArtifactError: no bundle is in production, or it has no search indexes.
        ConfigError: `out` is there already.
        DataError: a file is damaged, or has too few pairs of the catalog's items.
    """
    check_test(test)
    if out is not None and out.exists():
        raise ConfigError(f"{out} is there already. Name a new folder as --out.")
    check_folder_writable(settings.paths.home if out is None else out.absolute().parent)
    folder = out or settings.paths.search_rankers / new_bundle_id("search", utc_now())
    chosen = SearchRankerSettings(portable=portable)

    def learn(source: str, judged: Judgments, catalog: SearchedCatalog) -> LearnedFrom:
        judgments = judged.part(test.part)
        name = test.judgments.name if test.judgments else "clicks"
        ranker = learn_order(judgments, catalog, chosen, f"{name}, {test.part}", progress)
        with creating_folder(folder) as draft:
            save_search_ranker(ranker, draft)
        unknown, share = judgments.not_in_catalog, ranker.first_stage
        return LearnedFrom(source, len(judgments), len(judgments.items), unknown, share, folder)

    if test.items is not None:
        items, judged, _ = open_test(settings, test)
        with open_indexes(settings, items, test.encoder, progress) as (indexes, _):
            return learn(items.source, judged, searched_catalog(indexes))
    pairs, _ = read_pairs(settings, test)

    def learn_served(shop: Storefront) -> LearnedFrom:
        judged = judgments_on(pairs, shop.bundle.items.vocabulary)
        return learn(shop.bundle.manifest.bundle_id, judged, _served_catalog(shop))

    return ask_storefront(settings, None, learn_served)


def _served_catalog(shop: Storefront) -> SearchedCatalog:
    """Features and candidates as a search has them.

    Raises:
        ArtifactNotFoundError: the bundle has no text vectors.
    """
    searcher, now = shop.searcher(), utc_now()
    meaning = searcher.index.meaning
    if meaning is None:
        raise ArtifactNotFoundError(
            "the bundle in production has no text vectors to learn an order of search with. Import items "
            "with titles, then run `recsys train`."
        )
    catalog = searcher.recommender.catalog
    reader = RelevanceReader.of(catalog.items, searcher.knowledge.analyzer)

    def features(query: str, items: IntArray) -> FloatArray:
        course = searcher.prepare(SearchRequest("train", query), now)
        known = known_of_items(catalog, items, now)
        return reader.features(course.understood, course.vector, items, searcher.index.words, meaning, known)

    def candidates(query: str) -> tuple[IntArray, FloatArray]:
        first = searcher.first_stage(searcher.prepare(SearchRequest("train", query), now)).best_first()
        return first.index, first.scores

    return SearchedCatalog(features, candidates)
