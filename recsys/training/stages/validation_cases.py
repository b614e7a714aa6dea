"""The cases of the validation period that fusion and the ranker learn from, each with what was known then.

The first stage that they are asked of never trained on their answers, so its scores there are what they will
be in service.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from recsys import columns
from recsys.arrays import IntArray
from recsys.dataset.interactions import EvalCases, Histories
from recsys.dataset.split import TRAIN, VALIDATION, leave_one_out_parts
from recsys.models.bundle import Bundle
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.feature_reads import read_histories
from recsys.training.job import TrainingJob
from recsys.training.requests import HeldOutUsers, ranking_cases

ASKED_SHARE, ASKED_USERS = 0.3, 5000  # of the users under leave-one-out: the larger number of the two


@dataclass(frozen=True)
class ValidationCases:
    """Cases of the validation period, and their users' histories strictly before each."""

    cases: EvalCases
    histories: Histories

    def take(self, rows: IntArray) -> "ValidationCases":
        """Those at `rows`, in that order."""
        return ValidationCases(self.cases.take(rows), self.histories.take(rows))


def read_validation_cases(job: TrainingJob, rng: np.random.Generator, count: int) -> ValidationCases:
    """Up to `count` cases of the validation period."""
    return with_histories(job, ranking_cases(job.shop.interactions, job.split, rng, count))


def with_histories(job: TrainingJob, cases: EvalCases) -> ValidationCases:
    """`cases` with their users' histories from the feature store."""
    interactions = job.shop.interactions
    length = columns.HISTORY_LENGTH
    histories = read_histories(job.features, interactions, cases.user_index, cases.at, length, job.progress)
    return ValidationCases(cases, histories)


def with_some_users_asked(job: TrainingJob) -> TrainingJob:
    """`job` whose first stage also trains on the validation moments of users who are not asked.

    Under leave-one-out every user has a validation moment. Were all of them held back, items would have fewer
    events, and so be colder, for the first stage that fusion learns to weigh than for the one that is served,
    which learns from all of them. Cut by time there is nothing to choose: `job` as it is.
    """
    split, interactions = job.split, job.shop.interactions
    users = split.validation.user_index
    if split.train_end is not None or len(users) <= ASKED_USERS:
        return job
    ids = interactions.users.ids
    share = max(ASKED_SHARE, ASKED_USERS / len(users))
    asked = HeldOutUsers.share_of((ids[user] for user in users.tolist()), share)
    parts = leave_one_out_parts(interactions)
    others = (parts == VALIDATION) & ~asked.of(ids, interactions.user_index)
    train = interactions.take((parts == TRAIN) | others).as_standing()
    cases = split.validation.take(np.flatnonzero(asked.of(ids, users)))
    return replace(job, split=replace(split, train=train, validation=cases))


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
