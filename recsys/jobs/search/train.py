"""`recsys search train`: the order of search, learned from judged pairs of the shop's own items."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.arrays import FloatArray, IntArray
from recsys.atomic import creating_folder
from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.errors import ArtifactNotFoundError
from recsys.evaluation.search.judgments import judgments_on
from recsys.instants import utc_now
from recsys.jobs.preconditions import check_folder_writable
from recsys.jobs.recommend.answers import ask_storefront
from recsys.jobs.search.judged_files.judged_sets import ReadingOptions, read_judged_set
from recsys.progress import Progress, silent
from recsys.retrieval.term_rows import TermRows
from recsys.search.relevance.learned import RelevanceReader
from recsys.search.requests import SearchRequest
from recsys.search.storefront import Storefront
from recsys.stores.bundles.bundles import new_bundle_id
from recsys.stores.bundles.search_files import save_search_ranker
from recsys.training.search.ranker import RankingPairs, train_search_ranker


@dataclass(frozen=True)
class LearnedFrom:
    """What an order of search was learned from.

    Attributes:
        unknown: pairs whose item the catalog lacks; they teach nothing.
    """

    bundle_id: str
    queries: int
    pairs: int
    unknown: int
    folder: Path

    def to_json(self) -> JsonObject:
        """What `recsys search train` prints."""
        return {
            "bundle": self.bundle_id,
            "queries": self.queries,
            "pairs": self.pairs,
            "pairs of unknown items": self.unknown,
            "written to": str(self.folder),
        }


def train_search_order(
    settings: Settings,
    judgments: Path,
    queries: Path | None = None,
    options: ReadingOptions | None = None,
    part: str = "train",
    progress: Progress = silent,
) -> LearnedFrom:
    """Learns from the judged pairs and keeps the order in the home; what is loaded from now on uses it.

    Args:
        part: `train`, so that `recsys search evaluate --split test` measures on other queries; `all`, `test`.

    Raises:
        ArtifactError: no bundle is in production, or it has no search indexes.
        DataError: a file is damaged, or has too few pairs of the catalog's items.
    """
    check_folder_writable(settings.paths.home)
    judged = read_judged_set(judgments, queries, options or ReadingOptions())

    def learn(shop: Storefront) -> LearnedFrom:
        found = judgments_on(judged.pairs, shop.bundle.items.vocabulary).part(part)
        features = _features(shop, found.queries, found.offsets.tolist(), found.items, progress)
        pairs = RankingPairs(features, found.grades.astype(np.float32))
        ranker = train_search_ranker(pairs, source=f"{judgments.name}, {part}", progress=progress)
        folder = settings.paths.search_rankers / new_bundle_id("search", utc_now())
        with creating_folder(folder) as draft:
            save_search_ranker(ranker, draft)
        return LearnedFrom(
            shop.bundle.manifest.bundle_id, len(found.queries), len(found.items), found.not_in_catalog, folder
        )

    return ask_storefront(settings, None, learn)


def _features(
    shop: Storefront, queries: Sequence[str], offsets: Sequence[int], items: IntArray, progress: Progress
) -> FloatArray:
    """(P, F) of all pairs, as a search computes them."""
    searcher, now = shop.searcher(), utc_now()
    meaning = searcher.index.meaning
    if meaning is None:
        raise ArtifactNotFoundError(
            "the bundle in production has no text vectors to learn an order of search with. Import items "
            "with titles, then run `recsys train`."
        )
    titles = TermRows.build(shop.bundle.items.words_of_titles, searcher.knowledge.analyzer)
    reader = RelevanceReader(titles, searcher.knowledge.analyzer)
    parts = []
    with progress("features of judged pairs", len(queries)) as advance:
        for place, query in enumerate(queries):
            course = searcher.prepare(SearchRequest("train", query), now)
            index = items[offsets[place] : offsets[place + 1]]
            parts.append(reader.features(course, index, searcher.index.words, meaning))
            advance(1)
    return np.concatenate(parts)
