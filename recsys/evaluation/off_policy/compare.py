"""Policies beside each other on one log, with differences and what speaks against believing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.arrays import DoubleArray
from recsys.errors import ConfigError, did_you_mean
from recsys.evaluation.off_policy.estimators import (
    DM,
    DR,
    ESTIMATORS,
    IPS,
    SNIPS,
    RatioOfSums,
    direct_method,
    doubly_robust,
    inverse_propensity,
    logged_value,
    self_normalised,
)
from recsys.evaluation.off_policy.intervals import (
    Estimate,
    analytic_estimate,
    bootstrap_draws,
    bootstrap_estimate,
)
from recsys.evaluation.off_policy.log import PolicyLog
from recsys.evaluation.off_policy.outcome_model import FOLDS, OutcomeModel, fit_outcome_model
from recsys.evaluation.off_policy.policies import TargetPolicy
from recsys.evaluation.off_policy.weights import (
    MIN_EFFECTIVE,
    Overlap,
    importance_weights,
    measure_overlap,
    overlap_warnings,
)

LOGGED = "as logged"


@dataclass(frozen=True)
class EstimationOptions:
    """How to estimate.

    Attributes:
        clip: weights above it count as it; None = no clipping.
        folds: of the outcome model. seed: of folds and resamples. samples: resamples of units.
    """

    clip: float | None = None
    folds: int = FOLDS
    seed: int = 0
    samples: int = 2_000


@dataclass(frozen=True)
class PolicyResult:
    """One policy: an estimate by each of `ESTIMATORS`; no overlap of the policy that wrote the log."""

    name: str
    estimates: Mapping[str, Estimate]
    overlap: Overlap | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PolicyDifference:
    """One policy less another, by each estimator, on the same rows."""

    name: str
    against: str
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True)
class PolicyComparison:
    """All policies on one log.

    Attributes:
        model: `logistic` or `linear`, that of the direct method.
    """

    log: PolicyLog
    options: EstimationOptions
    model: str
    policies: tuple[PolicyResult, ...]
    differences: tuple[PolicyDifference, ...]


@dataclass(frozen=True)
class _Measured:
    name: str
    ratios: Mapping[str, RatioOfSums]
    overlap: Overlap | None

    @property
    def few(self) -> bool:
        return self.overlap is not None and self.overlap.effective_units < MIN_EFFECTIVE


def evaluate_policies(
    log: PolicyLog,
    policies: Sequence[TargetPolicy],
    against: str = LOGGED,
    options: EstimationOptions | None = None,
) -> PolicyComparison:
    """The value of each policy and of the log's own, and each less the one named `against`.

    Raises:
        ConfigError: no policy has that name, or an option is out of range.
        DataError: the log never shows what a policy would.
    """
    options = options or EstimationOptions()
    names = [LOGGED, *(policy.name for policy in policies)]
    if against not in names:
        raise ConfigError(
            f"there is no policy {against!r} to compare with.{did_you_mean(against, names)} There are: "
            f"{', '.join(names[:20])}."
        )
    model = fit_outcome_model(log, options.folds, options.seed)
    logged = _Measured(LOGGED, dict.fromkeys(ESTIMATORS, logged_value(log)), None)
    measured = [logged, *(_measure(log, policy, model, options.clip) for policy in policies)]
    few = any(one.few for one in measured)
    draws = {one.name: _draws(log, one, options) for one in measured} if few else {}
    reference = next(one for one in measured if one.name == against)
    return PolicyComparison(
        log,
        options,
        model.kind,
        tuple(_result(log, one, draws) for one in measured),
        tuple(_difference(log, one, reference, draws) for one in measured if one is not reference),
    )


def _measure(log: PolicyLog, policy: TargetPolicy, model: OutcomeModel, clip: float | None) -> _Measured:
    weights = importance_weights(log, policy, clip)
    ratios = {
        IPS: inverse_propensity(log, weights),
        SNIPS: self_normalised(log, weights),
        DM: direct_method(log, policy, model),
        DR: doubly_robust(log, policy, weights, model.predicted),
    }
    return _Measured(policy.name, ratios, measure_overlap(log, importance_weights(log, policy)))


def _draws(log: PolicyLog, one: _Measured, options: EstimationOptions) -> Mapping[str, DoubleArray]:
    ratios = [one.ratios[name] for name in ESTIMATORS]
    drawn = bootstrap_draws(ratios, log.unit, options.samples, options.seed)
    return dict(zip(ESTIMATORS, drawn, strict=True))


def _result(log: PolicyLog, one: _Measured, draws: Mapping[str, Mapping[str, DoubleArray]]) -> PolicyResult:
    estimates = {}
    for name in ESTIMATORS:
        estimates[name] = analytic_estimate(one.ratios[name], log.unit)
        if one.few:
            estimates[name] = bootstrap_estimate(estimates[name], draws[one.name][name])
    warnings = [] if one.overlap is None else overlap_warnings(one.overlap)
    if estimates[DR].standard_error == 0 or estimates[IPS].standard_error == 0:
        warnings.append("no two rows of it differ: an interval without width says nothing")
    return PolicyResult(one.name, estimates, one.overlap, tuple(warnings))


def _difference(
    log: PolicyLog, one: _Measured, other: _Measured, draws: Mapping[str, Mapping[str, DoubleArray]]
) -> PolicyDifference:
    estimates = {}
    for name in ESTIMATORS:
        estimates[name] = analytic_estimate(one.ratios[name], log.unit, other.ratios[name])
        if one.few or other.few:
            drawn = draws[one.name][name], draws[other.name][name]
            estimates[name] = bootstrap_estimate(estimates[name], *drawn)
    return PolicyDifference(one.name, other.name, estimates)
