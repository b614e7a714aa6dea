"""The expected outcome of each arm in each context, by models that never saw the row that they predict.

A model of its own for each arm, drawn to the mean of all arms where it has few rows. Predictions of a row
come from the folds that the row's unit is not in: were they not, doubly robust estimates would be biased.

Paper: Chernozhukov et al. 2018, Double/debiased machine learning, arXiv 1608.00060 (cross-fitting).
"""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import BoolArray, DoubleArray, IntArray
from recsys.errors import ConfigError
from recsys.evaluation.off_policy.log import PolicyLog
from recsys.evaluation.off_policy.regression import Regression, fit_logistic, fit_ridge

FOLDS = 5
PENALTY = 1.0  # as much as one row says
MOST_CELLS = 2e8  # of one array of doubles: 1.6 GB


@dataclass(frozen=True)
class OutcomeModel:
    """K models of each of A arms, and what they predict.

    Attributes:
        predicted: (N, A) the expected outcome, by the models of the row's fold.
        fold: (N,) from 0 to K - 1.
        models: K tuples of A: fitted without that fold, on standardised outcomes where they are linear.
        design: (N, D) what they read: 1 and the standardised context.
        missed: (K, N) the outcome less what the models without that fold say of the arm that was shown.
    """

    predicted: DoubleArray
    fold: IntArray
    models: tuple[tuple[Regression, ...], ...]
    design: DoubleArray
    missed: DoubleArray

    @property
    def kind(self) -> str:
        """`logistic` or `linear`."""
        return "logistic" if self.models[0][0].logistic else "linear"


def fit_outcome_model(
    log: PolicyLog, folds: int = FOLDS, seed: int = 0, penalty: float = PENALTY
) -> OutcomeModel:
    """Cross-fitted models, logistic where every outcome is 0 or 1, else linear.

    Args:
        folds: how many parts the units fall into; at most the number of units.
        seed: which unit falls into which.

    Raises:
        ConfigError: fewer than two folds, or arms and features are too many.
    """
    check_model_size(log, folds)
    folds = min(folds, log.units)
    design = np.column_stack([np.ones(len(log)), _standardised(log.features)])
    fold = (np.random.default_rng(seed).permutation(log.units) % folds)[log.unit]
    predicted = np.zeros((len(log), len(log.arms)))
    missed = np.zeros((folds, len(log)))
    models = []
    for part in range(folds):
        training, held_out = fold != part, fold == part
        fitted, shift, scale = _fit_arms(log, design, training, penalty)
        models.append(fitted)
        for arm, model in enumerate(fitted):
            shown = log.arm == arm
            predicted[held_out, arm] = shift + scale * model.mean(design[held_out])
            missed[part, shown] = log.outcome[shown] - shift - scale * model.mean(design[shown])
    return OutcomeModel(predicted, fold, tuple(models), design, missed)


def check_model_size(log: PolicyLog, folds: int = FOLDS) -> None:
    """Makes sure that the models of that many folds fit into memory.

    Raises:
        ConfigError: fewer than two folds, or arms and features are too many.
    """
    if folds < 2:
        raise ConfigError(f"{folds} folds cannot be cross-fitted. Use 2 or more; 5 is usual.")
    arms, width = len(log.arms), log.features.shape[1] + 1
    if len(log) * max(arms, width) > MOST_CELLS or folds * arms * width**2 > MOST_CELLS:
        raise ConfigError(
            f"{len(log)} rows of {arms} arms with {width - 1} features are too much for one process. Use "
            "fewer rows, fewer features, or group arms that are alike."
        )


def _fit_arms(
    log: PolicyLog, design: DoubleArray, training: BoolArray, penalty: float
) -> tuple[tuple[Regression, ...], float, float]:
    """A model of each arm, of (outcome - shift) / scale, and shift and scale: of these rows alone."""
    outcome = log.outcome
    shown = [training & (log.arm == arm) for arm in range(len(log.arms))]
    if log.binary:
        rate = (outcome[training].sum() + 0.5) / (training.sum() + 1)
        centre = float(np.log(rate / (1 - rate)))
        return tuple(fit_logistic(design[rows], outcome[rows], centre, penalty) for rows in shown), 0.0, 1.0
    shift, scale = float(outcome[training].mean()), float(outcome[training].std()) or 1.0
    models = (fit_ridge(design[rows], (outcome[rows] - shift) / scale, 0.0, penalty) for rows in shown)
    return tuple(models), shift, scale


def _standardised(features: DoubleArray) -> DoubleArray:
    """Columns with mean 0 and standard deviation 1; one that does not vary is 0."""
    spread = features.std(axis=0)
    return np.asarray((features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0), np.float64)
