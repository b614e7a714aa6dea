"""Synonyms are checked on a query set before they are accepted."""

from collections.abc import Sequence
from math import log2

import pytest

from recsys.analysis.analyzer import Analyzer
from recsys.errors import DataError
from recsys.search.understanding.synonym_check import CheckedQuery, check_synonyms
from recsys.search.understanding.synonyms import Synonym, SynonymSet, synonym_set

NONE = SynonymSet()
SOME = synonym_set([Synonym("sofa", "couch")], Analyzer())
BEFORE = {"sofa": ["a", "b"], "lamp": ["l"], "chair": ["c", "d"]}
AFTER = {"sofa": ["a", "k", "b"], "lamp": ["l"], "chair": ["d", "c"]}


def search(query: str, synonyms: SynonymSet) -> Sequence[str]:
    return (AFTER if len(synonyms) else BEFORE)[query]


def test_measures_before_and_after_and_what_came() -> None:
    queries = [
        CheckedQuery("sofa", {"a": 1, "k": 1}),
        CheckedQuery("lamp", {"l": 1}),
        CheckedQuery("chair", {"c": 1}),
    ]
    check = check_synonyms(queries, search, NONE, SOME)
    ideal = 1 + 1 / log2(3)
    assert (check.queries, check.judged) == (3, 3)
    assert check.ndcg_before == pytest.approx((1 / ideal + 1 + 1) / 3)
    assert check.ndcg_after == pytest.approx((1 + 1 + 1 / log2(3)) / 3)
    assert check.recall_before == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert check.recall_after == 1.0
    assert [(each.query, each.came, each.went) for each in check.changed] == [
        ("sofa", ("k",), ()),
        ("chair", (), ()),
    ]
    assert [each.query for each in check.losers] == ["chair"]
    assert check.to_json()["losers"] == ["chair"]


def test_queries_of_the_log_without_grades_show_what_changes() -> None:
    check = check_synonyms([CheckedQuery("sofa"), CheckedQuery("lamp")], search, NONE, SOME)
    assert (check.judged, check.ndcg_before, check.recall_after) == (0, None, None)
    assert [each.query for each in check.changed] == ["sofa"]
    assert check.losers == ()


def test_nothing_to_check_with_is_an_error() -> None:
    with pytest.raises(DataError, match="no query to check them with"):
        check_synonyms([], search, NONE, SOME)
