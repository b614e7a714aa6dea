"""Two bundles beside each other: metrics on the same cases, likeness of their lists, slates of some users."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from recsys import metrics
from recsys.arrays import BoolArray, FloatArray, IntArray
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import histories_before
from recsys.documents import JsonObject
from recsys.evaluation.compare import Evaluation
from recsys.evaluation.intervals import PairedDifference
from recsys.evaluation.rendering import render
from recsys.evaluation.scorer import Scorer
from recsys.evaluation.seeds import SLICES
from recsys.evaluation.slices import ALL_CASES
from recsys.evaluation.tables import TableRow, metric_name
from recsys.evaluation.verdict import difference_sentence

PLACES = 10  # of a slate
TITLES = 5  # of a user's history that are shown


class SharedItems:
    """A scorer that may show only the items that every scorer of a comparison knows.

    Args:
        shared: (N + 1,) which those are.
    """

    def __init__(self, name: str, scorer: Scorer, shared: BoolArray) -> None:
        self.name = name
        self._scorer = scorer
        self._shared = shared

    def score(self, cases: EvalCases) -> FloatArray:
        """(U, N + 1) float32, -inf for items that are not shared."""
        return np.where(self._shared, self._scorer.score(cases), np.float32(-np.inf))


@dataclass(frozen=True)
class Catalogs:
    """How many items each bundle knows, how many both; targets that were left out since one does not."""

    first: int
    second: int
    shared: int
    targets_left_out: int


@dataclass(frozen=True)
class ShownItem:
    """One place of a slate; `taken`: the user took it; `shared`: the other slate has it too."""

    item_id: str
    title: str
    taken: bool
    shared: bool


@dataclass(frozen=True)
class UserSlates:
    """What both bundles would have shown to one user.

    Attributes:
        history: the latest titles before the case, newest first. taken: titles of the targets.
        first, second: the slates.
    """

    user_id: str
    history: tuple[str, ...]
    taken: tuple[str, ...]
    first: tuple[ShownItem, ...]
    second: tuple[ShownItem, ...]

    @property
    def rows(self) -> list[TableRow]:
        """One row a place of both slates; `*` marks what the user took."""

        def cell(slate: tuple[ShownItem, ...], place: int) -> str:
            if place >= len(slate):
                return "-"
            return ("* " if slate[place].taken else "") + slate[place].title

        return [
            {"place": place + 1, "A": cell(self.first, place), "B": cell(self.second, place)}
            for place in range(max(len(self.first), len(self.second)))
        ]


@dataclass(frozen=True)
class BundleComparison:
    """The second bundle beside the first; every difference is second - first.

    Attributes:
        evaluation: of both on the same cases, the first as the reference.
        cases_of: how many cases there were to sample from.
        overlap, rank_biased_overlap: of the lists of `PLACES`, means over cases.
    """

    first: str
    second: str
    evaluation: Evaluation
    cases_of: int
    catalogs: Catalogs
    overlap: float
    rank_biased_overlap: float
    slates: tuple[UserSlates, ...]

    @property
    def verdict(self) -> str:
        """One sentence, by NDCG at the first cutoff on all cases."""
        metric = f"ndcg@{min(self.evaluation.cutoffs)}"
        return difference_sentence(
            self.second, self.first, metric_name(metric), self.difference(ALL_CASES, metric)
        )

    @property
    def summary(self) -> str:
        """On which cases and items, in words."""
        found, items = self.evaluation, self.catalogs
        sampled = f" (sampled of {self.cases_of:,})" if self.cases_of > len(found.cases) else ""
        left = f", targets left out: {items.targets_left_out:,}" if items.targets_left_out else ""
        which = "all items" if items.shared == max(items.first, items.second) else "the items that both know"
        return (
            f"A is {self.first}, B is {self.second}. {len(found.cases):,} cases{sampled} that neither has "
            f"learned from, protocol {found.protocol}, seen items: {found.seen}. Lists of {which}: A knows "
            f"{items.first:,}, B {items.second:,}, both {items.shared:,}{left}. Intervals: 95%, paired. "
            f"The first {PLACES} places share {self.overlap:.0%} of the items on average (overlap@{PLACES}); "
            "rank-biased overlap, in which the first places count most, is "
            f"{self.rank_biased_overlap:.2f} (1: the same lists)."
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The slices that are shown, all cases first."""
        return tuple(name for name in SLICES if name in self.evaluation.slices)

    def difference(self, part: str, metric: str) -> PairedDifference:
        """Of `metric` on the slice `part`.

        Raises:
            KeyError: there is no such slice or metric.
        """
        rows = [self.evaluation.row(model, metric, part) for model in (self.second, self.first)]
        found, other = rows
        if found is None or other is None or found.difference is None:
            raise KeyError(f"{metric} on {part}")
        low, high = found.difference_low or 0.0, found.difference_high or 0.0
        return PairedDifference(found.value, other.value, found.difference, low, high, found.cases)

    @property
    def rows(self) -> list[TableRow]:
        """All metrics on all cases, then the first NDCG on each other slice."""
        names = [metric for metric in self.evaluation.values[self.first] if self._says_something(metric)]
        first = f"ndcg@{min(self.evaluation.cutoffs)}"
        wanted = [(ALL_CASES, name) for name in names]
        wanted += [(part, first) for part in self.parts if part != ALL_CASES]
        return [self._row(part, metric) for part, metric in wanted]

    def to_json(self) -> JsonObject:
        """Everything, every metric on every slice."""
        found = self.evaluation
        return {
            "first": self.first,
            "second": self.second,
            "verdict": self.verdict,
            "protocol": found.protocol,
            "seen": found.seen,
            "cases": len(found.cases),
            "cases_of": self.cases_of,
            "catalogs": asdict(self.catalogs),
            "differences": [
                {
                    "slice": part,
                    "metric": metric,
                    "outcome": (difference := self.difference(part, metric)).outcome,
                    "first": difference.other,
                    "second": difference.value,
                    "difference": difference.difference,
                    "low": difference.low,
                    "high": difference.high,
                    "cases": difference.cases,
                }
                for part in self.parts
                for metric in found.values[self.first]
            ],
            f"overlap@{PLACES}": self.overlap,
            "rank_biased_overlap": self.rank_biased_overlap,
            "slates": [asdict(slates) for slates in self.slates],
        }

    def to_html(self) -> str:
        """One HTML file."""
        return render("bundle_comparison.html", comparison=self)

    def _says_something(self, metric: str) -> bool:
        """With one target a case, recall is the hit rate."""
        many = len(self.evaluation.cases.targets) > len(self.evaluation.cases)
        return many or not metric.startswith("recall@")

    def _row(self, part: str, metric: str) -> TableRow:
        found = self.difference(part, metric)
        return {
            "slice": part,
            "metric": metric_name(metric),
            "A": f"{found.other:.4f}",
            "B": f"{found.value:.4f}",
            "B - A": str(found),
            "cases": found.cases,
            "verdict": found.outcome,
        }


