"""What a test allows to say of the served model beside the best baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from recsys.arrays import IntArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases
from recsys.documents import JsonObject
from recsys.evaluation.intervals import DIGITS, PairedDifference, paired_difference
from recsys.evaluation.rankings import Rankings, list_ndcg
from recsys.evaluation.slices import COLD_EVENTS, restrict_cases

SMALL_TEST = 200  # cases; a difference in NDCG@10 of .02 to .04 is lost in chance below that


@dataclass(frozen=True)
class BaselineDifference:
    """The served model beside the best baseline of some cases."""

    baseline: str
    found: PairedDifference

    def to_json(self) -> JsonObject:
        """The numbers and what they allow to say."""
        return {"baseline": self.baseline, "outcome": self.found.outcome, **asdict(self.found)}


@dataclass(frozen=True)
class Verdict:
    """The served model beside the best baseline: on all cases, and on cold items.

    Attributes:
        metric: as people write it, for example `NDCG@10`.
        cold_items: None where no case has a cold target. Its baseline is the best one there.
    """

    model: str
    metric: str
    overall: BaselineDifference
    cold_items: BaselineDifference | None

    @property
    def headline(self) -> str:
        """One sentence on all cases."""
        baseline = f"the best baseline, {self.overall.baseline}"
        return difference_sentence(self.model, baseline, self.metric, self.overall.found)

    @property
    def remarks(self) -> str:
        """On cold items, and how far a small test can be trusted."""
        return " ".join(part for part in (self._cold_remark(), self._size_remark()) if part)

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.headline} {self.remarks}".strip()

    def to_json(self) -> JsonObject:
        """The words and the numbers."""
        return {
            "text": self.text,
            "model": self.model,
            "metric": self.metric,
            "overall": self.overall.to_json(),
            "cold_items": self.cold_items.to_json() if self.cold_items else None,
        }

    def _cold_remark(self) -> str:
        if self.cold_items is None:
            return "No case asks for a cold item."
        baseline = f"the best baseline there, {self.cold_items.baseline}"
        said = difference_sentence("it", baseline, self.metric, self.cold_items.found)
        return f"On cold items (at most {COLD_EVENTS} training events) {said}"

    def _size_remark(self) -> str:
        found = self.overall.found
        if found.cases >= SMALL_TEST:
            return ""
        if found.outcome == "too few cases":
            return "The test is too small for a verdict: hold back more, or wait for more events."
        width = max((found.high - found.low) / 2, 10**-DIGITS)
        return f"The test is small: differences below about {width:.2g} cannot be seen on so few cases."


def measure_verdict(
    served: str,
    baselines: Sequence[str],
    rankings: Mapping[str, Rankings],
    cases: EvalCases,
    item_events: IntArray,
    settings: EvaluationSettings,
) -> Verdict | None:
    """The verdict by NDCG at the first cutoff; None without a baseline.

    The best baseline is chosen on the very cases that it is compared on, which favours it.

    Args:
        baselines: names of some of `rankings`.
        item_events: (N + 1,) training events an item.
    """
    if not baselines:
        return None
    k = min(settings.cutoffs)
    rng = np.random.default_rng(settings.seed)

    def beside_best(part: EvalCases, rows: IntArray) -> BaselineDifference:
        values = {name: list_ndcg(rankings[name].items[rows], part, k) for name in (served, *baselines)}
        best = max(baselines, key=lambda name: float(values[name].mean()))
        return BaselineDifference(
            best, paired_difference(values[served], values[best], settings.bootstrap_samples, rng)
        )

    cold, rows = restrict_cases(cases, item_events[cases.targets] <= COLD_EVENTS)
    return Verdict(
        model=served,
        metric=f"NDCG@{k}",
        overall=beside_best(cases, np.arange(len(cases))),
        cold_items=beside_best(cold, rows) if len(cold) else None,
    )


def difference_sentence(model: str, other: str, metric: str, found: PairedDifference) -> str:
    """The claim, which is no more than the interval allows, and its numbers."""
    claim = {
        "better": f"{model} is better than {other}",
        "worse": f"{model} is worse than {other}",
        "not told apart": f"{model} is not told apart from {other}",
        "too few cases": f"{model} cannot be told, on so few cases, from {other}",
    }[found.outcome]
    return (
        f"{claim}: {metric} {found.value:.{DIGITS}f} against {found.other:.{DIGITS}f}, difference {found} "
        f"on {found.cases:,} {'case' if found.cases == 1 else 'cases'} (95% interval, paired)."
    )
