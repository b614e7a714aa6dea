"""What a change would do to a query set: items, totals, judged quality, and whether it may be accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.rules.effects import FiredRule
from recsys.rules.preview import Answered, ndcg_of, preview_change

Answers = dict[str, Answered]
FIRED = (FiredRule("sale", "Sale", 1, "pin", "item 'x' at position 1"),)


def ask(query: str, answers: Answers) -> Answered:
    return answers[query]


def found(*item_ids: str, total: int | None = None, fired: tuple[FiredRule, ...] = ()) -> Answered:
    return Answered(item_ids, len(item_ids) if total is None else total, fired)


def test_what_stays_as_it_was_is_no_change() -> None:
    answers = {"a": found("x", "y")}
    preview = preview_change(["a"], ask, answers, answers)
    assert (preview.to_json()["changed"], preview.complaints, preview.searched) == (0, (), True)


def test_a_query_that_loses_all_results_is_named() -> None:
    preview = preview_change(["a", "b"], ask, {"a": found("x"), "b": found()}, {"a": found(), "b": found()})
    assert [each.query for each in preview.broken] == ["a"]
    assert preview.to_json()["emptied"] == ["a"]
    assert preview.complaints[0] == "1 of 2 queries lose results or quality: 'a'"


def test_a_loss_of_judged_quality_is_a_break_from_a_tenth_on() -> None:
    # NDCG of the one good item at place 1: 1; at place 2: 1 / log2(3) = .63; a loss of .37.
    judged = {"a": {"x": 1.0}}
    preview = preview_change(["a"], ask, {"a": found("x", "y")}, {"a": found("y", "x")}, judgments=judged)
    [query] = preview.queries
    assert query.ndcg_before == 1
    assert query.ndcg_after == pytest.approx(0.6309, abs=1e-4)
    assert query.broken
    better = preview_change(["a"], ask, {"a": found("y", "x")}, {"a": found("x", "y")}, judgments=judged)
    assert better.complaints == ()


def test_many_queries_with_other_items_are_a_complaint_few_are_not() -> None:
    before = {str(number): found("a", "b", "c", "d") for number in range(40)}
    for shaken, complaints in ((2, 0), (3, 1)):  # 5% of 40 = 2
        after = before | {str(number): found("a", "x", "y", "z") for number in range(shaken)}
        preview = preview_change(sorted(before), ask, before, after)
        assert (len(preview.shaken), len(preview.complaints)) == (shaken, complaints)


def test_rules_that_fire_for_nothing_are_idle() -> None:
    answers = {"a": found("x", fired=FIRED)}
    preview = preview_change(["a"], ask, {"a": found("x")}, answers, ["sale", "winter"])
    assert preview.idle == ("winter",)
    assert preview.queries[0].changed  # the rules that fire differ
    assert preview.to_json()["fired"] == {"sale": 1}


def test_without_a_search_only_rules_are_compared() -> None:
    preview = preview_change(["a"], ask, {"a": Answered(None)}, {"a": Answered(None, 0, FIRED)})
    assert (preview.searched, preview.queries[0].changed, preview.complaints) == (False, True, ())


GRADES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3).map(float), min_size=1)


@given(GRADES, st.permutations("abcdefgh"))
def test_ndcg_is_between_0_and_1_and_1_for_the_best_order(grades: dict[str, float], order: list[str]) -> None:
    assert 0 <= ndcg_of(order, grades) <= 1 + 1e-9
    best = sorted(order, key=lambda each: -grades.get(each, 0.0))
    assert ndcg_of(best, grades) == pytest.approx(1.0 if any(grades.values()) else 0.0)
