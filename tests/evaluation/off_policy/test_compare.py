"""Policies beside each other: estimates, differences, when intervals are resampled, and what is warned of."""

import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.evaluation.off_policy.compare import (
    LOGGED,
    EstimationOptions,
    PolicyComparison,
    evaluate_policies,
)
from recsys.evaluation.off_policy.estimators import ESTIMATORS
from recsys.evaluation.off_policy.log import policy_log
from recsys.evaluation.off_policy.policies import always
from recsys.evaluation.off_policy.simulated import simulate_log, simulated_world


@pytest.fixture(scope="module")
def comparison() -> PolicyComparison:
    log, target = simulate_log(simulated_world(), 3_000, np.random.default_rng(0))
    return evaluate_policies(log, [target, always(log, "arm 0"), always(log, "arm 3")], "target")


def test_the_log_is_a_policy_too_and_is_worth_its_mean(comparison: PolicyComparison) -> None:
    logged = comparison.policies[0]
    assert logged.name == LOGGED
    assert {one.value for one in logged.estimates.values()} == {comparison.log.outcome.mean()}
    assert logged.overlap is None


def test_each_policy_but_the_reference_is_compared_with_it(comparison: PolicyComparison) -> None:
    names = [policy.name for policy in comparison.policies]
    assert names == [LOGGED, "target", "always arm 0", "always arm 3"]
    assert [(one.name, one.against) for one in comparison.differences] == [
        (name, "target") for name in names if name != "target"
    ]
    values = {policy.name: policy.estimates for policy in comparison.policies}
    for one in comparison.differences:
        for name in ESTIMATORS:
            expected = values[one.name][name].value - values["target"][name].value
            assert one.estimates[name].value == pytest.approx(expected)


def test_with_many_effective_units_intervals_are_by_formula(comparison: PolicyComparison) -> None:
    assert {one.method for each in comparison.policies for one in each.estimates.values()} == {"analytic"}


def test_with_few_effective_units_intervals_are_resampled_and_that_is_said() -> None:
    log, target = simulate_log(simulated_world(), 300, np.random.default_rng(0))
    found = evaluate_policies(log, [target], options=EstimationOptions(samples=200))
    assert {one.method for one in found.policies[1].estimates.values()} == {"bootstrap"}
    assert {one.method for one in found.differences[0].estimates.values()} == {"bootstrap"}
    assert any("effective units" in text for text in found.policies[1].warnings)


def test_clipped_weights_are_counted_at_the_clip_and_overlap_still_sees_them_whole() -> None:
    log, target = simulate_log(simulated_world(), 3_000, np.random.default_rng(0))
    plain = evaluate_policies(log, [target]).policies[1]
    clipped = evaluate_policies(log, [target], options=EstimationOptions(clip=2.0)).policies[1]
    weights = np.minimum(target.probabilities[np.arange(len(log)), log.arm] / log.propensity, 2.0)
    assert clipped.estimates["ips"].value == pytest.approx(float((weights * log.outcome).mean()))
    assert clipped.estimates["ips"].standard_error < plain.estimates["ips"].standard_error
    assert clipped.overlap == plain.overlap


def test_a_difference_of_a_policy_from_what_was_logged_is_surer_than_two_intervals_suggest(
    comparison: PolicyComparison,
) -> None:
    target, arm = (comparison.policies[place].estimates["ips"].standard_error for place in (1, 3))
    difference = comparison.differences[2].estimates["ips"].standard_error
    assert difference < np.hypot(target, arm)


def test_outcomes_that_are_all_alike_have_intervals_without_width_and_that_is_said() -> None:
    log = policy_log(list("ab") * 200, np.zeros(400), np.full(400, 0.5))
    found = evaluate_policies(log, [always(log, "a")]).policies[1]
    assert "all its outcomes are alike: an interval without width says nothing" in found.warnings


def test_a_reference_that_is_no_policy_is_refused() -> None:
    log, target = simulate_log(simulated_world(), 100, np.random.default_rng(0))
    with pytest.raises(
        ConfigError, match=r"no policy 'targte' to compare with\. Did you mean 'target'.*as logged"
    ):
        evaluate_policies(log, [target], "targte")
