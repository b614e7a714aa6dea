"""Measures of click probabilities as rows for people, and as JSON."""

import math
from collections.abc import Mapping

from recsys.arrays import BoolArray, DoubleArray
from recsys.documents import JsonObject
from recsys.evaluation.ctr.measure import ClickMeasures, Interval
from recsys.evaluation.ctr.resamples import METRICS
from recsys.evaluation.reliability import measure_reliability

NAMES = {"auc": "AUC", "gauc": "gAUC", "log_loss": "log loss", "ece": "ECE", "pcoc": "PCOC"}


def measure_rows(measured: Mapping[str, ClickMeasures]) -> list[JsonObject]:
    """A line for each model or slice, metrics with their intervals."""
    return [
        {"name": name, "impressions": each.impressions, "clicks": each.clicks}
        | {NAMES[metric]: _text(each.metrics[metric]) for metric in METRICS}
        for name, each in measured.items()
    ]


def measure_documents(measured: Mapping[str, ClickMeasures]) -> list[JsonObject]:
    """The same with every digit, as JSON; null where a metric means nothing."""
    return [
        {
            "name": name,
            "impressions": each.impressions,
            "clicks": each.clicks,
            "users": each.users,
            "predicted_clicks": each.predicted,
            "metrics": {metric: _document(each.metrics[metric]) for metric in METRICS},
        }
        for name, each in measured.items()
    ]


def reliability_rows(probabilities: DoubleArray, clicked: BoolArray) -> list[JsonObject]:
    """A line for each bin of nearly equal probability: what was predicted, and what came true."""
    found = measure_reliability(probabilities, clicked)  # type: ignore[arg-type]
    return [
        {
            "impressions": each.candidates,
            "predicted": f"{each.predicted:.4f}",
            "clicked": f"{each.observed:.4f}",
            "95% interval": f"[{each.low:.4f}, {each.high:.4f}]",
        }
        for each in (found.bins if found else ())
    ]


def _text(interval: Interval) -> str:
    if math.isnan(interval.value):
        return "-"
    return f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _document(interval: Interval) -> JsonObject:
    values = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {name: None if math.isnan(value) else value for name, value in values.items()}
