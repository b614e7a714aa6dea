"""Fusion: learns to weigh the signals, on candidates of cases of the validation period."""

import numpy as np

from recsys.funnel.offline import candidate_signals
from recsys.models.bundle import Bundle
from recsys.training.fusion import train_fusion
from recsys.training.job import TrainingJob
from recsys.training.requests import labels_of, target_counts
from recsys.training.scorers import seen_lists
from recsys.training.stages.validation_cases import bundles_as_of, read_validation_cases


def train_fusion_stage(job: TrainingJob, bundle: Bundle) -> None:
    """Trains the bundle's fusion in place and leaves its curves in the run's folder.

    Where people buy again each case counts twice: for what comes next, and for what comes next that is new.
    Service is asked for both, and the second would drown in the first.
    """
    shop, settings = job.shop, job.settings.fusion
    cases, histories = read_validation_cases(job, np.random.default_rng(settings.seed), settings.requests)
    seen = seen_lists(shop.interactions, cases)
    parts = []
    for excluded in (None, seen) if shop.info.repeats else (seen,):
        for rows, past in bundles_as_of(job, bundle, cases):
            without = excluded and [excluded[row] for row in rows]
            part = cases.take(rows)
            candidates, signals = candidate_signals(
                past, histories.take(rows), without, settings.candidates, job.progress
            )
            labels, targets = labels_of(part, candidates), target_counts(part, without)
            parts.append((signals, labels, candidates > 0, targets, part.user_index))
    signals, labels, mask, targets, users = (np.concatenate(part) for part in zip(*parts, strict=True))
    del parts  # a large shop's are a gigabyte
    curves = train_fusion(bundle.fusion, signals, labels, mask, targets, settings, users, job.progress)
    curves.save(job.run_dir / "fusion")
    curves.draw(job.run_dir / "fusion")
