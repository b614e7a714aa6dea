"""Which order is shipped for each kind of request: the learned one, unless it loses to a baseline.

All orders are tried on the same held-back requests of the validation period, of users from whom neither
fusion nor the ranker learned. A learned order loses where the upper bound of the paired 95% interval of its
NDCG@20 less a baseline's is below 0; then the next one is tried, and at last the best baseline is shipped.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from recsys.arrays import DoubleArray, IntArray
from recsys.evaluation.intervals import paired_bootstrap, paired_difference
from recsys.evaluation.rankings import list_ndcg
from recsys.evaluation.request_kinds import METRIC, K
from recsys.evaluation.slices import repeat_targets, restrict_cases
from recsys.funnel.candidates import CandidateSources
from recsys.funnel.catalog import Catalog
from recsys.funnel.similar import similar_items
from recsys.instants import SECOND
from recsys.models.bundle import Bundle
from recsys.models.orders import (
    COSINES,
    FUSION,
    NEIGHBOURS_AND_TEXT,
    NO_HISTORY,
    POPULARITY_OF_ALL_TIME,
    PRIOR,
    RANKER,
    RECENT_POPULARITY,
    SIGNAL_ORDERS,
    SIMILAR,
    OrderChoice,
    first_stage_scores,
)
from recsys.training.job import TrainingJob
from recsys.training.prior_weights import mean_by_user, ndcg_values
from recsys.training.stages.fusion_stage import SignalRequests
from recsys.training.stages.validation_cases import ValidationCases, bundles_as_of

MIN_USERS = 20  # who asked, and are resampled; with fewer the first learned order stays
SAMPLES = 1000  # of the bootstrap
SIMILAR_QUESTIONS = 1000
SIMILAR_LEARNED = (COSINES, FUSION)
SIMILAR_BASELINES = (NEIGHBOURS_AND_TEXT, RECENT_POPULARITY, POPULARITY_OF_ALL_TIME)
BLOCK_REQUESTS = 500  # scored at a time: bounds memory


def choose_orders(
    job: TrainingJob,
    bundle: Bundle,
    asked: ValidationCases,
    requests: Mapping[str, SignalRequests],
    better_by_ranker: frozenset[str],
) -> dict[str, OrderChoice]:
    """Kind of request -> what is shipped for it.

    Args:
        bundle: a first stage that knows nothing of the validation period, its fusion and ranker trained.
        requests: of users with a history, by kind.
        better_by_ranker: kinds that the ranker orders better than fusion.
    """
    seed = job.settings.evaluation.seed
    found = {}
    for kind, part in requests.items():
        values, users = _values_by_signals(bundle, part)
        learned = (RANKER, FUSION, PRIOR) if kind in better_by_ranker else (FUSION, PRIOR)
        # The ranker was found better than fusion, over its features: what holds for fusion holds for it.
        values[RANKER] = values[FUSION]
        found[kind] = _choose(learned, tuple(SIGNAL_ORDERS), values, users, seed)
    values, users = _values_without_history(job, bundle, asked)
    found[NO_HISTORY] = _choose((RECENT_POPULARITY,), (POPULARITY_OF_ALL_TIME,), values, users, seed)
    values, users = _values_of_similar(job, bundle, asked)
    found[SIMILAR] = _choose(SIMILAR_LEARNED, SIMILAR_BASELINES, values, users, seed)
    return found


def _choose(
    learned: Sequence[str],
    baselines: Sequence[str],
    values: Mapping[str, DoubleArray],
    users: IntArray,
    seed: int,
) -> OrderChoice:
    """The first of `learned` that loses to none of `baselines`, else the best of these.

    Args:
        values: order -> (R,) NDCG of each question. users: (R,) who asked it.
    """
    if len(np.unique(users)) < MIN_USERS:
        nothing = float("nan")
        return OrderChoice(
            order=learned[0],
            metric=METRIC,
            value=nothing,
            baseline=baselines[0],
            baseline_value=nothing,
            difference=nothing,
            low=nothing,
            high=nothing,
            questions=0,
        )
    means = {order: mean_by_user(found, users) for order, found in values.items()}
    best = max(baselines, key=lambda order: float(means[order].mean()))
    rejected: list[str] = []
    for order in learned:
        against = np.stack([means[each] for each in (*baselines, order)], axis=1)  # (U, baselines + 1)
        reference = np.arange(len(baselines) + 1)
        reference[:-1] = len(baselines)  # each baseline less the order
        against_each = paired_bootstrap(against, reference, SAMPLES, np.random.default_rng(seed))
        if (against_each.difference_low[:-1] <= 0).all():
            break
        rejected.append(order)
    else:
        order = best
    spread = paired_difference(means[order], means[best], SAMPLES, np.random.default_rng(seed))
    return OrderChoice(
        order=order,
        metric=METRIC,
        value=spread.value,
        baseline=best,
        baseline_value=spread.other,
        difference=spread.difference,
        low=spread.low,
        high=spread.high,
        questions=len(users),
        rejected=tuple(rejected),
    )


def _values_by_signals(bundle: Bundle, part: SignalRequests) -> tuple[dict[str, DoubleArray], IntArray]:
    """Order -> (R,) NDCG@20 of the held-out requests with a target, and (R,) their users."""
    rows = np.flatnonzero(part.held & (part.targets > 0) & part.mask.any(1))
    found: dict[str, list[DoubleArray]] = {order: [] for order in (FUSION, PRIOR, *SIGNAL_ORDERS)}
    for start in range(0, len(rows), BLOCK_REQUESTS):
        block = rows[start : start + BLOCK_REQUESTS]
        signals = part.signals[block]
        labels, mask, targets = (
            torch.from_numpy(each[block]) for each in (part.labels, part.mask, part.targets)
        )
        for order, values in found.items():
            scores = first_stage_scores(order, bundle.fusion, signals)
            values.append(ndcg_values(torch.from_numpy(scores), labels, mask, targets, K))
    joined = {order: np.concatenate(values or [np.zeros(0)]) for order, values in found.items()}
    return joined, part.users[rows]


def _values_without_history(
    job: TrainingJob, bundle: Bundle, asked: ValidationCases
) -> tuple[dict[str, DoubleArray], IntArray]:
    """The same of requests of users without a history."""
    new = ~asked.histories.known
    values: dict[str, list[DoubleArray]] = {RECENT_POPULARITY: [], POPULARITY_OF_ALL_TIME: []}
    users = []
    for rows, past in bundles_as_of(job, bundle, asked.cases):
        cases = asked.cases.take(rows[new[rows]])
        users.append(cases.user_index)
        counts = {RECENT_POPULARITY: past.popularity, POPULARITY_OF_ALL_TIME: past.signal_tables.item_events}
        for order, popularity in counts.items():
            best = 1 + np.argsort(-popularity[1:], kind="stable")[:K]
            values[order].append(list_ndcg(np.tile(best, (len(cases), 1)), cases, K))
    return {order: np.concatenate(found) for order, found in values.items()}, np.concatenate(users)


def _values_of_similar(
    job: TrainingJob, bundle: Bundle, asked: ValidationCases
) -> tuple[dict[str, DoubleArray], IntArray]:
    """The same of questions for what is similar to the item that a user had last; right is what came next.

    What the user had before is no target: a product page does not lead to where its visitor was.
    """
    rng = np.random.default_rng(job.settings.evaluation.seed)
    rows = np.sort(rng.permutation(np.flatnonzero(asked.histories.known))[:SIMILAR_QUESTIONS])
    interactions, cases = job.shop.interactions, asked.cases.take(rows)
    cases, kept = restrict_cases(cases, ~repeat_targets(cases, interactions))
    histories = asked.histories.take(rows[kept])
    lists = {order: np.zeros((len(cases), K), np.int64) for order in (*SIMILAR_LEARNED, *SIMILAR_BASELINES)}
    catalog = Catalog(bundle)
    sources, allowed = CandidateSources(bundle, catalog), np.ones(len(catalog), bool)
    allowed[0] = False
    for row, at in enumerate((cases.at // SECOND).tolist()):
        item = int(histories.items[row][histories.items[row] > 0][-1])
        allowed[item] = False
        for order, found in lists.items():
            candidates, scores = similar_items(bundle, sources, catalog, item, allowed, order, at)
            best = candidates.index[np.argsort(-scores, kind="stable")[:K]]
            found[row, : len(best)] = best
        allowed[item] = True
    return {order: list_ndcg(found, cases, K) for order, found in lists.items()}, cases.user_index
