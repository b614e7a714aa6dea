"""Rules and synonyms are tried on the search that serves; what is stored stays as it is."""

from datetime import datetime

import pytest

from recsys.errors import DataError
from recsys.jobs.search.change_search import searched_with_rules, searched_with_synonyms
from recsys.jobs.search.synonym_preview import preview_synonyms
from recsys.rules.preview import preview_change
from recsys.rules.rule_documents import parse_rule
from recsys.rules.rule_set import RuleSet
from recsys.rules.synonym_rows import SynonymRow, SynonymRows
from tests.search.small_shop import NOW, FakePages, Row, make_searcher

SHOP = (Row("grey sofa", popularity=1), Row("grey couch"), Row("grey door"))
SOFA = (SynonymRows("en", (SynonymRow(("sofa",), ("couch",)),)),)
BACK = (SynonymRows("en", (SynonymRow(("a",), ("b",), False), SynonymRow(("b",), ("a",), False))),)


def test_rules_are_tried_on_the_search_itself() -> None:
    pages = FakePages()
    searcher = make_searcher(SHOP, pages=pages)
    hide = parse_rule({"id": "h", "surfaces": ["search"], "do": [{"action": "hide", "items": ["i1"]}]})
    ask = searched_with_rules(lambda: searcher, NOW)
    preview = preview_change(["sofa", "door"], ask, RuleSet(), RuleSet([hide]), ["h"])
    sofa, door = preview.queries
    assert (sofa.before.item_ids, sofa.after.item_ids, sofa.emptied) == (("i1",), (), True)
    assert (door.before.item_ids, door.after.item_ids, door.emptied) == (("i3",), ("i3",), False)
    assert preview.searched
    assert preview.complaints[0].startswith("1 of 2 queries lose results")
    assert pages.orders == {}


def test_synonyms_are_tried_and_judged_quality_is_compared() -> None:
    searcher = make_searcher(SHOP)
    ask = searched_with_synonyms(lambda: searcher, NOW)
    judged = {"sofa": {"i1": 1.0, "i2": 1.0}}
    found = preview_synonyms(["door"], judged, ask, (), SOFA)
    assert found is not None
    assert [each.query for each in found.changes.queries if each.changed] == ["sofa"]
    assert (found.quality.queries, found.quality.judged) == (2, 1)
    assert (found.quality.recall_before, found.quality.recall_after) == (1 / 2, 2 / 2)
    assert found.complaints == found.quality.losers == ()
    back = preview_synonyms(["door"], judged, ask, SOFA, ())
    assert back is not None
    assert [each.query for each in back.quality.losers] == ["sofa"]
    assert back.to_json()["quality"]["losers"] == ["sofa"]


def test_without_a_search_rules_fire_and_synonyms_are_not_checked() -> None:
    note = RuleSet([parse_rule({"id": "n", "do": [{"action": "note", "note": "x"}]})])
    answered = searched_with_rules(no_searcher, NOW)("sofa", note)
    assert (answered.item_ids, [each.rule_id for each in answered.fired]) == (None, ["n"])
    assert preview_synonyms(["sofa"], {}, searched_with_synonyms(no_searcher, NOW), (), SOFA) is None


def test_a_circle_is_refused_before_anything_is_searched() -> None:
    def fail(query: str, sets: tuple[SynonymRows, ...], now: datetime = NOW) -> None:
        raise AssertionError(query)

    with pytest.raises(DataError, match="circle"):
        preview_synonyms(["sofa"], {}, fail, (), BACK)  # type: ignore[arg-type]


def no_searcher() -> None:
    return None
