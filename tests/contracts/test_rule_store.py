"""What the store of rules promises, on SQLite and on a real PostgreSQL alike."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from recsys.config import Settings
from recsys.errors import DataError
from recsys.rules.hidden_text import HiddenText, hidden_text
from recsys.rules.rule import Rule, Segment
from recsys.rules.rule_documents import parse_rule, rule_to_json
from recsys.rules.synonym_rows import SynonymRow, SynonymRows
from recsys.stores.registry.database import database_url, open_engine, write_transaction
from recsys.stores.rules.store import Author, RuleStore
from recsys.stores.rules.tables import SynonymRecord

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ANN, BOB = Author("ann"), Author("bob", "for the summer")
LOYAL = Segment("loyal", "purchases_30d >= 3")


class Clock:
    """One second later at every look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store(shop: Settings) -> Iterator[RuleStore]:
    with RuleStore.open(shop, Clock()) as opened:
        yield opened


def rule(rule_id: str = "pasta", **fields: object) -> Rule:
    document = {"id": rule_id, "do": [{"action": "pin", "item": "p1", "position": 1}], **fields}
    return parse_rule(document)


def synonyms(*weights: float, **fields: object) -> SynonymRows:
    asked = ("sofa", "settee")
    rows = tuple(
        SynonymRow((words,), ("couch", "长沙发"), False, weight)
        for words, weight in zip(asked, weights, strict=False)
    )
    return replace(SynonymRows("english", rows, "en"), **fields)


def test_nothing_is_in_force_at_first(store: RuleStore) -> None:
    stored = store.load()
    assert (stored.version, stored.rules, stored.segments, stored.synonyms) == (0, (), (), ())
    assert store.version() == 0
    assert list(store.history()) == []


def test_what_is_put_comes_back_with_version_and_instant(store: RuleStore) -> None:
    given = rule(name="Pasta 红", when={"query_is": ["pasta"], "from": "2026-06-01T00:00:00+02:00"})
    stored = store.put([given], ANN)
    assert stored.rules == (replace(given, version=1, changed_at=START + timedelta(seconds=1)),)
    assert stored == store.load()
    assert store.version() == stored.version == 1


def test_every_change_is_kept_with_who_when_and_what_was_before(store: RuleStore) -> None:
    store.put([rule()], ANN)
    store.put([rule(priority=5)], BOB)
    store.set_enabled("rule", "pasta", False, ANN)
    store.remove("rule", "pasta", BOB)
    changes = store.history("rule", "pasta")
    assert [(c.set_version, c.version, c.action, c.changed_by) for c in changes] == [
        (1, 1, "add", "ann"),
        (2, 2, "change", "bob"),
        (3, 3, "disable", "ann"),
        (4, 4, "remove", "bob"),
    ]
    first, second, third, last = changes
    assert (first.before, first.after) == (None, rule_to_json(rule()))
    assert (second.before, second.after) == (first.after, rule_to_json(rule(priority=5)))
    assert second.remark == "for the summer"
    assert third.after == rule_to_json(rule(priority=5, enabled=False))
    assert (last.before, last.after) == (third.after, None)
    assert first.changed_at < second.changed_at < third.changed_at < last.changed_at
    assert first.changed_at.tzinfo is UTC


def test_an_entry_that_comes_back_goes_on_counting(store: RuleStore) -> None:
    store.put([rule()], ANN)
    store.remove("rule", "pasta", ANN)
    assert store.put([rule()], ANN).rules[0].version == 3


def test_putting_what_is_there_already_changes_nothing(store: RuleStore) -> None:
    stored = store.put([rule(), LOYAL, synonyms(0.5)], ANN)
    assert store.put([rule(), LOYAL, synonyms(0.5)], BOB) == stored
    assert len(store.history()) == stored.version == 3


def test_a_rule_needs_its_segment(store: RuleStore) -> None:
    needing = rule(when={"segment": "loyal"})
    with pytest.raises(DataError, match="'pasta' names the segment 'loyal'"):
        store.put([needing], ANN)
    assert store.load().rules == ()
    assert store.put([needing, LOYAL], ANN).version == 2
    with pytest.raises(DataError, match="names the segment 'loyal'"):
        store.remove("segment", "loyal", ANN)
    store.set_enabled("rule", "pasta", False, ANN)
    with pytest.raises(DataError, match="names the segment 'loyal'"):
        store.remove("segment", "loyal", ANN)  # a rule that may be switched on again
    assert [segment.name for segment in store.load().segments] == ["loyal"]


