"""Logs of a known policy whose true values are known: what the estimators' intervals are checked on.

Contexts are two numbers of nine levels each, so that the truth is a sum over 81 contexts, no estimate. The
outcome is 0 or 1; its log-odds have a product and a square that a regression on the two numbers cannot fit.
"""

from dataclasses import dataclass

import numpy as np

from recsys.arrays import DoubleArray
from recsys.evaluation.off_policy.log import PolicyLog, policy_log
from recsys.evaluation.off_policy.policies import TargetPolicy
from recsys.evaluation.off_policy.regression import sigmoid

LEVELS, ARMS = 9, 4
BEHAVIOUR = "softmax of a linear score, mixed with 20% uniform: propensities from .05 to .72"
_UNIFORM = 0.2


@dataclass(frozen=True)
class SimulatedWorld:
    """All contexts, equally likely, and what is true of each.

    Attributes:
        contexts: (C, 2). expected: (C, A) the chance of outcome 1. behaviour, target: (C, A).
    """

    contexts: DoubleArray
    expected: DoubleArray
    behaviour: DoubleArray
    target: DoubleArray

    @property
    def target_value(self) -> float:
        """The true mean outcome of the target policy."""
        return float((self.target * self.expected).sum(axis=1).mean())

    @property
    def logged_value(self) -> float:
        """The true mean outcome of the policy that writes the logs."""
        return float((self.behaviour * self.expected).sum(axis=1).mean())


def simulated_world() -> SimulatedWorld:
    """The world; there is one."""
    level = np.linspace(-1, 1, LEVELS)
    contexts = np.array([(first, second) for first in level for second in level])
    first, second = contexts[:, :1], contexts[:, 1:]
    arm = np.arange(ARMS)
    scores = -1.5 + 0.4 * arm + first * (arm - 1.5) + first * second * (2 - arm) + 0.8 * second**2
    liked = np.array([1.5, 0.5, -0.5, -1.5]) * first + np.array([-1.0, 1.0, -1.0, 1.0]) * second
    wanted = np.array([-1.0, -0.5, 0.5, 1.0]) * first + 0.5 * second * (arm == 2)
    behaviour = (1 - _UNIFORM) * _softmax(liked) + _UNIFORM / ARMS
    return SimulatedWorld(contexts, sigmoid(scores), behaviour, _softmax(2 * wanted))


def simulate_log(
    world: SimulatedWorld, rows: int, rng: np.random.Generator, rows_per_unit: int = 1
) -> tuple[PolicyLog, TargetPolicy]:
    """A log of the world's behaviour policy, and the target policy on its rows.

    Args:
        rows_per_unit: so many rows in turn have one context and one arm, and outcomes that agree half of
            the time: the rows of one unit.
    """
    units = -(-rows // rows_per_unit)
    unit = np.repeat(np.arange(units), rows_per_unit)[:rows]
    context = rng.integers(0, len(world.contexts), units)
    arm = (rng.random((units, 1)) > world.behaviour[context].cumsum(axis=1)[:, :-1]).sum(axis=1)
    shared = rng.random(units)
    chance = shared[unit]
    if rows_per_unit > 1:
        chance = np.where(rng.random(rows) < 0.5, chance, rng.random(rows))
    context, arm = context[unit], arm[unit]
    outcome = (chance < world.expected[context, arm]).astype(np.float64)
    log = policy_log(
        [f"arm {each}" for each in arm.tolist()],
        outcome,
        world.behaviour[context, arm],
        unit.tolist(),
        world.contexts[context],
    )
    return log, TargetPolicy("target", world.target[context])


def _softmax(scores: DoubleArray) -> DoubleArray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
