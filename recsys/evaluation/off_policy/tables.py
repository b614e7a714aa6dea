"""A comparison of policies as rows for people, and as JSON."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from recsys.documents import JsonObject
from recsys.evaluation.off_policy.compare import LOGGED, PolicyComparison
from recsys.evaluation.off_policy.estimators import DM, DR, ESTIMATORS, IPS, SNIPS
from recsys.evaluation.off_policy.intervals import Estimate
from recsys.evaluation.off_policy.weights import Overlap

_NAMES = {IPS: "IPS", SNIPS: "SNIPS", DM: "direct method", DR: "doubly robust"}


def value_rows(comparison: PolicyComparison) -> list[JsonObject]:
    """A line for each policy and estimator; one for what was logged."""
    rows: list[JsonObject] = []
    for policy in comparison.policies:
        for name in ESTIMATORS if policy.name != LOGGED else ESTIMATORS[:1]:
            label = _NAMES[name] if policy.name != LOGGED else "mean"
            rows.append({"policy": policy.name, "estimator": label} | _cells(policy.estimates[name], "value"))
    return rows


def difference_rows(comparison: PolicyComparison) -> list[JsonObject]:
    """A line for each policy and estimator: the policy less the one that it is compared with."""
    return [
        {"policy": difference.name, "less": difference.against, "estimator": _NAMES[name]}
        | _cells(difference.estimates[name], "difference")
        | {"outcome": _outcome(difference.estimates[name])}
        for difference in comparison.differences
        for name in ESTIMATORS
    ]


def overlap_rows(comparison: PolicyComparison) -> list[JsonObject]:
    """A line for each policy: how the log covers it."""
    return [
        {
            "policy": policy.name,
            "effective units": f"{policy.overlap.effective_units:,.1f} of {comparison.log.units:,}",
            "mean weight": f"{policy.overlap.mean_weight:.3f}",
            "largest weight": f"{policy.overlap.largest[0][1]:.1f}",
            "its share": f"{policy.overlap.largest_share:.2%}",
            "little overlap": f"{policy.overlap.little:.1%} (+-{policy.overlap.little_error:.1%})",
        }
        for policy in comparison.policies
        if policy.overlap is not None
    ]


def headline(comparison: PolicyComparison) -> str:
    """What was read, and how the outcome is modelled."""
    log, options = comparison.log, comparison.options
    clipped = "not clipped" if options.clip is None else f"CLIPPED at {options.clip:g}, which biases"
    return (
        f"{len(log):,} rows of {log.units:,} units, {len(log.arms)} arms; outcome model: {comparison.model} "
        f"on {log.features.shape[1]} columns, {options.folds} folds; weights {clipped}"
    )


def comparison_json(comparison: PolicyComparison, where: Callable[[int], str]) -> JsonObject:
    """What `--json` prints.

    Args:
        where: the place of row i.
    """
    log, options = comparison.log, comparison.options
    shown = np.bincount(log.arm, minlength=len(log.arms)).tolist()
    return {
        "rows": len(log),
        "units": log.units,
        "arms": dict(zip(log.arms, shown, strict=True)),
        "outcome_model": {"kind": comparison.model, "columns": log.features.shape[1], "folds": options.folds},
        "clip": options.clip,
        "seed": options.seed,
        "policies": [
            {
                "policy": policy.name,
                "estimates": _estimates_json(policy.estimates),
                "overlap": None if policy.overlap is None else _overlap_json(policy.overlap, where),
                "warnings": list(policy.warnings),
            }
            for policy in comparison.policies
        ],
        "differences": [
            {"policy": each.name, "against": each.against, "estimates": _estimates_json(each.estimates)}
            for each in comparison.differences
        ],
    }


def _estimates_json(estimates: Mapping[str, Estimate]) -> JsonObject:
    return {
        name: {
            "value": estimate.value,
            "standard_error": estimate.standard_error,
            "low": estimate.low,
            "high": estimate.high,
            "interval": estimate.method,
        }
        for name, estimate in estimates.items()
    }


def _overlap_json(overlap: Overlap, where: Callable[[int], str]) -> JsonObject:
    return {
        "little_overlap": overlap.little,
        "little_overlap_error": overlap.little_error,
        "mean_weight": overlap.mean_weight,
        "mean_weight_error": overlap.mean_weight_error,
        "effective_units": overlap.effective_units,
        "largest_share": overlap.largest_share,
        "largest": [{"row": where(row), "weight": weight} for row, weight in overlap.largest],
    }


def _cells(estimate: Estimate, name: str) -> dict[str, str]:
    digits = _digits(estimate.standard_error)
    return {
        name: f"{estimate.value:.{digits}f}",
        "standard error": f"{estimate.standard_error:.{digits}f}",
        "95% interval": f"[{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]",
        "by": estimate.method,
    }


def _digits(error: float) -> int:
    """Decimals that show two digits of a standard error.

    >>> _digits(0.0123), _digits(45.6), _digits(0.0)
    (3, 0, 4)
    """
    if not error > 0:
        return 4
    return min(max(1 - math.floor(math.log10(error)), 0), 12)


def _outcome(estimate: Estimate) -> str:
    return "more" if estimate.low > 0 else "less" if estimate.high < 0 else "not told apart"
