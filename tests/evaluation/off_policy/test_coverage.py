"""How often intervals hold the truth, on logs of a known policy in a world whose true values are sums.

Behaviour: a softmax mixed with 20% uniform, four arms, propensities .05 to .72; the outcome model reads two
columns and is wrong. Logs have 10,000 rows each and the seeds 0, 1, 2, ...; see `simulated.py`.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from recsys.evaluation.off_policy.compare import evaluate_policies
from recsys.evaluation.off_policy.estimators import DM, DR, ESTIMATORS, IPS, SNIPS
from recsys.evaluation.off_policy.simulated import BEHAVIOUR, simulate_log, simulated_world

ROWS, LOGS, FEW_LOGS = 10_000, 200, 25
MOST_ALIKE = 0.93  # at least, of intervals of two standard errors


@dataclass(frozen=True)
class Coverage:
    """Of many logs: the share within 2 standard errors of the truth, that in the 95% interval, the bias."""

    within: dict[str, float]
    covered: dict[str, float]
    bias: dict[str, float]

    def __str__(self) -> str:
        return "\n".join(
            f"{name}: within 2 standard errors {self.within[name]:.1%}, in the 95% interval "
            f"{self.covered[name]:.1%}, bias {self.bias[name]:+.4f}"
            for name in ESTIMATORS
        )


def coverage(logs: int, rows: int = ROWS, rows_per_unit: int = 1) -> Coverage:
    world = simulated_world()
    truth = world.target_value
    found = []
    for seed in range(logs):
        log, target = simulate_log(world, rows, np.random.default_rng(seed), rows_per_unit)
        found.append(evaluate_policies(log, [target]).policies[1].estimates)

    def share(of: str, test: str) -> float:
        tests = {
            "within": lambda one: abs(one.value - truth) <= 2 * one.standard_error,
            "covered": lambda one: one.low <= truth <= one.high,
            "bias": lambda one: one.value - truth,
        }
        return float(np.mean([tests[test](estimates[of]) for estimates in found]))

    within, covered, bias = (
        {name: share(name, test) for name in ESTIMATORS} for test in ("within", "covered", "bias")
    )
    return Coverage(within, covered, bias)


def test_the_world_has_the_propensities_that_are_stated() -> None:
    behaviour = simulated_world().behaviour
    assert BEHAVIOUR.endswith(f"from {behaviour.min():.2f} to {behaviour.max():.2f}".replace("0.", "."))
    assert behaviour.sum(axis=1) == pytest.approx(1)


def test_truths_are_the_means_of_a_very_long_log() -> None:
    world = simulated_world()
    log, target = simulate_log(world, 400_000, np.random.default_rng(99))
    assert log.outcome.mean() == pytest.approx(world.logged_value, abs=0.003)
    weights = target.probabilities[np.arange(len(log)), log.arm] / log.propensity
    assert (weights * log.outcome).mean() == pytest.approx(world.target_value, abs=0.01)


def test_intervals_hold_the_truth_in_a_few_logs_except_those_of_a_wrong_model() -> None:
    found = coverage(FEW_LOGS, rows=4_000)
    for name in (IPS, SNIPS, DR):
        assert found.within[name] >= 22 / FEW_LOGS, found
        assert abs(found.bias[name]) < 0.01
    assert found.bias[DM] < -0.01  # the direct method believes its model
    assert found.within[DM] < 0.9


def test_rows_of_one_user_do_not_make_intervals_too_narrow() -> None:
    found = coverage(FEW_LOGS, rows=4_000, rows_per_unit=5)
    assert min(found.within[name] for name in (IPS, SNIPS, DR)) >= 22 / FEW_LOGS, found


@pytest.mark.slow
@pytest.mark.parametrize("rows_per_unit", [1, 5])
def test_doubly_robust_is_within_two_standard_errors_of_the_truth_in_200_logs(rows_per_unit: int) -> None:
    found = coverage(LOGS, ROWS, rows_per_unit)
    sys.stdout.write(
        f"\n{LOGS} logs of {ROWS} rows, {rows_per_unit} a unit, seeds 0 to {LOGS - 1}, {BEHAVIOUR}\n{found}\n"
    )
    assert found.within[DR] >= MOST_ALIKE, found
    assert min(found.within[IPS], found.within[SNIPS]) >= 0.9, found
