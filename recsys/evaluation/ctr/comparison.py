"""Models of clicks beside each other on one log: measures, differences, slices, reliability, purchases."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.documents import JsonObject
from recsys.evaluation.ctr.click_metrics import pcoc
from recsys.evaluation.ctr.measure import (
    ClickLog,
    ClickMeasures,
    compare_clicks,
    measure_clicks,
    measure_slices,
)
from recsys.evaluation.ctr.tables import NAMES, measure_documents, measure_rows
from recsys.evaluation.intervals import PairedDifference, format_difference
from recsys.evaluation.reliability import Reliability, measure_reliability
from recsys.evaluation.tables import TableRow
from recsys.instants import DAY

AGES = ((0, 1), (1, 3), (3, 7), (7, 14), (14, None))  # days
LOWER_IS_BETTER = ("log_loss", "ece")
_SLICE_SAMPLES = 300
_FEWEST = 100  # impressions of a slice


@dataclass(frozen=True)
class PurchaseAge:
    """Purchases after clicks of one age: young ones may yet come.

    Attributes:
        days: of the click, as text. expected: purchases by the model. pcoc: expected / purchases.
    """

    days: str
    clicks: int
    purchases: int
    expected: float
    pcoc: float


@dataclass(frozen=True)
class ClickComparison:
    """Some models on one log of clicks.

    Attributes:
        measures: model -> what it is worth on all impressions. served: the model that the rest is about.
        differences: other model -> metric -> the served one less it.
        slices: slice -> the served model there. reliability: of the served model.
        purchases: by age of the click; empty where it does not predict any.
    """

    served: str
    measures: Mapping[str, ClickMeasures]
    differences: Mapping[str, Mapping[str, PairedDifference]]
    slices: Mapping[str, ClickMeasures]
    reliability: Reliability
    purchases: tuple[PurchaseAge, ...] = ()

    @property
    def rows(self) -> list[JsonObject]:
        """A line a model."""
        return measure_rows(self.measures)

    @property
    def slice_rows(self) -> list[JsonObject]:
        """A line a slice."""
        return measure_rows(self.slices)

    @property
    def difference_rows(self) -> list[TableRow]:
        """A line for each other model: the served one less it, and what that says."""
        rows: list[TableRow] = []
        for other, found in self.differences.items():
            row: dict[str, str | int | float] = {"model": f"{self.served} less {other}"}
            for metric in ("auc", "gauc", "log_loss"):
                each = found[metric]
                row[NAMES[metric]] = (
                    f"{format_difference(each.difference, each.low, each.high)}: {said(each, metric)}"
                )
            rows.append(row)
        return rows

    @property
    def purchase_rows(self) -> list[TableRow]:
        """A line for each age of clicks."""
        return [
            {
                "days since the click": each.days,
                "clicks": each.clicks,
                "purchases": each.purchases,
                "expected": f"{each.expected:.1f}",
                "PCOC": "-" if np.isnan(each.pcoc) else f"{each.pcoc:.3f}",
            }
            for each in self.purchases
        ]

    def to_json(self) -> JsonObject:
        """Every digit."""
        return {
            "served": self.served,
            "models": measure_documents(self.measures),
            "differences": [
                {"model": other, "metric": metric, **asdict(each), "outcome": said(each, metric)}
                for other, found in self.differences.items()
                for metric, each in found.items()
            ],
            "slices": measure_documents(self.slices),
            "reliability": [asdict(each) for each in self.reliability.bins],
            "purchases": [
                asdict(each) | {"pcoc": None if np.isnan(each.pcoc) else each.pcoc} for each in self.purchases
            ],
        }


def compare_models(models: Mapping[str, DoubleArray], log: ClickLog, served: str) -> ClickComparison:
    """The models' probabilities (n,) on `log`, the `served` one in detail.

    Raises:
        DataError: a probability is not between 0 and 1.
    """
    enough = {name: rows for name, rows in log.slices.items() if rows.sum() >= _FEWEST}
    sliced = replace(log, slices=enough, samples=min(log.samples, _SLICE_SAMPLES))
    reliability = measure_reliability(models[served], log.clicked)  # type: ignore[arg-type]
    assert reliability is not None  # a log has impressions
    return ClickComparison(
        served=served,
        measures={name: measure_clicks(p, log) for name, p in models.items()},
        differences={
            name: compare_clicks(models[served], p, log) for name, p in models.items() if name != served
        },
        slices=measure_slices(models[served], sliced),
        reliability=reliability,
    )


def said(difference: PairedDifference, metric: str) -> str:
    """What may be said of the first model: larger is better but for losses."""
    if metric not in LOWER_IS_BETTER:
        return difference.outcome
    turned = {"better": "worse", "worse": "better"}
    return turned.get(difference.outcome, difference.outcome)


def click_slices(
    places: Sequence[str], slot: IntArray, new: BoolArray, at: IntArray, learned_until: int
) -> dict[str, BoolArray]:
    """Slices of n impressions: by place, by slot, by both, new and known items, days since learning.

    Args:
        learned_until: microseconds; `at` (n,) are later.
    """
    names = np.asarray(places, object)
    found = {f"place {name or '(not said)'}": names == name for name in sorted(set(places))}
    found |= {f"slot {each}": slot == each for each in np.unique(slot[slot > 0]).tolist()}
    if len(found) and len(set(places)) > 1:
        found |= {
            f"{name or '(not said)'}, slot {each}": (names == name) & (slot == each)
            for name in sorted(set(places))
            for each in np.unique(slot[(slot > 0) & (slot <= 4)]).tolist()
        }
    found |= {"items new to the model": new, "items it knew": ~new}
    days = (at - learned_until) / DAY
    found |= {f"{_age_text(*age)} days after training": _in_age(days, *age) for age in AGES}
    return found


def purchases_by_age(
    clicked: BoolArray, bought: BoolArray, conversion: DoubleArray, age_days: DoubleArray
) -> tuple[PurchaseAge, ...]:
    """Purchases after clicks beside what was expected, by how long ago the click was.

    Args:
        clicked, bought: (n,). conversion: (n,) probability of a purchase after a click. age_days: (n,).
    """
    if np.isnan(conversion).any():
        return ()
    found = []
    for age in AGES:
        rows = clicked & _in_age(age_days, *age)
        if rows.any():
            expected = float(conversion[rows].sum())
            ratio = pcoc(bought[rows], conversion[rows])
            found.append(
                PurchaseAge(_age_text(*age), int(rows.sum()), int(bought[rows].sum()), expected, ratio)
            )
    return tuple(found)


def _in_age(days: DoubleArray, low: float, high: float | None) -> BoolArray:
    return np.asarray((days >= low) & (days < (np.inf if high is None else high)))


def _age_text(low: int, high: int | None) -> str:
    return f"{low}+" if high is None else f"{low} to {high}"
