"""A change of the rules is in force with the next look; what cannot be read leaves the last ones in force."""

from pathlib import Path

import pytest

from recsys.config import Settings
from recsys.errors import DataError, StoreUnavailableError
from recsys.home import HomePaths
from recsys.rules.hidden_text import HiddenText
from recsys.rules.rule import Rule
from recsys.rules.rule_documents import parse_rule, parse_segment
from recsys.rules.synonym_rows import SynonymRow, SynonymRows
from recsys.stores.rules.records import StoredRules
from recsys.stores.rules.store import Author, RuleStore
from recsys.stores.rules.user_attributes import UserAttributes
from serving.live.rule_watch import RuleWatch

ANN = Author("ann")


class Database:
    """A store whose answers are written down."""

    def __init__(self) -> None:
        self.stored = StoredRules(0, (), (), ())
        self.error: Exception | None = None
        self.loads = 0

    def version(self) -> int:
        if self.error:
            raise self.error
        return self.stored.version

    def load(self) -> StoredRules:
        self.loads += 1
        return self.stored

    def put(self, *rules: Rule) -> None:
        self.stored = StoredRules(self.stored.version + 1, rules, (), ())

    def say(self, *pairs: tuple[str, str], hidden: tuple[str, ...] = ()) -> None:
        rows = tuple(SynonymRow((left,), (right,), False) for left, right in pairs)
        sets, texts = (SynonymRows("en", rows),), tuple(HiddenText(text) for text in hidden)
        self.stored = StoredRules(self.stored.version + 1, (), (), sets, texts)


def rule(rule_id: str, **when: object) -> Rule:
    return parse_rule({"id": rule_id, "when": when, "do": [{"action": "note", "note": "x"}]})


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def watch(database: Database, tmp_path: Path) -> RuleWatch:
    return RuleWatch(database.version, database.load, UserAttributes(HomePaths(tmp_path)))


def ids(watch: RuleWatch) -> list[str]:
    return [each.rule_id for each in watch.current.rules]


def test_rules_are_read_when_their_version_changed_and_not_otherwise(
    watch: RuleWatch, database: Database
) -> None:
    watch.check()
    assert (ids(watch), database.loads) == ([], 0)
    database.put(rule("a"))
    before = watch.current
    watch.check()
    watch.check()
    assert (ids(watch), watch.current.version, database.loads) == (["a"], 1, 1)
    assert before.rules == ()  # a request that began before keeps its own


def test_words_are_read_with_the_rules_and_stay_where_they_cannot_be(
    watch: RuleWatch, database: Database
) -> None:
    assert not watch.words.hidden.hides("toy gun")
    database.say(("sofa", "couch"), hidden=("gun",))
    watch.check()
    assert [entry.synonym for entry in watch.words.synonyms.entries] == ["couch"]
    assert watch.words.hidden.hides("toy gun")
    database.say(("sofa", "couch"), ("couch", "sofa"))
    watch.check()
    assert "circle" in watch.problem
    assert (len(watch.words.synonyms), watch.current.version) == (1, 1)


def test_the_database_being_away_leaves_the_last_rules_in_force_and_says_so(
    watch: RuleWatch, database: Database
) -> None:
    database.put(rule("a"))
    watch.check()
    database.error = StoreUnavailableError("the database", "read the version of the rules", 1.0)
    for _ in range(3):
        watch.check()
    assert ids(watch) == ["a"]
    assert "did not answer" in watch.problem
    assert watch.task.failures == 0  # its pause between failures would make the next change late
    database.error = None
    database.put(rule("b"))
    watch.check()
    assert (ids(watch), watch.problem) == (["b"], "")


def test_rules_that_cannot_be_read_leave_the_last_ones_in_force(watch: RuleWatch, database: Database) -> None:
    database.put(rule("a"))
    watch.check()
    database.put(rule("b", segment="nobody"))
    watch.check()
    assert ids(watch) == ["a"]
    assert "'b' names the segment 'nobody'" in watch.problem
    database.error = DataError("what is stored cannot be read")
    watch.check()
    assert watch.problem == "what is stored cannot be read"


def test_an_unforeseen_error_is_a_problem_too(watch: RuleWatch, database: Database) -> None:
    database.error = ZeroDivisionError("x")
    watch.check()
    assert "could not be read" in watch.problem
    assert watch.task.failures == 1


def test_a_change_in_a_real_database_is_seen(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with RuleStore.open(settings) as store, RuleStore.open(settings) as other:
        watch = RuleWatch(store.version, store.load, UserAttributes(settings.paths))
        segment = parse_segment({"name": "rich", "is": "user.income == 'high'"})
        other.put([segment, rule("a", segment="rich")], ANN)
        watch.check()
        assert (ids(watch), watch.problem) == (["a"], "")
        assert watch.attributes_of("ann") == {}
        other.set_enabled("rule", "a", False, ANN)
        watch.check()
        assert ids(watch) == []
