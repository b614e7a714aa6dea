"""What chooses the retriever's best epoch: its metrics on a fixed sample of validation cases."""

import numpy as np

from recsys.evaluation.rankings import rank_catalog, seen_of
from recsys.metrics import hits_at, ndcg, recall, target_ranks
from recsys.models.retriever.retriever import Retriever
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.feature_reads import read_histories
from recsys.training.job import TrainingJob, Watch
from recsys.training.retriever.loop import Validate
from recsys.training.scorers import RetrieverScorer

VALIDATION_CASES = 2000


def build_validator(job: TrainingJob) -> Validate:
    """A function that measures NDCG@10 and recall@100 on a sample of validation cases, all items ranked."""
    cases, shop = job.split.validation, job.shop
    if len(cases) > VALIDATION_CASES:
        rng = np.random.default_rng(job.settings.evaluation.seed)
        cases = cases.take(np.sort(rng.choice(len(cases), VALIDATION_CASES, replace=False)))
    length = job.settings.retriever.history_length
    histories = read_histories(
        job.features, shop.interactions, cases.user_index, cases.at, length, job.progress
    )
    counts = np.diff(cases.target_offsets)
    popularity = popularity_at_end(job.split.train)

    def validate(retriever: Retriever) -> dict[str, float]:
        scorer = RetrieverScorer("retriever", retriever, cases, histories, popularity)
        found = rank_catalog(scorer, cases, shop.interactions, 100, seen_of(shop.info.repeats))
        hits = hits_at(
            target_ranks(found.items, cases.target_offsets, cases.targets), cases.target_offsets, 100
        )
        return {
            "ndcg@10": float(ndcg(hits, counts, 10).mean()),
            "recall@100": float(recall(hits, counts, 100).mean()),
        }

    return validate


def with_watch(validate: Validate, watch: Watch | None) -> Validate:
    """`validate`, whose metrics `watch` gets as well."""

    def validate_and_watch(retriever: Retriever) -> dict[str, float]:
        metrics = dict(validate(retriever))
        if watch is not None:
            watch(metrics)
        return metrics

    return validate_and_watch
