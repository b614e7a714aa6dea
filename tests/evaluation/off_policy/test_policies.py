"""Target policies: one arm, or a table of choices by row or context."""

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.evaluation.off_policy.log import PolicyLog, policy_log
from recsys.evaluation.off_policy.policies import always, policy_of_choices

KEYS = ["old", "new", "old"]


@pytest.fixture
def log() -> PolicyLog:
    """Three rows of the arms `left` and `right`."""
    return policy_log(["left", "right", "left"], np.zeros(3), np.full(3, 0.5))


def test_a_policy_of_one_arm_shows_it_everywhere(log: PolicyLog) -> None:
    policy = always(log, "right")
    assert policy.name == "always right"
    assert policy.probabilities.tolist() == [[0, 1]] * 3


def test_an_arm_that_was_never_shown_is_refused_and_a_near_one_proposed(log: PolicyLog) -> None:
    with pytest.raises(DataError, match=r"never shows the arm 'rigth'.*100\.0%.*Did you mean 'right'"):
        always(log, "rigth")


def test_choices_are_spread_over_the_rows_of_their_key(log: PolicyLog) -> None:
    choices = [("old", "left", 0.25), ("old", "right", 0.75), ("new", "right", 1.0)]
    policy = policy_of_choices(log, "table", choices, KEYS)
    assert policy.probabilities.tolist() == [[0.25, 0.75], [0, 1], [0.25, 0.75]]


def test_what_is_said_of_a_context_that_no_row_has_does_not_count(log: PolicyLog) -> None:
    choices = [("old", "left", 1.0), ("new", "left", 1.0), ("elsewhere", "never shown", 1.0)]
    assert policy_of_choices(log, "table", choices, KEYS).probabilities[:, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([("old", "left", 1.5)], r"table: 'left' has the probability 1\.5 for old"),
        ([("old", "left", float("nan"))], r"has the probability nan for old"),
        ([("old", "left", 0.5), ("new", "left", 1.0)], r"probabilities for old sum to 0\.5"),
        ([("old", "left", 1.0), ("old", "left", 1.0)], r"probabilities for old sum to 2\."),
        ([("old", "left", 1.0)], r"table says nothing of row 2, new\. Give every context an arm"),
        (
            [("old", "left", 1.0), ("new", "up", 1.0)],
            r"never shows the arm 'up', where 33\.3% of the policy lies",
        ),
    ],
)
def test_a_table_that_is_no_policy_on_these_rows_is_refused(
    log: PolicyLog, choices: list[tuple[str, str, float]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        policy_of_choices(log, "table", choices, KEYS)
