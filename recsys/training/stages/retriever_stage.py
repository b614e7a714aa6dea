"""The network: built anew or taken on from a parent bundle, and trained on the training part."""

from pathlib import Path

import numpy as np
from scipy import sparse

from recsys.arrays import FloatArray
from recsys.dataset.batches import training_data, training_windows
from recsys.dataset.item_table import ItemTable
from recsys.instants import DAY
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever
from recsys.retrieval.popularity import item_events
from recsys.training.feature_reads import read_histories
from recsys.training.job import TrainingJob
from recsys.training.retriever.loop import MONITOR, Validate, train_retriever
from recsys.training.retriever.warm_start import (
    choose_windows,
    incremental_settings,
    trained_until,
    warm_start,
)

YEAR_MICROS = 365 * DAY


def train_retriever_stage(
    job: TrainingJob,
    items: ItemTable,
    text_vectors: FloatArray,
    graph: sparse.csr_matrix,
    validate: Validate,
    folder: Path,
    monitor: str = MONITOR,
) -> Retriever:
    """The trained retriever over the catalog `items`; its checkpoints and curves are left in `folder`.

    Args:
        text_vectors: (N + 1, E). graph: (N + 1, N + 1) co-occurrence, where new item vectors begin.
        monitor: the metric of `validate` that chooses the best epoch.
    """
    train, settings, clock = job.split.train, job.settings.retriever, job.shop.info.clock == "time"
    season = int(train.at.max()) - int(train.at.min()) >= 2 * YEAR_MICROS
    if job.parent is None:
        retriever = build_retriever(settings, items, text_vectors, graph, clock=clock, season=season)
        windows = training_windows(train, settings.history_length)
    else:
        settings = incremental_settings(settings, job.settings.incremental, job.parent)
        retriever = warm_start(job.parent, items, text_vectors)
        windows = training_windows(train, settings.history_length)
        since, replay = trained_until(job.parent.manifest), job.settings.incremental.replay
        windows = choose_windows(windows, train, since, replay, np.random.default_rng(settings.seed))
    histories = read_histories(
        job.features,
        job.shop.interactions,
        windows.user_index,
        windows.at,
        settings.history_length,
        job.progress,
    )
    data = training_data(histories, train, windows)
    train_retriever(
        retriever,
        data,
        settings,
        folder,
        validate,
        progress=job.progress,
        monitor=monitor,
        processes=job.processes,
    )
    retriever.shrink_cold_residuals(item_events(train))
    return retriever
