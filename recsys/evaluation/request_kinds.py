"""What is served beside the best baseline for each kind of request; a kind that loses is said to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases, Interactions, Vocabulary
from recsys.dataset.split import histories_before, history_ends
from recsys.documents import JsonObject
from recsys.evaluation.intervals import PairedDifference, paired_difference
from recsys.evaluation.rankings import Rankings, list_ndcg
from recsys.evaluation.slices import repeat_targets, restrict_cases

K = 20
METRIC = f"ndcg@{K}"


@dataclass(frozen=True)
class KindResult:
    """One kind of request: what orders its answers, and its NDCG@20 less the best baseline's.

    Attributes:
        kind: see `recsys.models.orders.REQUEST_KINDS`.
        order: what the bundle has for the kind.
        baseline: the one with the highest mean on these cases.
    """

    kind: str
    order: str
    baseline: str
    found: PairedDifference

    @property
    def loses(self) -> bool:
        """Whether the upper bound of the paired 95% interval is below 0."""
        return self.found.high < 0

    def to_json(self) -> JsonObject:
        """The numbers, and whether it loses."""
        return {
            "kind": self.kind,
            "order": self.order,
            "baseline": self.baseline,
            "metric": METRIC,
            "loses": self.loses,
            **asdict(self.found),
        }


def compare_kind(
    kind: str,
    order: str,
    served: str,
    baselines: Sequence[str],
    values: Mapping[str, DoubleArray],
    settings: EvaluationSettings,
) -> KindResult | None:
    """`served` beside the best of `baselines`; None without a case or a baseline.

    Args:
        values: model -> (U,) NDCG@20 of each case.
    """
    if not baselines or not len(values[served]):
        return None
    best = max(baselines, key=lambda name: float(values[name].mean()))
    rng = np.random.default_rng(settings.seed)
    found = paired_difference(values[served], values[best], settings.bootstrap_samples, rng)
    return KindResult(kind, order, best, found)


def ndcg_by_model(
    rankings: Mapping[str, Rankings], cases: EvalCases, chosen: BoolArray | None = None
) -> dict[str, DoubleArray]:
    """Model -> NDCG@20 of each case, or of those `chosen` (U,)."""
    found = {}
    for model, ranking in rankings.items():
        values = list_ndcg(ranking.items, cases, K)
        found[model] = values if chosen is None else values[chosen]
    return found


def has_history(interactions: Interactions, cases: EvalCases) -> BoolArray:
    """(U,) whether a case's user did anything strictly before its instant."""
    users = cases.user_index
    before: BoolArray = history_ends(interactions, users, cases.at) > interactions.user_offsets[users]
    return before


def similar_questions(
    interactions: Interactions, cases: EvalCases, most: int, rng: np.random.Generator
) -> tuple[Interactions, EvalCases]:
    """Questions for what is similar to a user's last item, as a shop whose users took one item each.

    Right is what the case's user took next and had not had before: a product page does not lead to where its
    visitor was.

    Args:
        most: questions, sampled where there are more.
    """
    cases, _ = restrict_cases(cases, ~repeat_targets(cases, interactions))
    cases = cases.take(np.flatnonzero(has_history(interactions, cases)))
    if len(cases) > most:
        cases = cases.take(np.sort(rng.choice(len(cases), most, replace=False)))
    case, action = histories_before(interactions, cases)
    last = np.zeros(len(cases), np.int64)
    last[case] = action  # the last write of a case wins
    asking = np.unique(case)
    cases, last = cases.take(asking), last[asking]
    users = np.arange(1, len(cases) + 1)
    questions = Interactions(
        users=Vocabulary(("", *map(str, users.tolist()))),
        items=interactions.items,
        user_index=users,
        item_index=interactions.item_index[last],
        kind=interactions.kind[last],
        weight=interactions.weight[last],
        at=interactions.at[last],
    )
    return questions, EvalCases(users, cases.at, cases.target_offsets, cases.targets)
