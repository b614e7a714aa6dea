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
LEAST_WITHIN = 0.93  # of 200 logs; right would be 95.4%, with a chance error of 1.5%


@dataclass(frozen=True)
class Coverage:
    """Of many logs: estimates within 2 standard errors of the truth, intervals that hold it, bias."""

    within: dict[str, float]
    covered: dict[str, float]
    bias: dict[str, float]
    warned: float

    def __str__(self) -> str:
        lines = [
            f"{name}: within 2 standard errors {self.within[name]:.1%}, in the 95% interval "
            f"{self.covered[name]:.1%}, bias {self.bias[name]:+.4f}"
            for name in ESTIMATORS
        ]
        return "\n".join([*lines, f"warned of: {self.warned:.1%}"])


def coverage(logs: int, rows: int = ROWS, rows_per_unit: int = 1) -> Coverage:
    world = simulated_world()
    results = []
    for seed in range(logs):
        log, target = simulate_log(world, rows, np.random.default_rng(seed), rows_per_unit)
        results.append(evaluate_policies(log, [target]).policies[1])
    found = {
        name: np.array([(one.value, one.standard_error, one.low, one.high) for one in estimates]).T
        for name, estimates in ((name, [each.estimates[name] for each in results]) for name in ESTIMATORS)
    }
    truth = world.target_value
    return Coverage(
        within={
            name: float((abs(v - truth) <= 2 * error).mean()) for name, (v, error, _, _) in found.items()
        },
        covered={
            name: float(((low <= truth) & (truth <= high)).mean())
            for name, (_, _, low, high) in found.items()
        },
        bias={name: float((v - truth).mean()) for name, (v, *_) in found.items()},
        warned=float(np.mean([bool(each.warnings) for each in results])),
    )


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


def printed(logs: int, rows: int, rows_per_unit: int) -> Coverage:
    """The coverage, told with what it was measured on; see it with `-s`."""
    found = coverage(logs, rows, rows_per_unit)
    of = f"{logs} logs of {rows} rows, {rows_per_unit} a unit, seeds 0 to {logs - 1}, {BEHAVIOUR}"
    sys.stdout.write(f"\n{of}\n{found}\n")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rows_per_unit", [1, 5])
def test_doubly_robust_is_within_two_standard_errors_of_the_truth_in_200_logs(rows_per_unit: int) -> None:
    found = printed(LOGS, ROWS, rows_per_unit)
    assert found.within[DR] >= LEAST_WITHIN, found
    assert min(found.within[IPS], found.within[SNIPS]) >= 0.9, found
    assert found.warned < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "rows_per_unit"), [(200, 1), (1_000, 25)])
def test_where_few_units_count_intervals_are_too_narrow_and_each_log_is_warned_of(
    rows: int, rows_per_unit: int
) -> None:
    found = printed(LOGS, rows, rows_per_unit)
    assert found.warned == 1.0
    assert 0.75 < found.within[DR] < 0.95
