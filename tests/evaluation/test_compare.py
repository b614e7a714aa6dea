"""Scorers beside each other, by visible arithmetic."""

from dataclasses import dataclass

import numpy as np
import pytest

from recsys.arrays import FloatArray
from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import leave_one_out
from recsys.errors import DataError
from recsys.evaluation.compare import Evaluation, evaluate_scorers
from recsys.evaluation.rankings import Seen

SETTINGS = EvaluationSettings(cutoffs=(1, 3), bootstrap_samples=50)


@dataclass(frozen=True)
class Oracle:
    """Knows the target, and puts it at the given place after the items of lowest index."""

    split_targets: dict[int, int]
    place: int
    name: str

    def score(self, cases: EvalCases) -> FloatArray:
        scores = np.tile(-np.arange(6, dtype=np.float32), (len(cases), 1))
        for row, user in enumerate(cases.user_index):
            # Between the places `place - 1` and `place` of the items by index.
            scores[row, self.split_targets[int(user)]] = -self.place + 0.5
        return scores


def evaluated(shop: Interactions, seen: Seen = "keep", **options: object) -> Evaluation:
    split = leave_one_out(shop)
    targets = dict(zip(split.test.user_index.tolist(), split.test.targets.tolist(), strict=True))
    scorers = [Oracle(targets, 1, "first"), Oracle(targets, 2, "second")]
    return evaluate_scorers(scorers, split, shop, SETTINGS, seen=seen, **options)  # type: ignore[arg-type]


def value(evaluation: Evaluation, model: str, metric: str, part: str = "all") -> float:
    row = evaluation.row(model, metric, part)
    assert row is not None
    return row.value


def test_an_oracle_gets_everything_and_its_late_twin_the_value_of_its_place(shop: Interactions) -> None:
    found = evaluated(shop, reference="first")
    assert value(found, "first", "hr@1") == value(found, "first", "ndcg@3") == 1.0
    # The twin's targets 4, 5 and 4 come after item 1; u3's target is item 1 itself, alone before 2.
    assert value(found, "second", "hr@1") == pytest.approx(1 / 4)
    assert value(found, "second", "ndcg@3") == pytest.approx((1 + 3 / np.log2(3)) / 4)
    assert value(found, "second", "mrr@3") == pytest.approx((1 + 3 / 2) / 4)


def test_the_difference_is_paired_with_the_reference_and_the_reference_has_none(shop: Interactions) -> None:
    found = evaluated(shop, reference="first")
    row = found.row("second", "hr@1")
    assert row is not None
    assert row.difference == pytest.approx(-3 / 4)
    assert row.difference_low is not None
    assert row.difference_high is not None
    assert row.difference_low <= -3 / 4 <= row.difference_high <= 0
    reference = found.row("first", "hr@1")
    assert reference is not None
    assert reference.difference is None


def test_an_unknown_reference_is_the_first_scorer(shop: Interactions) -> None:
    assert evaluated(shop, reference="nobody").reference == "first"


def test_removing_seen_items_asks_for_new_ones_only(shop: Interactions) -> None:
    found = evaluated(shop, "remove")
    # u4's target is what it had before: there is no case.
    assert found.cases.user_index.tolist() == [1, 2, 3]
    assert found.without_targets == 1
    assert evaluated(shop, "keep").without_targets == 0


def test_a_slice_is_measured_on_its_own_targets(shop: Interactions) -> None:
    found = evaluated(shop)
    assert value(found, "second", "hr@1", "new to the user") == pytest.approx(1 / 3)
    assert value(found, "second", "hr@1", "repeat") == 0.0
    row = found.row("second", "hr@1", "repeat")
    assert row is not None
    assert row.cases == 1


def test_lists_are_measured_too(shop: Interactions) -> None:
    found = evaluated(shop, categories=["", "tea", "tea", "tea", "soap", "soap"])
    assert value(found, "first", "coverage@1") == pytest.approx(3 / 5)  # 4, 5, 1 and 4 again
    assert value(found, "first", "diversity@1") == 0.0  # a list of one
    assert value(found, "first", "novelty@1") > 0


def test_how_popular_lists_are_is_set_against_what_people_took(shop: Interactions) -> None:
    found = evaluated(shop)
    # Training events of items 1 .. 5: 1, 2, 2, 2, 0; percentiles .3, .7, .7, .7, .1. The oracle's first
    # places are the targets 4, 5, 1 and 4; its twin shows item 1 to every user.
    taken = (0.7 + 0.1 + 0.3 + 0.7) / 4
    assert value(found, "first", "popularity@1") == pytest.approx(taken)
    assert value(found, "first", "popularity_bias@1") == pytest.approx(0)
    assert value(found, "second", "popularity_bias@1") == pytest.approx(0.3 - taken)


def test_the_served_model_is_the_last_unless_another_is_named(shop: Interactions) -> None:
    assert evaluated(shop).served == "second"
    assert evaluated(shop, served="first").served == "first"


def test_the_same_seed_gives_the_same_report(shop: Interactions) -> None:
    assert evaluated(shop).rows == evaluated(shop).rows


def test_two_scorers_of_one_name_are_rejected(shop: Interactions) -> None:
    split = leave_one_out(shop)
    twins = [Oracle({}, 1, "same"), Oracle({}, 2, "same")]
    with pytest.raises(DataError, match="same, same"):
        evaluate_scorers(twins, split, shop, SETTINGS, seen="keep")


def test_the_validation_part_is_evaluated_when_wanted(shop: Interactions) -> None:
    split = leave_one_out(shop)
    targets = dict(zip(split.validation.user_index.tolist(), split.validation.targets.tolist(), strict=True))
    found = evaluate_scorers([Oracle(targets, 1, "o")], split, shop, SETTINGS, seen="keep", part="validation")
    assert value(found, "o", "hr@1") == 1.0
    assert found.cases.at.tolist() == split.validation.at.tolist()