def compare_rankings(
    evaluation: Evaluation,
    interactions: Interactions,
    titles: Sequence[str],
    catalogs: Catalogs,
    *,
    cases_of: int,
    users: int,
    seed: int,
) -> BundleComparison:
    """The comparison of an evaluation's reference with what it served, with slates of `users` cases.

    Args:
        titles: (N + 1,) by item index.
        seed: of the draw of users, all cases equally likely.
    """
    first, second = evaluation.reference, evaluation.served
    ours, theirs = (evaluation.rankings[name].items[:, :PLACES] for name in (first, second))
    rng = np.random.default_rng(seed)
    count = len(evaluation.cases)
    chosen = np.sort(rng.choice(count, min(users, count), replace=False))
    return BundleComparison(
        first=first,
        second=second,
        evaluation=evaluation,
        cases_of=cases_of,
        catalogs=catalogs,
        overlap=float(metrics.overlap(ours, theirs, PLACES).mean()),
        rank_biased_overlap=float(metrics.rank_biased_overlap(ours, theirs).mean()),
        slates=_user_slates(evaluation.cases, chosen, (ours, theirs), interactions, titles),
    )


def _user_slates(
    cases: EvalCases,
    chosen: IntArray,
    lists: Sequence[IntArray],
    interactions: Interactions,
    titles: Sequence[str],
) -> tuple[UserSlates, ...]:
    part = cases.take(chosen)
    case, action = histories_before(interactions, part)
    found = []
    for place, row in enumerate(chosen.tolist()):
        history = interactions.item_index[action[case == place]][::-1].tolist()
        first, second = ([item for item in items[row].tolist() if item] for items in lists)
        taken = set(part.targets_of(place).tolist())

        def slate(items: list[int], other: list[int], taken: set[int] = taken) -> tuple[ShownItem, ...]:
            return tuple(
                ShownItem(interactions.items.ids[item], titles[item], item in taken, item in other)
                for item in items
            )

        found.append(
            UserSlates(
                user_id=interactions.users.ids[int(part.user_index[place])],
                history=tuple(titles[item] for item in list(dict.fromkeys(history))[:TITLES]),
                taken=tuple(titles[item] for item in sorted(taken)),
                first=slate(first, second),
                second=slate(second, first),
            )
        )
    return tuple(found)
