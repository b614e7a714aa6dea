"""The first stage: the catalog, the network, neighbours and popularity, with an untrained fusion."""

from recsys.dataset.interactions import Interactions
from recsys.models.bundle import Bundle, Manifest
from recsys.models.fusion import untrained
from recsys.models.item_table import in_layout, item_words
from recsys.retrieval.neighbours import co_occurrence, neighbour_graph
from recsys.retrieval.popularity import item_events, popularity_at_end
from recsys.retrieval.text_neighbours import nearest_by_vector, nearest_by_words
from recsys.training.feature_reads import read_catalog
from recsys.training.job import TrainingJob
from recsys.training.retriever.loop import MONITOR, Validate
from recsys.training.stages.retriever_stage import train_retriever_stage

GRAPH_NEIGHBOURS = 100


def build_first_stage(
    job: TrainingJob, known: Interactions, manifest: Manifest, validate: Validate, monitor: str = MONITOR
) -> Bundle:
    """A bundle of all candidate sources and signals, its network trained, without a ranker.

    Fusion scores by its prior, and popularity is that of training's end.

    Args:
        known: the catalog is that of the instant after the last of these.
    """
    train, settings, info = job.split.train, job.settings.fusion, job.shop.info
    items, text_vectors = read_catalog(job.features, known.items, int(known.at.max()) + 1)
    neighbours, neighbour_scores = co_occurrence(train, GRAPH_NEIGHBOURS, progress=job.progress)
    graph = neighbour_graph(neighbours, neighbour_scores)
    retriever = train_retriever_stage(job, items, text_vectors, graph, validate, monitor)
    items = in_layout(items, retriever.vector_layout)  # a parent's, where there is one
    text_neighbours, text_scores = nearest_by_vector(
        retriever.item_tower.text.cpu().numpy(), settings.neighbours, job.progress
    )
    word_neighbours, word_scores = nearest_by_words(item_words(items), settings.neighbours, job.progress)
    return Bundle(
        manifest=manifest,
        items=items,
        retriever=retriever,
        item_vectors=retriever.item_vectors(),
        text_vectors=text_vectors,
        popularity=popularity_at_end(train),
        neighbours=neighbours[:, : settings.neighbours],
        neighbour_scores=neighbour_scores[:, : settings.neighbours],
        text_neighbours=text_neighbours,
        text_scores=text_scores,
        word_neighbours=word_neighbours,
        word_scores=word_scores,
        item_events=item_events(train),
        fusion=untrained(
            settings.hidden,
            scale=float(retriever.scale.detach()),
            clock=info.clock == "time",
            repeats=info.repeats,
            seed=settings.seed,
            without=tuple(part for part in settings.without if part != "learning"),
        ),
        ranker=None,
    )
