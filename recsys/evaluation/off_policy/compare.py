"""Policies beside each other on one log, with differences and what speaks against believing them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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
from recsys.evaluation.off_policy.log import PolicyLog, row_number
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


def evaluate_policies(
    log: PolicyLog,
    policies: Sequence[TargetPolicy],
    against: str = LOGGED,
    options: EstimationOptions | None = None,
    where: Callable[[int], str] = row_number,
) -> PolicyComparison:
    """The value of each policy and of the log's own, and each less the one named `against`.

    Args:
        where: the place of row i, for warnings.

    Raises:
        ConfigError: no policy has that name, or an option is out of range.
        DataError: the log never shows what a policy would.
    """
    options = options or EstimationOptions()
    by_name: dict[str, TargetPolicy | None] = {LOGGED: None} | {policy.name: policy for policy in policies}
    if against not in by_name:
        raise ConfigError(
            f"there is no policy {against!r} to compare with.{did_you_mean(against, by_name)} There are: "
            f"{', '.join(list(by_name)[:20])}."
        )
    for policy in policies:  # before the models are fitted
        importance_weights(log, policy, options.clip)
    model = fit_outcome_model(log, options.folds, options.seed)
    resamples = _Resamples(log, options)
    reference = _measure(log, against, by_name[against], model, options)
    results, differences = [], []
    for name, each in by_name.items():
        one = reference if name == against else _measure(log, name, each, model, options)
        results.append(_result(one, resamples, where))
        if one is not reference:
            differences.append(_difference(one, reference, resamples))
    return PolicyComparison(log, options, model.kind, tuple(results), tuple(differences))


@dataclass(frozen=True)
class _Measured:
    """One policy's four ratios, and whether its weights leave few effective units."""

    name: str
    ratios: Mapping[str, RatioOfSums]
    overlap: Overlap | None

    @property
    def few(self) -> bool:
        return self.overlap is not None and self.overlap.effective_units < MIN_EFFECTIVE


@dataclass(frozen=True)
class _Resamples:
    """The ratios of policies on the same resamples of units; each policy is resampled once, if asked for."""

    log: PolicyLog
    options: EstimationOptions
    drawn: dict[str, Mapping[str, DoubleArray]] = field(default_factory=dict)

    def of(self, one: _Measured) -> Mapping[str, DoubleArray]:
        if one.name not in self.drawn:
            ratios, options = one.ratios, self.options
            draws = bootstrap_draws(list(ratios.values()), self.log.unit, options.samples, options.seed)
            self.drawn[one.name] = dict(zip(ratios, draws, strict=True))
        return self.drawn[one.name]


def _measure(
    log: PolicyLog,
    name: str,
    policy: TargetPolicy | None,
    model: OutcomeModel,
    options: EstimationOptions,
) -> _Measured:
    if policy is None:
        return _Measured(name, dict.fromkeys(ESTIMATORS, logged_value(log)), None)
    weights = importance_weights(log, policy, options.clip)
    ratios = {
        IPS: inverse_propensity(log, weights),
        SNIPS: self_normalised(log, weights),
        DM: direct_method(log, policy, model),
        DR: doubly_robust(log, policy, weights, model.predicted),
    }
    return _Measured(name, ratios, measure_overlap(log, importance_weights(log, policy)))


def _result(one: _Measured, resamples: _Resamples, where: Callable[[int], str]) -> PolicyResult:
    unit = resamples.log.unit
    estimates = {name: analytic_estimate(ratio, unit) for name, ratio in one.ratios.items()}
    if one.few:
        draws = resamples.of(one)
        estimates = {name: bootstrap_estimate(estimates[name], draws[name]) for name in ESTIMATORS}
    warnings = [] if one.overlap is None else overlap_warnings(one.overlap, where)
    if estimates[IPS].standard_error == 0:
        warnings.append("all its outcomes are alike: an interval without width says nothing")
    return PolicyResult(one.name, estimates, one.overlap, tuple(warnings))


def _difference(one: _Measured, other: _Measured, resamples: _Resamples) -> PolicyDifference:
    unit = resamples.log.unit
    estimates = {name: analytic_estimate(one.ratios[name], unit, other.ratios[name]) for name in ESTIMATORS}
    if one.few or other.few:
        drawn, others = resamples.of(one), resamples.of(other)
        estimates = {
            name: bootstrap_estimate(estimates[name], drawn[name], others[name]) for name in ESTIMATORS
        }
    return PolicyDifference(one.name, other.name, estimates)
