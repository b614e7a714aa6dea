"""Which rules fire where, and which of them decides."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.rules.effects import Effects
from recsys.rules.expressions import KnownFacts
from recsys.rules.query_text import query_key
from recsys.rules.rule import Rule, Segment
from recsys.rules.rule_documents import parse_rule
from recsys.rules.rule_set import RuleSet, Situation

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
LOYAL = Segment("loyal", "purchases_30d >= 3")


def rule(rule_id: str = "a", do: list[dict[str, Any]] | None = None, **fields: Any) -> Rule:
    return parse_rule({"id": rule_id, "do": do or [{"action": "note", "note": rule_id}], **fields})


def fired(rules: RuleSet | list[Rule], surface: str = "search", **fields: Any) -> list[str]:
    found = rules if isinstance(rules, RuleSet) else RuleSet(rules, [LOYAL], 1)
    situation = Situation(surface=surface, **{"now": NOW, **fields})  # type: ignore[arg-type]
    return [each.rule_id for each in found.effects(situation).fired]


def effects(*rules: Rule, **fields: Any) -> Effects:
    return RuleSet(rules, [LOYAL], 3).effects(Situation(**{"surface": "search", "now": NOW, **fields}))


def test_a_rule_without_conditions_fires_always_and_names_itself() -> None:
    found = effects(rule("a", name="Hello"))
    assert found.notes == ("a",)
    [each] = found.fired
    assert (each.rule_id, each.name, each.action, each.outcome) == ("a", "Hello", "note", "applied")
    assert found.version == 3


def test_a_disabled_rule_does_not_fire() -> None:
    assert fired([rule(enabled=False)]) == []


def test_a_rule_fires_on_its_surfaces_only() -> None:
    assert fired([rule(surfaces=["search"])], "search") == ["a"]
    assert fired([rule(surfaces=["search"])], "recommend") == []
    assert fired([rule(surfaces=["similar", "recommend"])], "recommend") == ["a"]


def test_a_query_fires_as_typed_or_as_rewritten() -> None:
    pasta = [rule(when={"query_is": ["Frozen Chicken"]})]
    assert fired(pasta, query="frozen  chicken!") == ["a"]
    assert fired(pasta, query="frozen chiken", rewritten="frozen chicken") == ["a"]
    assert fired(pasta, query="frozen chicken dinner") == []
    assert fired(pasta, "recommend") == []
    contains = [rule(when={"query_contains": ["chicken", "连衣裙"]})]
    assert fired(contains, query="frozen chicken dinner") == ["a"]
    assert fired(contains, query="红色连衣裙") == ["a"]
    assert fired(contains, query="chickens") == []


def test_query_is_and_query_contains_are_one_condition() -> None:
    either = [rule(when={"query_is": ["soup"], "query_contains": ["pasta"]})]
    assert fired(either, query="soup") == fired(either, query="red pasta") == ["a"]
    assert fired(either, query="tomato soup") == []


def test_a_category_fires_for_what_lies_below_it() -> None:
    kitchen = [rule(when={"categories": ["Home/Kitchen"]})]
    assert fired(kitchen, categories=("Home/Kitchen/Pans",)) == ["a"]
    assert fired(kitchen, categories=("Home",)) == []
    assert fired(kitchen, context_categories=("Home/Kitchen",)) == []
    assert fired([rule(when={"context_categories": ["Home"]})], context_categories=("Home/Kitchen",)) == ["a"]
    assert fired([rule(when={"context_items": ["p1"]})], context_item="p1") == ["a"]


def test_all_conditions_have_to_hold() -> None:
    both = [rule(when={"query_is": ["pan"], "categories": ["Home"], "context_items": ["p1"]})]
    assert fired(both, query="pan", categories=("Home",), context_item="p1") == ["a"]
    assert fired(both, query="pan", categories=("Garden",), context_item="p1") == []
    assert fired(both, query="pan", categories=("Home",)) == []


def test_dates_include_their_beginning_and_exclude_their_end() -> None:
    dated = [rule(when={"from": "2026-06-01T00:00:00Z", "until": "2026-07-01T02:00:00+02:00"})]
    begin, end = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    instant = timedelta(microseconds=1)
    found = [fired(dated, now=now) for now in (begin - instant, begin, end - instant, end)]
    assert found == [[], ["a"], ["a"], []]


@pytest.mark.parametrize("when", [{"segment": "loyal"}, {"segment": "loyal", "query_is": ["x"]}])
def test_a_segment_is_asked_of_the_user(when: dict[str, Any]) -> None:
    loyal = [rule(when=when)]
    assert fired(loyal, query="x", facts=KnownFacts({"purchases_30d": 3.0})) == ["a"]
    assert fired(loyal, query="x", facts=KnownFacts({"purchases_30d": 2.0})) == []
    assert fired(loyal, query="x") == []  # a visitor


def test_a_segment_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match=r"rule 'a' names the segment 'loyl'.* Did you mean 'loyal'"):
        RuleSet([rule(when={"segment": "loyl"})], [LOYAL])


def test_the_stronger_rule_comes_first() -> None:
    at = {"query": "red pasta", "categories": ("PASTA",)}
    rules = [
        rule("none"),
        rule("category", when={"categories": ["PASTA"]}),
        rule("contains", when={"query_contains": ["pasta"]}),
        rule("exact", when={"query_is": ["red pasta"]}),
        rule("urgent", priority=1),
        rule("later", priority=-1, when={"query_is": ["red pasta"]}),
    ]
    assert fired(rules, **at) == ["urgent", "exact", "contains", "category", "none", "later"]


def test_of_equals_the_one_changed_last_is_stronger_then_the_smaller_id() -> None:
    old, new = (replace(rule(name), changed_at=NOW - timedelta(days=d)) for name, d in (("a", 2), ("b", 1)))
    assert fired([old, new]) == ["b", "a"]
    assert fired([replace(old, rule_id="z"), replace(old, rule_id="m")]) == ["m", "z"]


def test_one_redirect_and_one_pin_of_an_item_count_the_others_are_named() -> None:
    strong = rule("s", [{"action": "redirect", "url": "/a"}, pin("p", 1)], priority=1)
    weak = rule("w", [{"action": "redirect", "url": "/b"}, pin("p", 2), pin("q", 1)])
    found = effects(weak, strong)
    assert found.redirect == "/a"
    assert [(each.item_id, each.position) for each in found.pins] == [("p", 1), ("q", 1)]
    assert [(each.rule_id, each.action, each.outcome) for each in found.fired] == [
        ("s", "redirect", "applied"),
        ("s", "pin", "applied"),
        ("w", "redirect", "overruled"),
        ("w", "pin", "overruled"),
        ("w", "pin", "applied"),
    ]
    assert "a stronger rule leads to /a" in found.fired[2].detail


def pin(item: str, position: int) -> dict[str, Any]:
    return {"action": "pin", "item": item, "position": position}


def test_every_effect_knows_the_rule_it_is_of() -> None:
    hide = {"action": "hide", "items": ["x"]}
    boost = {"action": "boost", "factor": 2, "filters": {"brands": ["B"]}}
    only = {"action": "filter", "filters": {"categories": ["C"]}}
    found = effects(rule("one", [hide, boost]), rule("two", [only, pin("p", 1)]))
    parts = (*found.hides, *found.boosts, *found.filters, *found.pins)
    assert [found.fired[part.fired].rule_id for part in parts] == ["one", "one", "two", "two"]
    assert found.fired[1].detail == "brands ['B'], times 2"


WHENS = st.fixed_dictionaries(
    {},
    optional={
        "query_is": st.lists(st.sampled_from(["a b", "c", "红裙"]), min_size=1, max_size=2),
        "query_contains": st.lists(st.sampled_from(["a", "b c", "裙"]), min_size=1, max_size=2),
        "categories": st.lists(st.sampled_from(["X", "X/Y", "Z"]), min_size=1, max_size=2),
        "context_items": st.lists(st.sampled_from(["i", "j"]), min_size=1, max_size=2),
        "segment": st.just("loyal"),
        "from": st.sampled_from(["2026-06-01T00:00:00Z", "2026-08-01T00:00:00Z"]),
    },
)


@given(
    st.lists(WHENS, max_size=6),
    st.sampled_from(["", "a b", "A b c", "红裙 c", "d"]),
    st.sampled_from([(), ("X",), ("X/Y/W",)]),
    st.sampled_from([None, "i"]),
    st.sampled_from([0.0, 5.0]),
)
def test_the_index_finds_what_trying_every_rule_finds(
    whens: list[dict[str, Any]], query: str, categories: tuple[str, ...], item: str | None, bought: float
) -> None:
    def fires(when: dict[str, Any]) -> bool:
        key = f" {query_key(query).replace('红裙', '红 裙')} "
        queries = [
            key == f" {query_key(text).replace('红裙', '红 裙')} " for text in when.get("query_is", ())
        ]
        queries += [f" {text} " in key for text in when.get("query_contains", ())]
        above = {
            path[:end] for path in categories for end in range(1, len(path) + 1) if path[:end][-1] != "/"
        }
        return (
            ((any(queries)) or not ({"query_is", "query_contains"} & set(when)))
            and (not (above.isdisjoint(when["categories"])) if "categories" in when else True)
            and (item in when["context_items"] if "context_items" in when else True)
            and ("segment" not in when or bought >= 3)
            and datetime.fromisoformat(when.get("from", "2000-01-01T00:00:00Z")) <= NOW
        )

    rules = [rule(f"r{number}", when=when) for number, when in enumerate(whens)]
    facts = KnownFacts({"purchases_30d": bought})
    found = fired(rules, query=query, categories=categories, context_item=item, facts=facts)
    assert sorted(found) == [f"r{number}" for number, when in enumerate(whens) if fires(when)]


def test_a_thousand_rules_cost_a_request_that_fires_none_little() -> None:
    segments = [Segment(f"s{number}", f"purchases_30d >= {number + 1}") for number in range(20)]
    conditions: list[dict[str, Any]] = [
        when
        for number in range(250)
        for when in (
            {"query_is": [f"w{number} x{number}"]},
            {"query_contains": [f"w{number} y{number}"]},
            {"categories": [f"c{number}"]},
            {"segment": f"s{number % 20}", "from": "2026-01-01T00:00:00Z"},
        )
    ]
    rules = RuleSet([rule(f"r{number}", when=when) for number, when in enumerate(conditions)], segments)
    situation = Situation("search", NOW, "w1 frozen chicken dinner", "w1 frozen chicken meal", ("PASTA",))
    assert rules.effects(situation).fired == ()
    seconds = []
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(50):
            rules.effects(situation)
        seconds.append((time.perf_counter() - begun) / 50)
    assert min(seconds) < 50e-6
