"""A bundle of the catalog alone: texts and popularity, an untrained network, no ranker."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recsys.arrays import FloatArray
from recsys.config import Settings
from recsys.dataset.info import DatasetInfo
from recsys.dataset.interactions import Interactions
from recsys.dataset.item_table import ItemTable, item_words, rows_without_text, some_lack_text
from recsys.errors import DataError
from recsys.instants import from_micros
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.manifest import SEARCH_ONLY, Manifest
from recsys.models.neighbours import Neighbours
from recsys.models.orders import (
    COSINES,
    NEIGHBOURS_AND_TEXT,
    NO_HISTORY,
    RECENT_POPULARITY,
    REPEATS_KEPT,
    REPEATS_REMOVED,
    SIMILAR,
    OrderChoice,
)
from recsys.models.retriever.build import build_retriever
from recsys.models.signals import SignalTables
from recsys.progress import Progress, silent
from recsys.retrieval.popularity import item_events, popularity_at_end
from recsys.retrieval.text_neighbours import nearest_by_vector, nearest_by_words
from recsys.training.feature_reads import TrainingFeatures, read_catalog
from recsys.training.job import SECTIONS, SERVICES

# Nothing is learned, so each kind of request has the order that needs nothing learned.
ORDERS = {
    REPEATS_KEPT: NEIGHBOURS_AND_TEXT,
    REPEATS_REMOVED: NEIGHBOURS_AND_TEXT,
    NO_HISTORY: RECENT_POPULARITY,
    SIMILAR: COSINES,
}


@dataclass(frozen=True)
class SearchOnlyJob:
    """What a bundle for search is made of.

    Attributes:
        info: of the imported shop.
        actions: what users did, for popularity; their item vocabulary is the catalog's. May be empty.
        catalog_at: microseconds, the catalog is that of this instant.
        text_precision: of the text vectors.
    """

    info: DatasetInfo
    actions: Interactions
    features: TrainingFeatures
    settings: Settings
    catalog_at: int
    progress: Progress = silent
    text_precision: str = "float32"


def build_search_bundle(
    job: SearchOnlyJob, bundle_id: str, now: datetime, git_revision: str | None = None
) -> Bundle:
    """The bundle; it answers requests by what is similar in text to context and history, and by popularity.

    Where there are no events either, items come in the order of the catalog.

    Raises:
        DataError: the catalog is empty.
    """
    if len(job.actions.items) < 2:
        raise DataError(f"{job.info.name} has no items. Check `files` of [items] and import again.")
    items, text_vectors = read_catalog(job.features, job.actions.items, job.catalog_at, job.progress)
    clock = job.info.clock == "time"
    retriever = build_retriever(job.settings.retriever, items, text_vectors, None, clock=clock)
    texts = retriever.item_tower.text.cpu().numpy()
    settings = job.settings.fusion
    left_out = (*(part for part in settings.without if part != "learning"), "network")
    return Bundle(
        manifest=_manifest(job, bundle_id, now, git_revision),
        items=items,
        retriever=retriever,
        text_vectors=text_vectors,
        signal_tables=_signal_tables(job, items, texts, retriever.item_vectors()),
        fusion=initial_fusion(
            settings.hidden,
            scale=float(retriever.scale.detach()),
            clock=clock,
            repeats=job.info.repeats,
            seed=settings.seed,
            without=tuple(dict.fromkeys(left_out)),
            text_missing=some_lack_text(texts),
        ),
        ranker=None,
    )


def _signal_tables(
    job: SearchOnlyJob, items: ItemTable, texts: FloatArray, item_vectors: FloatArray
) -> SignalTables:
    count, size = job.settings.fusion.neighbours, len(items)
    nothing = Neighbours(np.zeros((size, 1), np.int32), np.zeros((size, 1), np.float32))
    some = len(job.actions)
    return SignalTables(
        co_occurrence=nothing,
        item_cosine=nothing,
        text=Neighbours(*nearest_by_vector(texts, count, job.progress)),
        words=Neighbours(*nearest_by_words(item_words(items), count, job.progress)),
        item_vectors=item_vectors,
        item_events=item_events(job.actions),
        popularity=popularity_at_end(job.actions) if some else np.zeros(size, np.float32),
        text_missing=rows_without_text(texts),
    )


def _manifest(job: SearchOnlyJob, bundle_id: str, now: datetime, git_revision: str | None) -> Manifest:
    info, at = job.info, job.actions.at
    return Manifest(
        bundle_id=bundle_id,
        created_at=now,
        dataset=info.name,
        protocol="all",
        repeats=info.repeats,
        services={service: job.features.schema_hash(service) for service in SERVICES},
        data_start=from_micros(int(at.min())) if len(at) else info.start,
        data_end=from_micros(int(at.max())) if len(at) else info.end,
        users=len(np.unique(job.actions.user_index)),
        items=len(job.actions.items) - 1,
        encoder=job.settings.text.encoder,
        text_precision=job.text_precision,
        settings=job.settings.model_dump(mode="json", include=SECTIONS),
        metrics={},
        git_revision=git_revision,
        orders={kind: _unjudged(order) for kind, order in ORDERS.items()},
        no_ranker=SEARCH_ONLY,
        search_only=True,
    )


def _unjudged(order: str) -> OrderChoice:
    """The choice of an order that nothing was compared with."""
    nothing = float("nan")
    return OrderChoice(
        order=order,
        metric="none",
        value=nothing,
        baseline=order,
        baseline_value=nothing,
        difference=nothing,
        low=nothing,
        high=nothing,
        questions=0,
    )
