"""Which targets belong to which slice."""

import numpy as np

from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import leave_one_out
from recsys.evaluation.slices import head_items, repeat_targets, restrict_cases, slices_of


def test_a_target_that_the_user_had_before_is_a_repeat(shop: Interactions) -> None:
    cases = leave_one_out(shop).test
    assert cases.targets.tolist() == [4, 5, 1, 4]
    assert repeat_targets(cases, shop).tolist() == [False, False, False, True]


def test_the_head_is_the_most_wanted_items_that_take_half_of_the_events() -> None:
    # 4 of 9 is less than half, so the next one is in the head too.
    assert head_items(np.array([0, 4, 1, 3, 1])).tolist() == [False, True, False, True, False]


def test_slices_that_hold_everything_or_nothing_are_left_out(shop: Interactions) -> None:
    split = leave_one_out(shop)
    found = {part.name: part.targets.tolist() for part in slices_of(split.test, split.train, shop)}
    # Everybody and everything is cold here (at most 5 events), and all targets are in the tail: the head
    # is items 2 and 3, with 4 of the 7 training events.
    assert set(found) == {"all", "repeat", "new to the user"}
    assert found["repeat"] == [False, False, False, True]
    assert found["new to the user"] == [True, True, True, False]


def test_users_are_told_apart_by_what_they_did_before(shop: Interactions) -> None:
    # Asked at the first instant and long after the last: no action before it, and all four.
    day = 86_400_000_000
    cases = EvalCases(np.array([1, 2]), np.array([0, 9 * day]), np.array([0, 1, 3]), np.array([1, 2, 3]))
    found = {part.name: part.targets.tolist() for part in slices_of(cases, shop, shop)}
    assert found["history: none"] == [True, False, False]
    assert found["history: 1-5"] == [False, True, True]
    assert "history: 6-20" not in found


def test_the_categories_with_most_targets_are_slices_and_the_unknown_one_is_not(shop: Interactions) -> None:
    cases = leave_one_out(shop).test  # targets 4, 5, 1 and 4
    names = ["", "red", "red", "red", "blue", ""]
    found = [part for part in slices_of(cases, shop, shop, names) if part.name.startswith("category: ")]
    assert [part.name for part in found] == ["category: blue", "category: red"]
    assert found[0].targets.tolist() == [True, False, False, True]


def test_restricting_drops_targets_and_then_cases_without_any() -> None:
    cases = EvalCases(
        np.array([1, 2, 3]), np.array([7, 8, 9]), np.array([0, 2, 3, 5]), np.array([1, 2, 3, 4, 5])
    )
    found, rows = restrict_cases(cases, np.array([False, True, False, True, True]))
    assert rows.tolist() == [0, 2]
    assert found.user_index.tolist() == [1, 3]
    assert found.at.tolist() == [7, 9]
    assert [found.targets_of(case).tolist() for case in range(2)] == [[2], [4, 5]]
