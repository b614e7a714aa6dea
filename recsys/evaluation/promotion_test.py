"""Whether a candidate bundle is good enough to replace the one in production, and why."""

from dataclasses import dataclass, replace

import numpy as np

from recsys.arrays import DoubleArray, FloatArray
from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.errors import DataError
from recsys.evaluation.intervals import MIN_CASES, paired_bootstrap
from recsys.evaluation.rankings import Seen, list_ndcg, rank_catalog
from recsys.evaluation.scorer import Scorer
from recsys.progress import Progress, silent

METRIC = "ndcg@10"
PLACES = 10


@dataclass(frozen=True)
class Comparison:
    """The comparison on the same cases.

    Attributes:
        reason: in words, with the numbers.
        difference: candidate - production. low, high: its 95% interval, cases resampled in pairs.
    """

    promote: bool
    reason: str
    metric: str
    candidate: float
    production: float
    difference: float
    low: float
    high: float
    cases: int


def check_case_count(cases: int) -> None:
    """Makes sure that there are enough cases to compare two bundles on.

    Raises:
        DataError: too few to tell.
    """
    if cases < MIN_CASES:
        raise DataError(
            f"only {cases} users acted after both bundles were trained; {MIN_CASES} are needed to compare "
            "them. Wait for more events, or hold back more days (incremental.test_days)."
        )


def compare_case_values(
    candidate: DoubleArray,
    production: DoubleArray,
    epsilon: float | None,
    samples: int,
    rng: np.random.Generator,
) -> Comparison:
    """Compares two bundles' values (U,) of the same cases.

    Args:
        epsilon: None requires a better mean. A number requires that the interval excludes a loss of more
            than that, which lets a candidate pass that is as good and fresher.

    Raises:
        DataError: too few cases to tell.
    """
    cases = len(candidate)
    check_case_count(cases)
    values = np.stack([production, candidate], axis=1).astype(np.float64)
    found = paired_bootstrap(values, np.array([0, 0]), samples, rng)
    difference = float(found.difference[1])
    low, high = float(found.difference_low[1]), float(found.difference_high[1])
    promote = difference > 0 if epsilon is None else low >= -epsilon
    if epsilon is None:
        what = "better" if difference > 0 else "worse" if difference < 0 else "no different"
        what += " on average, " + ("significantly so" if low > 0 or high < 0 else "but not significantly")
    else:
        what = f"{'not' if promote else 'perhaps'} worse by more than {epsilon:g}"
    return Comparison(
        promote=promote,
        reason=f"{METRIC} {found.mean[1]:.4f} against {found.mean[0]:.4f} on {cases} users, difference "
        f"{difference:+.4f} [{low:+.4f}, {high:+.4f}]: {what}",
        metric=METRIC,
        candidate=float(found.mean[1]),
        production=float(found.mean[0]),
        difference=difference,
        low=low,
        high=high,
        cases=cases,
    )


def case_values(
    scorer: Scorer, cases: EvalCases, interactions: Interactions, seen: Seen, progress: Progress = silent
) -> DoubleArray:
    """(U,) NDCG@10 of each case, all items ranked."""
    found = rank_catalog(scorer, cases, interactions, PLACES, seen, progress=progress)
    return list_ndcg(found.items, cases, PLACES)


def in_vocabulary(interactions: Interactions, items: Vocabulary) -> Interactions:
    """The actions on items that `items` knows, by its indexes."""
    index = items.indexes(interactions.items.ids)[interactions.item_index]
    known = interactions.take(index > 0)
    return replace(known, items=items, item_index=index[index > 0])


class TranslatedScorer:
    """A scorer of another vocabulary's items, in this shop's; what it does not know it cannot recommend."""

    def __init__(self, scorer: Scorer, own: Vocabulary, items: Vocabulary) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._column = own.indexes(items.ids)  # (N + 1,)

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, -inf for items that the scorer does not know."""
        scores: FloatArray = np.asarray(self._scorer.score(cases), np.float32)[:, self._column]
        return np.where(self._column > 0, scores, np.float32(-np.inf))