def test_many_are_put_together_or_not_at_all(store: RuleStore) -> None:
    with pytest.raises(DataError):
        store.put([rule("one"), rule("two", when={"segment": "nobody"})], ANN)
    assert (store.version(), store.load().rules, list(store.history())) == (0, (), [])


def test_synonyms_keep_order_weights_and_chinese(store: RuleStore) -> None:
    given = synonyms(0.5, 0.9)
    [stored] = store.put([given], ANN).synonyms
    assert stored == replace(given, version=1)
    [changed] = store.put([synonyms(0.25)], ANN).synonyms
    assert [row.weight for row in changed.rows] == [0.25]
    assert store.set_enabled("synonyms", "english", False, ANN).synonyms[0].enabled is False
    store.remove("synonyms", "english", ANN)
    assert store.load().synonyms == ()
    assert [change.action for change in store.history("synonyms")] == ["add", "change", "disable", "remove"]


def one_way(name: str, left: str, right: str, enabled: bool = True) -> SynonymRows:
    return SynonymRows(name, (SynonymRow((left,), (right,), False),), None, enabled)


def test_sets_that_are_a_circle_or_say_the_same_together_are_refused(store: RuleStore) -> None:
    store.put([one_way("a", "sofa", "couch")], ANN)
    with pytest.raises(DataError, match=r"set 'b', synonym 1: .*circle"):
        store.put([one_way("b", "couch", "sofa")], ANN)
    with pytest.raises(DataError, match="'couch' is a synonym of 'sofas' already"):
        store.put([one_way("b", "sofas", "couch")], ANN)  # one word to the search
    store.put([one_way("b", "couch", "sofa", enabled=False)], ANN)
    with pytest.raises(DataError, match="circle"):
        store.set_enabled("synonyms", "b", True, ANN)
    assert len(store.load().words().synonyms) == 1  # of the set that is switched on
    store.put([rule()], ANN)


def test_hidden_words_are_kept_with_who_changed_them(store: RuleStore) -> None:
    stored = store.put([hidden_text("Guns"), hidden_text("ＧＵＮＳ "), hidden_text("赌博")], ANN)
    assert (stored.version, stored.hidden) == (2, (HiddenText("guns", 1), HiddenText("赌博", 1)))
    assert stored.words().hidden.hides("toy gun")
    assert store.remove("hidden", "guns", BOB).hidden == (HiddenText("赌博", 1),)
    with pytest.raises(DataError, match=r"no hidden word 'guns'.*search suggestions list"):
        store.remove("hidden", "guns", ANN)
    changes = [(each.name, each.action, each.changed_by) for each in store.history("hidden")]
    assert changes == [("guns", "add", "ann"), ("赌博", "add", "ann"), ("guns", "remove", "bob")]


@pytest.mark.parametrize(("kind", "command"), [("rule", "rules"), ("segment", "segments")])
def test_what_is_not_there_is_said(store: RuleStore, kind: str, command: str) -> None:
    with pytest.raises(DataError, match=rf"no {kind} 'nobody'.*recsys search {command} list"):
        store.remove(kind, "nobody", ANN)  # type: ignore[arg-type]


def test_the_database_itself_refuses_a_weight_of_one(store: RuleStore, shop: Settings) -> None:
    store.put([synonyms(0.5)], ANN)
    engine = open_engine(database_url(shop))
    row = {"set_name": "english", "place": 9, "left_terms": [], "right_terms": [], "two_way": True}
    with pytest.raises(IntegrityError), write_transaction(engine) as connection:
        connection.execute(insert(SynonymRecord).values(weight=1.0, **row))
    engine.dispose()


def test_writers_at_the_same_time_each_get_a_version_of_their_own(shop: Settings, store: RuleStore) -> None:
    def put(number: int) -> None:
        with RuleStore.open(shop) as own:
            own.put([rule(f"rule-{number}")], Author(f"writer {number}"))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.version() == 6
    assert sorted(change.set_version for change in store.history()) == [1, 2, 3, 4, 5, 6]
    assert len(store.load().rules) == 6
