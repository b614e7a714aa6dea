"""The value of a target policy: inverse propensity, self-normalised, direct and doubly robust.

Each is a ratio of two sums over rows, so that errors, clusters, resamples and differences of all four are
computed in one way.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.arrays import DoubleArray
from recsys.evaluation.off_policy.log import PolicyLog
from recsys.evaluation.off_policy.outcome_model import OutcomeModel
from recsys.evaluation.off_policy.policies import TargetPolicy

IPS, SNIPS, DM, DR = "ips", "snips", "dm", "dr"
ESTIMATORS = (IPS, SNIPS, DM, DR)


@dataclass(frozen=True)
class RatioOfSums:
    """sum(above) / sum(below).

    Attributes:
        above, below: (N,) a row's share of each sum.
    """

    above: DoubleArray
    below: DoubleArray

    @cached_property
    def value(self) -> float:
        """The estimate."""
        return float(self.above.sum() / self.below.sum())

    @cached_property
    def influence(self) -> DoubleArray:
        """(N,) how far each row pulls the estimate; they sum to 0."""
        return (self.above - self.value * self.below) / float(self.below.sum())


def logged_value(log: PolicyLog) -> RatioOfSums:
    """The mean outcome: the value of the policy that wrote the log."""
    return RatioOfSums(log.outcome, np.ones(len(log)))


def inverse_propensity(log: PolicyLog, weights: DoubleArray) -> RatioOfSums:
    """mean(w y): unbiased where the log can show all that the target would.

    Paper: Horvitz and Thompson 1952.
    """
    return RatioOfSums(weights * log.outcome, np.ones(len(log)))


def self_normalised(log: PolicyLog, weights: DoubleArray) -> RatioOfSums:
    """sum(w y) / sum(w): a small bias for less variance, and never beyond the outcomes that were seen.

    Paper: Swaminathan and Joachims 2015, The self-normalized estimator for counterfactual learning.
    """
    return RatioOfSums(weights * log.outcome, weights)


def policy_prediction(policy: TargetPolicy, predicted: DoubleArray) -> DoubleArray:
    """(N,) the outcome that a model expects of the target policy; `predicted` is (N, A)."""
    return np.asarray(np.einsum("na,na->n", policy.probabilities, predicted), np.float64)


def doubly_robust(
    log: PolicyLog, policy: TargetPolicy, weights: DoubleArray, predicted: DoubleArray
) -> RatioOfSums:
    """mean(q(x, policy) + w (y - q(x, arm))): right if either propensities or predictions are.

    Args:
        predicted: (N, A) q, the expected outcome of each arm, by a model that did not see the row.

    Paper: Dudik et al. 2011, Doubly robust policy evaluation and learning, arXiv 1103.4601, eq. 1.
    """
    missed = log.outcome - predicted[np.arange(len(log)), log.arm]
    return RatioOfSums(policy_prediction(policy, predicted) + weights * missed, np.ones(len(log)))


def direct_method(log: PolicyLog, policy: TargetPolicy, model: OutcomeModel) -> RatioOfSums:
    """mean(q(x, policy)): as good as the model, and biased where that is.

    The rows' shares include how far each pulled the models that predict other rows, without which the
    standard error would leave out that the models are estimated. It is the error around what the model
    converges to: of the model's bias it knows nothing.
    """
    pulled = _model_influence(log, policy, model)
    above = policy_prediction(policy, model.predicted) + pulled - pulled.mean()
    return RatioOfSums(above, np.ones(len(log)))


def _model_influence(log: PolicyLog, policy: TargetPolicy, model: OutcomeModel) -> DoubleArray:
    """(N,) the first-order change of the sum of predictions by each row's part in the training sets.

    Of fold k and arm a: G' H^-1 x (y - q(x, a)), with G the gradient of the sum of predictions of fold k by
    the coefficients, and H the curvature of the loss that they minimise.
    """
    pulled = np.zeros(len(log))
    for part, models in enumerate(model.models):
        rows, training = model.fold == part, model.fold != part
        design = model.design[rows]
        pull = np.empty((len(models), design.shape[1]))
        for arm, fitted in enumerate(models):
            gradient = (policy.probabilities[rows, arm] * fitted.slope(design)) @ design
            pull[arm] = np.linalg.solve(fitted.curvature, gradient)
        by_row = np.einsum("nd,nd->n", model.design, pull[log.arm])
        pulled += np.where(training, by_row * model.missed[part], 0.0)
    return pulled
