"""The ranker's training set: candidates of the served funnel and the features that were known of them."""

import numpy as np

from recsys.funnel.offline import candidate_lists
from recsys.models.bundle import Bundle
from recsys.models.orders import NO_HISTORY, REPEATS_KEPT, REPEATS_REMOVED, REQUEST_KINDS, kind_of
from recsys.training.feature_reads import read_ranking_features
from recsys.training.feedback_requests import feedback_ranking_data, sample_responses
from recsys.training.job import TrainingJob
from recsys.training.requests import (
    HeldOutUsers,
    RankingData,
    join_ranking_data,
    labels_of,
    ranker_cases,
    sampled_cases,
)
from recsys.training.scorers import seen_lists
from recsys.training.stages.validation_cases import ValidationCases, bundles_as_of, with_histories

LEARNING_SHARE = 5 / 9  # of the requests; two thirds of the rest judge and one third calibrates


def build_ranking_set(job: TrainingJob, bundle: Bundle, held: HeldOutUsers) -> RankingData:
    """Candidates of the validation period's cases, with features from strictly before each.

    Where people buy again every second case asks for what is new to its user; a case that judges asks for
    both. Responses that were really shown come on top, as many as there are cases at most.
    """
    settings = job.settings.ranker
    rng = np.random.default_rng(settings.seed)
    cases = ranker_cases(job.shop.interactions, job.split, held)
    learning = round(settings.requests * LEARNING_SHARE)
    apart = (settings.requests - learning) // 3
    same = cases.judging is cases.calibrating
    both = job.shop.info.repeats and not same  # kinds of each case that judges
    groups = [
        (cases.learning, learning, False, False),
        (cases.judging, 3 * apart if same else 2 * apart // (1 + both), True, same),
        *([] if same else [(cases.calibrating, apart, False, True)]),
    ]
    parts = []
    for group, count, judges, calibrates in (each for each in groups if len(each[0])):
        asked = with_histories(job, sampled_cases(group, rng, count))
        rows = np.arange(len(asked.cases))
        by_kind = {REPEATS_REMOVED: rows}
        if job.shop.info.repeats:
            by_kind = {REPEATS_KEPT: rows[::2], REPEATS_REMOVED: rows[1::2]}
            if judges and both:
                by_kind = dict.fromkeys(by_kind, rows)
        parts += [
            _requests_of(job, bundle, asked.take(chosen), kind, judges, calibrates)
            for kind, chosen in by_kind.items()
            if len(chosen)
        ]
    if job.feedback is not None and len(job.feedback):
        shown = sample_responses(job.feedback, settings.requests, rng)
        kind = REQUEST_KINDS.index(kind_of(job.shop.info.repeats))
        parts.append(
            feedback_ranking_data(
                job.features,
                job.shop.interactions,
                job.feedback,
                shown,
                bundle,
                settings.candidates,
                held,
                kind,
            )
        )
    return join_ranking_data(parts)


def _requests_of(
    job: TrainingJob, bundle: Bundle, asked: ValidationCases, kind: str, judges: bool, calibrates: bool
) -> RankingData:
    """The requests of `asked` as requests of one kind."""
    interactions, cases = job.shop.interactions, asked.cases
    seen = seen_lists(interactions, cases) if kind == REPEATS_REMOVED else None
    found = [
        candidate_lists(
            past,
            asked.histories.take(rows),
            seen and [seen[row] for row in rows],
            job.settings.ranker.candidates,
            job.progress,
        )
        for rows, past in bundles_as_of(job, bundle, cases)
    ]
    candidates, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    features = read_ranking_features(job.features, interactions, cases, candidates, job.progress)
    return RankingData(
        features=np.concatenate([features, scores[:, :, None]], axis=2),
        labels=labels_of(cases, candidates),
        mask=candidates > 0,
        judges=np.full(len(cases), judges),
        calibrates=np.full(len(cases), calibrates),
        kinds=np.where(asked.histories.known, REQUEST_KINDS.index(kind), REQUEST_KINDS.index(NO_HISTORY)),
        users=cases.user_index,
    )
