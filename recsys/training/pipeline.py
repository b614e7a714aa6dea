"""From an imported shop to a bundle, top to bottom: labels, point-in-time sets, models, bundle."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy import sparse

from recsys import columns
from recsys.arrays import FloatArray, IntArray
from recsys.config import Settings
from recsys.dataset.batches import training_data, training_windows
from recsys.dataset.feedback import Feedback
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.item_table import ItemTable, in_layout, item_words
from recsys.dataset.shop import Shop
from recsys.dataset.split import DAY_MICROS, Split
from recsys.evaluation.rankings import rank
from recsys.funnel.offline import candidate_lists, candidate_signals
from recsys.metrics import hits_at, ndcg, recall, target_ranks
from recsys.models.bundle import Bundle
from recsys.models.fusion import initial_fusion
from recsys.models.manifest import Manifest
from recsys.models.neighbours import Neighbours
from recsys.models.retriever.build import build_retriever
from recsys.models.retriever.retriever import Retriever
from recsys.models.signals import SignalTables
from recsys.progress import Progress, silent
from recsys.retrieval.neighbours import co_occurrence, neighbour_graph
from recsys.retrieval.popularity import item_events, popularity_at_end
from recsys.retrieval.text_neighbours import nearest_by_vector, nearest_by_words
from recsys.training.feature_reads import (
    TrainingFeatures,
    read_catalog,
    read_histories,
    read_ranking_features,
)
from recsys.training.feedback_requests import feedback_data, sampled
from recsys.training.fusion import train_fusion
from recsys.training.ranker import train_ranker
from recsys.training.requests import RankingData, join_data, labels_of, ranking_cases, target_counts
from recsys.training.retriever.distributed import ALONE, Team
from recsys.training.retriever.loop import MONITOR, train_retriever
from recsys.training.retriever.warm_start import (
    incremental_settings,
    new_and_replayed,
    trained_until,
    warm_start,
)
from recsys.training.scorers import RetrieverScorer, seen_lists

SERVICES = (columns.RETRIEVAL_SERVICE, columns.CATALOG_SERVICE, columns.RANKING_SERVICE)
SECTIONS = {"text", "retriever", "fusion", "ranker", "evaluation"}  # that a bundle depends on
GRAPH_NEIGHBOURS = 100
VALIDATION_CASES = 2000
YEAR_MICROS = 365 * DAY_MICROS

Validate = Callable[[Retriever], dict[str, float]]
Watch = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class Job:
    """What one training run works with; `features` is the only way to the feature store.

    Attributes:
        feedback: responses of the validation period, if any were logged.
        parent: the bundle to go on from; None = begin anew.
        watch: told what validation says after each epoch of the retriever; what it raises ends the run.
        with_ranker: whether there is to be a second stage, if the data has a clock.
        team: the processes that share the retriever's steps.
    """

    shop: Shop
    split: Split
    features: TrainingFeatures
    settings: Settings
    run_dir: Path
    progress: Progress = silent
    feedback: Feedback | None = None
    parent: Bundle | None = None
    watch: Watch | None = None
    with_ranker: bool = True
    team: Team = ALONE


def train_bundle(job: Job, bundle_id: str, now: datetime, git_revision: str | None = None) -> Bundle:
    """The trained bundle; checkpoints and learning curves are left in `job.run_dir`.

    The retriever learns from `split.train`, the ranker from questions asked in the validation period,
    which the retriever has not seen. Nothing learns from the test part.
    """
    interactions, split = job.shop.interactions, job.split
    known = known_before_test(interactions, split)
    validate = _validator(job)
    manifest = manifest_of(job, known, bundle_id, now, git_revision)
    # The lessons' first stage must know nothing of the period that they are from.
    early = with_untrained_fusion(job, known, manifest, _watched(validate, job.watch))
    bundle = early.with_arrays(popularity=popularity_at_end(known))
    if "learning" not in job.settings.fusion.without:
        _train_fusion(job, early)
    if job.shop.info.clock == "time" and job.with_ranker:
        data = ranking_data(job, early)
        ranker, curves = train_ranker(
            data.features, data.labels, data.mask, job.settings.ranker, data.users, job.progress
        )
        curves.save(job.run_dir / "ranker")
        curves.draw(job.run_dir / "ranker")
        bundle = replace(bundle, ranker=ranker)
    metrics = {f"validation_{name}": value for name, value in validate(bundle.retriever).items()}
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"metrics": metrics}))


def known_before_test(interactions: Interactions, split: Split) -> Interactions:
    """The actions that a model may have seen when the test is asked: training and validation.

    Under leave-one-out only the training part, which is the classic protocol: models are fitted without
    anybody's validation item.
    """
    if split.train_end is None:
        return split.train
    return interactions.take(interactions.at < test_start(interactions, split))


def test_start(interactions: Interactions, split: Split) -> int:
    """The instant, microseconds, at which a cut through time asks; after the last action if it never does."""
    return int(split.test.at[0]) if len(split.test) else int(interactions.at.max()) + 1


def with_untrained_fusion(
    job: Job, known: Interactions, manifest: Manifest, validate: Validate, monitor: str = MONITOR
) -> Bundle:
    """A bundle of all experts, trained; fusion answers by its prior, popularity is that of training's end.

    Args:
        known: the catalog is that of the instant after the last of these.
    """
    train, settings, info = job.split.train, job.settings.fusion, job.shop.info
    items, text_vectors = read_catalog(job.features, known.items, int(known.at.max()) + 1)
    together = Neighbours(*co_occurrence(train, GRAPH_NEIGHBOURS, progress=job.progress))
    graph = neighbour_graph(together.index, together.score)
    retriever = _trained_retriever(job, items, text_vectors, graph, validate, monitor)
    items = in_layout(items, retriever.vector_layout)  # a parent's, where there is one
    texts = retriever.item_tower.text.cpu().numpy()
    tables = SignalTables(
        co_occurrence=together.first(settings.neighbours),
        text=Neighbours(*nearest_by_vector(texts, settings.neighbours, job.progress)),
        words=Neighbours(*nearest_by_words(item_words(items), settings.neighbours, job.progress)),
        item_vectors=retriever.item_vectors(),
        item_events=item_events(train),
        popularity=popularity_at_end(train),
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
        ),
        ranker=None,
    )


def _train_fusion(job: Job, bundle: Bundle) -> None:
    """Trains the bundle's fusion in place on questions of the validation period.

    Where people buy again each question is asked twice: what comes next, and what comes next that is new.
    Service is asked for both, and the second would drown in the first.
    """
    shop, settings = job.shop, job.settings.fusion
    cases = ranking_cases(
        shop.interactions, job.split, np.random.default_rng(settings.seed), settings.requests
    )
    histories = read_histories(
        job.features, shop.interactions, cases.user_index, cases.at, columns.HISTORY_LENGTH
    )
    seen = seen_lists(shop.interactions, cases)
    parts = []
    for without in (None, seen) if shop.info.repeats else (seen,):
        for rows, past in _as_of(job, bundle, cases):
            kept = without and [without[row] for row in rows]
            asked = cases.take(rows)
            candidates, signals = candidate_signals(
                past, histories.take(rows), kept, settings.candidates, job.progress
            )
            labels, targets = labels_of(asked, candidates), target_counts(asked, kept)
            parts.append((signals, labels, candidates > 0, targets, asked.user_index))
    signals, labels, mask, targets, users = (np.concatenate(part) for part in zip(*parts, strict=True))
    del parts  # a large shop's are a gigabyte
    curves = train_fusion(bundle.fusion, signals, labels, mask, targets, settings, users, job.progress)
    curves.save(job.run_dir / "fusion")
    curves.draw(job.run_dir / "fusion")


def ranking_data(job: Job, bundle: Bundle) -> RankingData:
    """The ranker's training set: candidates of the served funnel, features strictly before each question.

    Responses that were really shown come on top, as many as there are questions at most.
    """
    settings = job.settings.ranker
    rng = np.random.default_rng(settings.seed)
    cases = ranking_cases(job.shop.interactions, job.split, rng, settings.requests)
    histories = read_histories(
        job.features, job.shop.interactions, cases.user_index, cases.at, columns.HISTORY_LENGTH
    )
    seen = None if job.shop.info.repeats else seen_lists(job.shop.interactions, cases)
    parts = [
        candidate_lists(
            past,
            histories.take(rows),
            seen and [seen[row] for row in rows],
            settings.candidates,
            job.progress,
        )
        for rows, past in _as_of(job, bundle, cases)
    ]
    candidates, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    features = read_ranking_features(job.features, job.shop.interactions, cases, candidates)
    data = RankingData(
        features=np.concatenate([features, scores[:, :, None]], axis=2),
        labels=labels_of(cases, candidates),
        mask=candidates > 0,
        users=cases.user_index,
    )
    if job.feedback is None or not len(job.feedback):
        return data
    rows = sampled(job.feedback, settings.requests, rng)
    shown = feedback_data(
        job.features, job.shop.interactions, job.feedback, rows, bundle, settings.candidates
    )
    return join_data([data, shown])


def _as_of(job: Job, bundle: Bundle, cases: EvalCases) -> Iterator[tuple[IntArray, Bundle]]:
    """Rows of `cases`, in order, and the bundle with the popularity of their instant.

    Where every case has an instant of its own, as under leave-one-out, that of training's end does for all.
    """
    edges = np.append(0, np.flatnonzero(np.diff(cases.at)) + 1)
    if job.split.train_end is None:
        edges = edges[:1]
    for start, stop in zip(edges, np.append(edges[1:], len(cases)), strict=True):
        past = bundle
        if job.split.train_end is not None:
            before = job.shop.interactions.take(job.shop.interactions.at < cases.at[start])
            past = bundle.with_arrays(popularity=popularity_at_end(before))
        yield np.arange(start, stop), past


def _trained_retriever(
    job: Job,
    items: ItemTable,
    text_vectors: FloatArray,
    graph: sparse.csr_matrix,
    validate: Validate,
    monitor: str = MONITOR,
) -> Retriever:
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
        windows = new_and_replayed(windows, train, since, replay, np.random.default_rng(settings.seed))
    histories = read_histories(
        job.features, job.shop.interactions, windows.user_index, windows.at, settings.history_length
    )
    data = training_data(histories, train, windows)
    folder, team = job.run_dir / "retriever", job.team
    train_retriever(
        retriever, data, settings, folder, validate, progress=job.progress, monitor=monitor, team=team
    )
    retriever.shrink_cold_residuals(item_events(train))
    return retriever


def _validator(job: Job) -> Validate:
    """NDCG@10 and recall@100 on a fixed sample of validation cases, all items ranked."""
    cases, shop = job.split.validation, job.shop
    if len(cases) > VALIDATION_CASES:
        rng = np.random.default_rng(job.settings.evaluation.seed)
        cases = cases.take(np.sort(rng.choice(len(cases), VALIDATION_CASES, replace=False)))
    length = job.settings.retriever.history_length
    histories = read_histories(job.features, shop.interactions, cases.user_index, cases.at, length)
    counts = np.diff(cases.target_offsets)
    popularity = popularity_at_end(job.split.train)

    def validate(retriever: Retriever) -> dict[str, float]:
        scorer = RetrieverScorer("retriever", retriever, cases, histories, popularity)
        found = rank(scorer, cases, shop.interactions, 100, "keep" if shop.info.repeats else "remove")
        hits = hits_at(
            target_ranks(found.items, cases.target_offsets, cases.targets), cases.target_offsets, 100
        )
        return {
            "ndcg@10": float(ndcg(hits, counts, 10).mean()),
            "recall@100": float(recall(hits, counts, 100).mean()),
        }

    return validate


def _watched(validate: Validate, watch: Watch | None) -> Validate:
    """`validate`, and `watch` is told what it says."""

    def both(retriever: Retriever) -> dict[str, float]:
        metrics = validate(retriever)
        if watch is not None:
            watch(metrics)
        return metrics

    return both


def manifest_of(
    job: Job, known: Interactions, bundle_id: str, now: datetime, git_revision: str | None
) -> Manifest:
    sections = SECTIONS | ({"incremental"} if job.parent else set())
    settings = job.settings.model_dump(mode="json", include=sections)
    return Manifest(
        bundle_id=bundle_id,
        created_at=now,
        dataset=job.shop.info.name,
        protocol=job.split.protocol if len(job.split.test) else "all",
        repeats=job.shop.info.repeats,
        services={service: job.features.schema_hash(service) for service in SERVICES},
        data_start=datetime.fromtimestamp(int(known.at.min()) / 1e6, UTC),
        data_end=datetime.fromtimestamp(int(known.at.max()) / 1e6, UTC),
        users=len(np.unique(known.user_index)),
        items=len(known.items) - 1,
        encoder=job.settings.text.encoder,
        settings=json.loads(json.dumps(settings)),
        metrics={},
        git_revision=git_revision,
        parent=job.parent.manifest.bundle_id if job.parent else None,
        trained_until=datetime.fromtimestamp(int(job.split.train.at.max()) / 1e6, UTC),
    )
