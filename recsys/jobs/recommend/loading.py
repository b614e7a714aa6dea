"""A registered bundle as what answers: for the service, and for one answer in the terminal."""

import time

import faiss
import torch
from threadpoolctl import threadpool_limits

from recsys import columns
from recsys.config import Settings
from recsys.errors import StoreUnavailableError
from recsys.funnel.merchandising import RuleSource
from recsys.funnel.online_features import CircuitBreaker
from recsys.funnel.recommender import Recommender
from recsys.funnel.snapshot import SnapshotLog
from recsys.instants import utc_now
from recsys.jobs.indexes.loading import SearchLoader
from recsys.jobs.promotion.bundle_check import schema_hashes
from recsys.models.retriever.retriever import Retriever
from recsys.search.shop_words import ShopWordsSource
from recsys.search.storefront import Storefront
from recsys.service_settings import ServingSettings
from recsys.stores.bundles.bundles import load_bundle, load_manifest
from recsys.stores.features.online_reader import FeatureReader
from recsys.stores.registry.records import BundleRecord

NO_BUNDLE = "no bundle is in production. Run `recsys train`, then `recsys models promote ID`."


class BundleLoader:
    """Makes a warm storefront of a bundle; the online features are opened with the first.

    Args:
        snapshots: takes what each recommendation read; None where that is not audited.
        rules: the shop's; None = none. words: its synonyms and what it never suggests; None = none.
    """

    def __init__(
        self,
        settings: Settings,
        snapshots: SnapshotLog | None = None,
        rules: RuleSource | None = None,
        words: ShopWordsSource | None = None,
    ) -> None:
        self._settings = settings
        self._words = words
        self._rules = rules
        self._snapshots = snapshots
        self._sources: dict[str, CircuitBreaker] = {}  # by FeatureService
        self._searchers = SearchLoader(settings)

    def close(self) -> None:
        """Closes what the searchers hold: working copies of indexes, connections."""
        self._searchers.close()

    def __call__(self, record: BundleRecord) -> Storefront:
        """What answers by `record`: recommendation, and search where the bundle has its indexes.

        Raises:
            ArtifactError: it is not there, was changed, or was made for other features.
            ConfigError: the feature repository is not applied.
        """
        recommender = self.recommender(record)
        features = self._source(columns.SEARCH_SERVICE)
        searcher = self._searchers.open(record.path, recommender, features, self._rules, self._words)
        return Storefront.of(recommender, searcher)

    def recommender(self, record: BundleRecord) -> Recommender:
        """What recommends by `record`, warm; without search, so that searches move nothing.

        Raises as `__call__`.
        """
        services = load_manifest(record.path).services
        bundle = load_bundle(record.path, schema_hashes(self._settings, services))
        serving = self._settings.serving
        if torch.cuda.is_available():
            move_to_gpu(bundle.retriever, serving)
        # What users searched for is read along, and in one round trip: it moves their recommendations.
        ranking = self._source(columns.RANKING_SERVICE, columns.SEARCH_SERVICE)
        recommender = Recommender(bundle, ranking, serving, self._snapshots, self._rules)
        recommender.warm_up(utc_now())
        return recommender

    @property
    def failure(self) -> StoreUnavailableError | None:
        """Why the last read of online features failed; None where it did not."""
        return next((source.failure for source in self._sources.values() if source.failure), None)

    def _source(self, service: str, also_of_users: str | None = None) -> CircuitBreaker:
        if service not in self._sources:
            reader = FeatureReader.open(self._settings, service, also_of_users)
            retry_seconds = self._settings.serving.feature_retry_seconds
            self._sources[service] = CircuitBreaker(reader, time.monotonic, retry_seconds)
        return self._sources[service]


def move_to_gpu(retriever: Retriever, serving: ServingSettings, device: str = "cuda") -> None:
    """Puts `retriever` on the GPU, where requests of several threads are computed together.

    On a processor a batch takes as long as its requests one by one, so that waiting gains nothing there.
    """
    retriever.to(device)
    retriever.batch_requests(serving.gpu_wait_seconds, serving.workers)


def set_threads(threads: int) -> None:
    """Sets the threads that torch and faiss use when called from this thread: OpenMP counts by thread.

    And those of numpy's products, for the whole process.
    """
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
