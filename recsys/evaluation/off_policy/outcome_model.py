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
LARGEST_DESIGN = 1e8  # cells of (folds, arms, columns, columns)


@dataclass(frozen=True)
class OutcomeModel:
    """K models of each of A arms, and what they predict.

    Attributes:
        predicted: (N, A) the expected outcome, by the models of the row's fold.
        fold: (N,) from 0 to K - 1.
        models: K tuples of A: fitted without that fold.
        design: (N, D) what they read: 1 and the standardised context.
        shift, scale: (K,) models say (outcome - shift) / scale; 0 and 1 where they are logistic.
    """

    predicted: DoubleArray
    fold: IntArray
    models: tuple[tuple[Regression, ...], ...]
    design: DoubleArray
    shift: DoubleArray
    scale: DoubleArray

    @property
    def kind(self) -> str:
        """`logistic` or `linear`."""
        return "logistic" if self.models[0][0].logistic else "linear"

    def training_prediction(self, fold: int, arm: IntArray) -> DoubleArray:
        """(N,) what the models without `fold` say of the arm that each row showed."""
        found = np.zeros(len(arm))
        for place, model in enumerate(self.models[fold]):
            rows = arm == place
            found[rows] = self.shift[fold] + self.scale[fold] * model.mean(self.design[rows])
        return found


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
    folds = min(folds, log.units)
    if folds < 2:
        raise ConfigError(f"{folds} folds cannot be cross-fitted. Use 2 or more; 5 is usual.")
    design = np.column_stack([np.ones(len(log)), _standardised(log.features)])
    if folds * len(log.arms) * design.shape[1] ** 2 > LARGEST_DESIGN:
        raise ConfigError(
            f"{len(log.arms)} arms with {design.shape[1]} features each are too many to model. Use fewer "
            "features, or texts with fewer values."
        )
    fold = (np.random.default_rng(seed).permutation(log.units) % folds)[log.unit]
    predicted = np.zeros((len(log), len(log.arms)))
    models, shift, scale = [], np.zeros(folds), np.ones(folds)
    for part in range(folds):
        training, rows = fold != part, fold == part
        if not log.binary:
            shift[part] = log.outcome[training].mean()
            scale[part] = log.outcome[training].std() or 1.0
        outcome = (log.outcome - shift[part]) / scale[part]
        fitted = _fit_arms(log, design, outcome, training, penalty)
        models.append(fitted)
        for arm, model in enumerate(fitted):
            predicted[rows, arm] = shift[part] + scale[part] * model.mean(design[rows])
    return OutcomeModel(predicted, fold, tuple(models), design, shift, scale)


def _fit_arms(
    log: PolicyLog, design: DoubleArray, outcome: DoubleArray, training: BoolArray, penalty: float
) -> tuple[Regression, ...]:
    shown = [training & (log.arm == arm) for arm in range(len(log.arms))]
    if not log.binary:
        return tuple(fit_ridge(design[rows], outcome[rows], 0.0, penalty) for rows in shown)
    rate = (outcome[training].sum() + 0.5) / (training.sum() + 1)
    centre = float(np.log(rate / (1 - rate)))
    return tuple(fit_logistic(design[rows], outcome[rows], centre, penalty) for rows in shown)


def _standardised(features: DoubleArray) -> DoubleArray:
    """Columns with mean 0 and standard deviation 1; one that does not vary is 0."""
    spread = features.std(axis=0)
    return np.asarray((features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0), np.float64)
