"""The ranker's training set: candidates of the served funnel and the features that were known of them."""

import numpy as np

from recsys.funnel.offline import candidate_lists
from recsys.models.bundle import Bundle
from recsys.training.feature_reads import read_ranking_features
from recsys.training.feedback_requests import feedback_ranking_data, sample_responses
from recsys.training.job import TrainingJob
from recsys.training.requests import RankingData, join_ranking_data, labels_of
from recsys.training.scorers import seen_lists
from recsys.training.stages.validation_cases import bundles_as_of, read_validation_cases


def build_ranking_set(job: TrainingJob, bundle: Bundle) -> RankingData:
    """Candidates of the validation period's cases, with features from strictly before each.

    Responses that were really shown come on top, as many as there are cases at most.
    """
    settings = job.settings.ranker
    rng = np.random.default_rng(settings.seed)
    cases, histories = read_validation_cases(job, rng, settings.requests)
    seen = None if job.shop.info.repeats else seen_lists(job.shop.interactions, cases)
    parts = [
        candidate_lists(
            past,
            histories.take(rows),
            seen and [seen[row] for row in rows],
            settings.candidates,
            job.progress,
        )
        for rows, past in bundles_as_of(job, bundle, cases)
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
    rows = sample_responses(job.feedback, settings.requests, rng)
    shown = feedback_ranking_data(
        job.features, job.shop.interactions, job.feedback, rows, bundle, settings.candidates
    )
    return join_ranking_data([data, shown])
