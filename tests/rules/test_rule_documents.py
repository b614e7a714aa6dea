"""Rules as documents: what is read is what is written, and what is wrong is said."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.rules.rule import PinItem, Rule
from recsys.rules.rule_documents import is_safe_url, parse_rule, parse_segment, rule_to_json
from recsys.rules.synonym_rows import parse_synonyms, synonyms_to_json

EVERYTHING: dict[str, Any] = {
    "id": "summer-pasta",
    "name": "Pasta in summer",
    "enabled": False,
    "surfaces": ["search", "recommend"],
    "priority": 10,
    "when": {
        "query_is": ["pasta"],
        "query_contains": ["pasta sauce", "意大利面"],
        "categories": ["PASTA"],
        "context_items": ["p1"],
        "context_categories": ["Home/Kitchen"],
        "segment": "loyal",
        "from": "2026-06-01T00:00:00+02:00",
        "until": "2026-09-01T00:00:00+00:00",
    },
    "do": [
        {"action": "pin", "item": "p1", "position": 1},
        {"action": "hide", "items": ["p2"], "filters": {"brands": ["X"]}},
        {"action": "boost", "factor": 2.5, "filters": {"price_max_micros": 5_000_000}},
        {"action": "bury", "factor": 0.5, "items": ["p3"]},
        {"action": "filter", "filters": {"attributes": {"organic": "yes"}}},
        {"action": "redirect", "url": "/pasta"},
        {"action": "note", "note": {"banner": "summer", "parts": [1, 2]}},
        {"action": "note", "note": "Free delivery"},
    ],
}


def wrong(**changes: Any) -> str:
    with pytest.raises(DataError) as error:
        parse_rule({**EVERYTHING, **changes})
    return str(error.value)


def doing(**action: Any) -> str:
    return wrong(do=[action])


def test_a_rule_with_everything_is_read_and_written_alike() -> None:
    assert json.loads(json.dumps(rule_to_json(parse_rule(EVERYTHING)))) == EVERYTHING


def test_what_is_left_out_is_as_little_as_may_be() -> None:
    rule = parse_rule({"id": "a", "do": [{"action": "pin", "item": "p", "position": 3}]})
    assert rule == Rule("a", "a", (PinItem("p", 3),))


def test_a_mistake_names_the_rule_the_field_and_what_to_write() -> None:
    assert "unknown field 'wen'. Did you mean 'when'?" in wrong(wen={})
    assert "the rule: id is 'a b'. Write up to 100 letters" in wrong(id="a b")
    assert "rule 'summer-pasta': surfaces has 'home'. Write search, recommend, similar" in wrong(
        surfaces=["home"]
    )
    assert "priority is 1.5. Write a whole number from -1000 to 1000" in wrong(priority=1.5)
    assert "enabled is 'yes'. Write true or false" in wrong(enabled="yes")
    assert "does nothing. Write at least one action" in wrong(do=[])
    with pytest.raises(DataError, match=r"the rule is \[1\]. Write an object"):
        parse_rule([1])
    assert "query_is has '!!', which has no word" in wrong(when={"query_is": ["!!"]})
    assert "from is '2026-06-01'. Write an instant with a time zone" in wrong(when={"from": "2026-06-01"})
    assert "is not after from" in wrong(
        when={"from": "2026-06-02T00:00:00Z", "until": "2026-06-01T00:00:00Z"}
    )
    assert "categories is 'PASTA'. Write a list" in wrong(when={"categories": "PASTA"})
    assert "categories has '\\ud800'. Write texts" in wrong(when={"categories": ["\ud800"]})


def test_a_mistake_in_an_action_names_its_place() -> None:
    assert "rule 'summer-pasta', action 1: action is 'pim'. Write one of pin, hide" in doing(action="pim")
    assert "action 1 (pin): position is 0. Write a whole number from 1 to 100" in doing(
        action="pin", item="p", position=0
    )
    assert "(pin) has an unknown field 'items'. Did you mean 'item'?" in doing(action="pin", items=["p"])
    assert "is about no item. Write `items`, `filters` or both" in doing(action="hide")
    assert "factor is 0.5. Write a number above 1, up to 100" in doing(
        action="boost", factor=0.5, items=["p"]
    )
    assert "factor is nan" in doing(action="boost", factor=float("nan"), items=["p"])
    assert "factor is 2. Write a number below 1, from 0.01" in doing(action="bury", factor=2, items=["p"])
    assert "(filter), filters has no condition" in doing(action="filter", filters={})
    assert "include_unavailable is the request's, not a rule's" in doing(
        action="filter", filters={"include_unavailable": True}
    )
    assert "note is 3. Write a text or a JSON object" in doing(action="note", note=3)
    deep: Any = "x"
    for _ in range(40):
        deep = {"a": deep}
    for note in ({"x": "y" * 5000}, {"x": float("nan")}, {"x": {1, 2}}, "a\0b", "\ud800", {}, "", deep):
        assert "Write a text or a JSON object" in doing(action="note", note=note)
    size = {"action": "hide", "filters": {"attributes": {"size": float("inf")}}}
    assert "filters.attributes.size must be a finite number" in doing(**size)
    for value in ("\ud800", "\0"):
        odd = {"action": "hide", "filters": {"attributes": {"size": value}}}
        assert "that JSON cannot hold" in doing(**odd)


def test_filters_of_rules_are_those_of_requests() -> None:
    filters = {
        "category_paths": ["Home/Kitchen"],
        "attributes": {"size": {"min": 2}, "color": {"not": ["red"]}},
        "any": [{"brands": ["X"]}, {"not": [{"item_ids": ["p1"]}]}],
    }
    document = {"id": "r", "do": [{"action": "hide", "filters": filters}]}
    assert rule_to_json(parse_rule(document))["do"][0]["filters"] == filters
    assert "did you mean" in doing(action="filter", filters={"brand": ["X"]}).lower()
    assert "filters.price_min_micros must be a whole number" in doing(
        action="filter", filters={"price_min_micros": -1}
    )


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https:",
        "https:///path",
        "http://[::1",
        "data:text/html,x",
        "help",
        "/a\nb",
        " /help",
        "ftp://a.example",
        "/\t/evil.example",
    ],
)
def test_a_redirect_leads_to_a_page_or_is_refused(url: str) -> None:
    assert not is_safe_url(url)
    assert "url is" in doing(action="redirect", url=url)


def test_pages_of_this_site_and_of_the_web_are_safe() -> None:
    assert all(map(is_safe_url, ["/", "/help?a=1#b", "https://a.example", "http://a.example:80/x"]))


def test_a_segment_is_checked_when_it_is_read() -> None:
    assert parse_segment({"name": "loyal", "is": "spent_90d > 100"}).expression == "spent_90d > 100"
    with pytest.raises(DataError, match=r"segment 'loyal': in the expression .* character 1: unknown field"):
        parse_segment({"name": "loyal", "is": "spend > 100"})


def test_synonyms_are_read_and_written_alike() -> None:
    document = {
        "name": "english",
        "language": "en",
        "enabled": True,
        "synonyms": [{"left": ["sofa"], "right": ["couch", "沙发"], "two_way": True, "weight": 0.5}],
    }
    parsed = parse_synonyms(document)
    assert synonyms_to_json(parsed) == document
    assert [pair[:2] for pair in parsed.pairs()] == [("sofa", "couch"), ("sofa", "沙发")]
    for change, message in (
        ({"synonyms": []}, "at least one synonym"),
        ({"synonyms": [{"left": ["a"], "right": []}]}, "synonym 1: right is"),
        ({"synonyms": [{"left": ["a"], "right": ["b"], "weight": 1}]}, "weaker than the word itself"),
        ({"nam": "x"}, "unknown field 'nam'"),
    ):
        with pytest.raises(DataError, match=message):
            parse_synonyms({**document, **change})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@given(st.sampled_from(["id", "name", "surfaces", "priority", "when", "do", "enabled"]), JSON)
def test_no_document_does_anything_but_parse_or_be_refused(name: str, value: Any) -> None:
    with suppress(DataError):
        parse_rule({**EVERYTHING, name: value})


@given(
    st.sampled_from(range(8)), st.sampled_from(["item", "items", "filters", "factor", "url", "note"]), JSON
)
def test_no_action_does_anything_but_parse_or_be_refused(place: int, name: str, value: Any) -> None:
    action = {**EVERYTHING["do"][place], name: value}
    with suppress(DataError):
        parse_rule({**EVERYTHING, "do": [action]})
