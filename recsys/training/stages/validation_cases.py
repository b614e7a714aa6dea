"""The cases of the validation period that fusion and the ranker learn from, each with what was known then.

The retriever never trained on that period, so its scores there are what they will be in service.
"""

from collections.abc import Iterator

import numpy as np

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.interactions import EvalCases, Histories
from recsys.models.bundle import Bundle
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.feature_reads import read_histories
from recsys.training.job import TrainingJob
from recsys.training.requests import ranking_cases


def read_validation_cases(
    job: TrainingJob, rng: np.random.Generator, count: int
) -> tuple[EvalCases, Histories]:
    """Up to `count` cases of the validation period, and their users' histories strictly before each."""
    interactions = job.shop.interactions
    cases = ranking_cases(interactions, job.split, rng, count)
    histories = read_histories(job.features, interactions, cases.user_index, cases.at, columns.HISTORY_LENGTH)
    return cases, histories


def bundles_as_of(job: TrainingJob, bundle: Bundle, cases: EvalCases) -> Iterator[tuple[IntArray, Bundle]]:
    """Rows of `cases`, in order, and the bundle with the popularity of their instant.

    Where every case has an instant of its own, as under leave-one-out, that of training's end does for all.
    """
    edges = np.append(0, np.flatnonzero(np.diff(cases.at)) + 1)
    if job.split.train_end is None:
        edges = edges[:1]
    for start, stop in zip(edges, np.append(edges[1:], len(cases)), strict=True):
        past = bundle
        if job.split.train_end is not None:
            before = job.shop.interactions.known_at(int(cases.at[start]))
            past = bundle.with_arrays(popularity=popularity_at_end(before))
        yield np.arange(start, stop), past
