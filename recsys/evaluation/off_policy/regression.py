"""Regularised regressions of an outcome on a context, for many arms with few rows each."""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray

_STEPS, _HALVINGS = 100, 40
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Regression:
    """A generalised linear model: mean = link(design @ coefficients).

    Attributes:
        coefficients: (D,), of a design whose first column is 1.
        curvature: (D, D) the second derivative of the penalised loss there, in rows.
        logistic: whether the link is the logistic function, else the identity.
    """

    coefficients: DoubleArray
    curvature: DoubleArray
    logistic: bool

    def mean(self, design: DoubleArray) -> DoubleArray:
        """(n,) the expected outcome."""
        scores = design @ self.coefficients
        return sigmoid(scores) if self.logistic else scores

    def slope(self, design: DoubleArray) -> DoubleArray:
        """(n,) the derivative of the mean by the score."""
        if not self.logistic:
            return np.ones(len(design))
        mean = self.mean(design)
        return mean * (1 - mean)


def sigmoid(scores: DoubleArray) -> DoubleArray:
    """1 / (1 + exp(-scores)), without overflow."""
    return np.exp(-np.logaddexp(0.0, -scores))


def fit_ridge(design: DoubleArray, outcome: DoubleArray, centre: float, penalty: float) -> Regression:
    """Least squares with penalty / 2 x (squared slopes + squared distance of the intercept from `centre`).

    With no rows the intercept is `centre` and the slopes are 0.
    """
    prior = _prior(design, centre)
    curvature = design.T @ design + penalty * np.eye(design.shape[1])
    step = np.linalg.solve(curvature, design.T @ (outcome - design @ prior))
    return Regression(prior + step, curvature, logistic=False)


def fit_logistic(design: DoubleArray, outcome: DoubleArray, centre: float, penalty: float) -> Regression:
    """Log loss with the same penalty, by Newton's method with halved steps; outcomes are 0 or 1.

    Args:
        centre: where the intercept is drawn to, a log-odds.
    """
    prior = _prior(design, centre)
    coefficients = prior.copy()
    loss = _log_loss(design, outcome, coefficients, prior, penalty)
    for _ in range(_STEPS):
        mean = sigmoid(design @ coefficients)
        gradient = design.T @ (mean - outcome) + penalty * (coefficients - prior)
        if np.abs(gradient).max() <= _TOLERANCE * (1 + len(design)):
            break
        step = np.linalg.solve(_curvature(design, mean, penalty), gradient)
        size, before = 1.0, loss
        for _ in range(_HALVINGS):
            loss = _log_loss(design, outcome, coefficients - size * step, prior, penalty)
            if loss <= before:
                break
            size /= 2
        else:
            break
        coefficients = coefficients - size * step
    curvature = _curvature(design, sigmoid(design @ coefficients), penalty)
    return Regression(coefficients, curvature, logistic=True)


def _prior(design: DoubleArray, centre: float) -> DoubleArray:
    prior = np.zeros(design.shape[1])
    prior[0] = centre
    return prior


def _curvature(design: DoubleArray, mean: DoubleArray, penalty: float) -> DoubleArray:
    return (design * (mean * (1 - mean))[:, None]).T @ design + penalty * np.eye(design.shape[1])


def _log_loss(
    design: DoubleArray, outcome: DoubleArray, at: DoubleArray, prior: DoubleArray, penalty: float
) -> float:
    scores = design @ at
    loss = float((np.logaddexp(0.0, scores) - outcome * scores).sum())
    return loss + penalty / 2 * float(((at - prior) ** 2).sum())
