"""What people and programs are told of a comparison."""

import json

import numpy as np
import pytest

from recsys.evaluation.off_policy.compare import EstimationOptions, PolicyComparison, evaluate_policies
from recsys.evaluation.off_policy.log import policy_log, row_number
from recsys.evaluation.off_policy.policies import always
from recsys.evaluation.off_policy.tables import (
    comparison_json,
    difference_rows,
    headline,
    overlap_rows,
    value_rows,
)


@pytest.fixture(scope="module")
def comparison() -> PolicyComparison:
    """Two arms, 400 times each at even odds: `a` has 100 clicks, `b` has 200."""
    clicks = np.array([1, 1, 0, 1, 0, 0, 0, 0] * 100, np.float64)
    log = policy_log(list("ab") * 400, clicks, np.full(800, 0.5))
    policies = [always(log, "a"), always(log, "b")]
    return evaluate_policies(log, policies, "always a", EstimationOptions(clip=10))


def test_the_log_has_one_line_and_each_policy_four(comparison: PolicyComparison) -> None:
    rows = value_rows(comparison)
    assert [(row["policy"], row["estimator"]) for row in rows[:3]] == [
        ("as logged", "mean"),
        ("always a", "IPS"),
        ("always a", "SNIPS"),
    ]
    assert len(rows) == 1 + 2 * 4
    assert rows[0]["value"] == "0.375"
    assert [row["value"] for row in rows[1:3]] == ["0.250", "0.250"]


def test_a_difference_says_whether_it_is_one(comparison: PolicyComparison) -> None:
    rows = difference_rows(comparison)
    assert [row["outcome"] for row in rows if row["policy"] == "always b"] == ["more"] * 4
    b = next(row for row in rows if row["policy"] == "always b" and row["estimator"] == "SNIPS")
    assert (b["difference"], b["less"]) == ("0.250", "always a")


def test_overlap_has_a_line_for_each_policy_that_is_not_the_logs(comparison: PolicyComparison) -> None:
    rows = overlap_rows(comparison)
    assert [row["policy"] for row in rows] == ["always a", "always b"]
    assert rows[0]["effective units"] == "400.0 of 800"
    assert rows[0]["largest weight"] == "2.0"


def test_the_headline_says_what_was_read_and_that_weights_are_clipped(comparison: PolicyComparison) -> None:
    assert headline(comparison) == (
        "800 rows of 800 units, 2 arms; outcome model: logistic on 0 columns, 5 folds; "
        "weights CLIPPED at 10, which biases"
    )


def test_json_says_all_that_the_tables_do(comparison: PolicyComparison) -> None:
    found = json.loads(json.dumps(comparison_json(comparison, row_number), allow_nan=False))
    assert (found["rows"], found["arms"], found["clip"]) == (800, {"a": 400, "b": 400}, 10)
    a = found["policies"][1]
    assert a["policy"] == "always a"
    assert a["estimates"]["ips"]["value"] == 0.25
    assert a["estimates"]["ips"]["interval"] == "analytic"
    assert a["overlap"]["effective_units"] == 400
    assert a["overlap"]["largest"][0] == {"row": "row 1", "weight": 2.0}
    assert [one["policy"] for one in found["differences"]] == ["as logged", "always b"]
