"""The first stage: the catalog, the network, neighbours and popularity, with an untrained fusion."""

from pathlib import Path

import numpy as np

from recsys.arrays import FloatArray
from recsys.dataset.interactions import Interactions
from recsys.dataset.item_table import ItemTable, in_layout, item_words, rows_without_text, some_lack_text
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.neighbours import Neighbours
from recsys.models.signals import SignalTables
from recsys.retrieval.item_cosine import item_cosines
from recsys.retrieval.neighbours import co_occurrence, neighbour_graph
from recsys.retrieval.popularity import item_events, popularity_at_end
from recsys.retrieval.text_neighbours import nearest_by_vector, nearest_by_words
from recsys.training.feature_reads import read_catalog
from recsys.training.job import TrainingJob
from recsys.training.retriever.loop import MONITOR, Validate
from recsys.training.stages.retriever_stage import train_retriever_stage

GRAPH_NEIGHBOURS = 100


def build_first_stage(
    job: TrainingJob,
    known: Interactions,
    manifest: Manifest,
    validate: Validate,
    folder: Path,
    monitor: str = MONITOR,
) -> Bundle:
    """A bundle of all candidate sources and signals, its network trained, without a ranker.

    Fusion scores by its prior, and popularity is that of training's end.

    Args:
        known: the catalog is that of the instant after the last of these.
        folder: for the network's checkpoints and curves.
    """
    train, settings, info = job.split.train, job.settings.fusion, job.shop.info
    items, text_vectors = read_catalog(job.features, known.items, int(known.at.max()) + 1, job.progress)
    together = Neighbours(*co_occurrence(train, GRAPH_NEIGHBOURS, progress=job.progress))
    graph = neighbour_graph(together.index, together.score)
    retriever = train_retriever_stage(job, items, text_vectors, graph, validate, folder, monitor)
    items = in_layout(items, retriever.vector_layout)  # a parent's, where there is one
    texts = retriever.item_tower.text.cpu().numpy()
    by_text, by_words = _text_neighbours(job, items, texts)
    tables = SignalTables(
        co_occurrence=together.first(settings.neighbours),
        item_cosine=Neighbours(*item_cosines(train, settings.neighbours, job.progress)),
        text=by_text,
        words=by_words,
        item_vectors=retriever.item_vectors(),
        item_events=item_events(train),
        popularity=popularity_at_end(train),
        text_missing=rows_without_text(texts),
    )
    return Bundle(
        manifest=manifest,
        items=items,
        retriever=retriever,
        text_vectors=text_vectors,
        signal_tables=tables,
        fusion=initial_fusion(
            settings.hidden,
            scale=float(retriever.scale.detach()),
            clock=info.clock == "time",
            repeats=info.repeats,
            seed=settings.seed,
            without=tuple(part for part in settings.without if part != "learning"),
            text_missing=some_lack_text(texts),
        ),
        ranker=None,
    )


def _text_neighbours(job: TrainingJob, items: ItemTable, texts: FloatArray) -> tuple[Neighbours, Neighbours]:
    """Neighbours by the texts' vectors (N + 1, T) and by words; the parent's where the texts are the same."""
    count, words = job.settings.fusion.neighbours, item_words(items)
    if job.parent is not None:
        tables = job.parent.signal_tables
        same_width = tables.text.index.shape[1] == tables.words.index.shape[1] == count
        before = job.parent.retriever.item_tower.text.cpu().numpy()
        if same_width and item_words(job.parent.items) == words and np.array_equal(before, texts):
            return tables.text, tables.words
    return (
        Neighbours(*nearest_by_vector(texts, count, job.progress)),
        Neighbours(*nearest_by_words(words, count, job.progress)),
    )
