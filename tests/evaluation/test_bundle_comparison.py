"""Two bundles beside each other: differences, how alike lists are, and slates that people can read."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.config import EvaluationSettings
from recsys.dataset.interactions import EvalCases, Interactions
from recsys.dataset.split import leave_one_out
from recsys.evaluation.bundle_comparison import BundleComparison, Catalogs, SharedItems, compare_rankings
from recsys.evaluation.compare import evaluate_scorers

TITLES = ["", "Bread", "Butter", "<Cheese>", "Wine", "Tea"]


class Fixed:
    """Ranks the items in the same order for everybody."""

    def __init__(self, name: str, order: list[int]) -> None:
        self.name = name
        self._scores = np.zeros(6, np.float32)
        self._scores[order] = np.arange(len(order), 0, -1)

    def score(self, cases: EvalCases) -> np.ndarray:
        return np.tile(self._scores, (len(cases), 1))


@pytest.fixture
def comparison(shop: Interactions) -> BundleComparison:
    """Test targets of u1 .. u4 are items 4, 5, 1 and 4."""
    shared = np.array([False, True, True, True, True, False])
    scorers = [
        SharedItems("old", Fixed("recsys", [5, 1, 2, 3, 4]), shared),
        SharedItems("new", Fixed("recsys", [4, 1, 2, 3, 5]), shared),
    ]
    split = leave_one_out(shop)
    found = evaluate_scorers(
        scorers,
        split,
        shop,
        EvaluationSettings(cutoffs=(2, 4), bootstrap_samples=30),
        seen="keep",
        reference="old",
        served="new",
        stages=["old"],
    )
    catalogs = Catalogs(5, 4, 4, targets_left_out=1)
    return compare_rankings(found, shop, TITLES, catalogs, cases_of=9, users=3, seed=0)


def test_differences_are_the_second_less_the_first(comparison: BundleComparison) -> None:
    # Of the targets 4, 5, 1, 4 the old shows 1 alone in its first two places, 1 and 2; the new 4, 1 and 4.
    found = comparison.difference("all", "hr@2")
    assert (found.other, found.value, found.difference, found.cases) == (0.25, 0.75, 0.5, 4)
    with pytest.raises(KeyError):
        comparison.difference("no such slice", "hr@2")


def test_an_item_that_only_one_knows_is_in_no_list(comparison: BundleComparison) -> None:
    for slates in comparison.slates:
        assert [item.title for item in slates.first] == ["Bread", "Butter", "<Cheese>", "Wine"]
        assert [item.title for item in slates.second] == ["Wine", "Bread", "Butter", "<Cheese>"]
    assert "Lists of the items that both know: A knows 5, B 4, both 4, targets left out: 1" in (
        comparison.summary
    )
    assert comparison.overlap == 1.0
    assert 0 < comparison.rank_biased_overlap < 1


def test_too_few_cases_are_said_to_be_too_few(comparison: BundleComparison) -> None:
    assert comparison.verdict.startswith("new cannot be told, on so few cases, from old: NDCG@2 ")
    assert "4 cases (sampled of 9) that neither has learned from" in comparison.summary
    assert {row["verdict"] for row in comparison.rows} == {"too few cases"}


def test_a_slate_marks_what_was_taken_and_shows_the_latest_first(
    comparison: BundleComparison, shop: Interactions
) -> None:
    assert len(comparison.slates) == 3
    for slates in comparison.slates:
        user = shop.users.index(slates.user_id)
        items = shop.item_index[shop.user_index == user].tolist()  # oldest first, the last is the target
        assert slates.taken == (TITLES[items[-1]],)
        assert slates.history == tuple(TITLES[item] for item in dict.fromkeys(items[-2::-1]))
        assert [item.title for item in slates.first if item.taken] in ([], [TITLES[items[-1]]])
        marked = [row["A"] for row in slates.rows if str(row["A"]).startswith("* ")]
        assert marked == [f"* {item.title}" for item in slates.first if item.taken]


def test_the_page_has_verdict_metrics_and_slates_with_titles_escaped(comparison: BundleComparison) -> None:
    page = comparison.to_html()
    assert "new cannot be told" in page
    assert page.count('<table class="slates">') == 3
    assert "&lt;Cheese&gt;" in page
    assert "<Cheese>" not in page
    assert "\u2713 " in page


def test_a_program_gets_every_metric_of_every_slice(comparison: BundleComparison) -> None:
    document = comparison.to_json()
    names = {(row["slice"], row["metric"]) for row in document["differences"]}
    assert {("all", "ndcg@2"), ("all", "mrr@4"), ("repeat", "recall@4"), ("new to the user", "hr@2")} < names
    assert document["slates"][0]["first"][0]["item_id"] == "i1"


def test_no_slates_are_shown_where_none_are_asked_for(comparison: BundleComparison) -> None:
    assert "Slates of" not in replace(comparison, slates=()).to_html()
