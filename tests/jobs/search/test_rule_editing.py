"""Rules, segments and synonyms by file: checked, saved, refused, taken back; synonyms by a query set."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recsys.catalog import User
from recsys.config import Settings
from recsys.dataset.catalog_rows import users_table
from recsys.errors import DataError
from recsys.funnel.recommender import Recommender
from recsys.jobs.search.query_set import QuerySet, read_query_set
from recsys.jobs.search.rule_editing import RuleEditing
from recsys.jobs.search.rule_files import read_queries, read_rule_file
from recsys.jobs.search.rule_preview import TriedRules, recommended_to
from recsys.rules.preview import Answered, preview_change
from recsys.rules.rule_documents import parse_rule
from recsys.rules.rule_set import RuleSet, Situation
from recsys.rules.synonym_rows import SynonymRow, SynonymRows
from recsys.service_settings import ServingSettings
from recsys.stores.lake.dataset_files import save_users
from tests.fake_world import NOW, regulars, shop_bundle

TOML = """
[[segments]]
name = "loyal"
is = "purchases_30d >= 3"

[[rules]]
id = "pasta"
name = "Pasta first"
surfaces = ["search"]
[rules.when]
query_contains = ["pasta", "意大利面"]
from = 2026-06-01T00:00:00Z
[[rules.do]]
action = "pin"
item = "p1"
position = 1

[[rules]]
id = "thanks"
[rules.when]
segment = "loyal"
[[rules.do]]
action = "note"
note = { text = "Thank you" }
"""
SYNONYMS = {"synonym_sets": [{"name": "english", "synonyms": [{"left": ["sofa"], "right": ["couch"]}]}]}
JULY = datetime(2026, 7, 1, tzinfo=UTC)
CATALOG = ("p1", "p2", "p3")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def editing(settings: Settings) -> RuleEditing:
    return RuleEditing(settings, author="ann")


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, Any], Path]:
    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return write


Write = Callable[[str, Any], Path]


def test_a_file_is_saved_and_comes_back_alike(editing: RuleEditing, file: Write, tmp_path: Path) -> None:
    saved = editing.add(file("rules.toml", TOML), remark="first")
    assert (saved.version, saved.changed) == (3, ("pasta", "thanks", "loyal"))
    for name in ("out.toml", "out.json"):
        editing.export_file(tmp_path / name)
        assert read_rule_file(tmp_path / name) == read_rule_file(tmp_path / "rules.toml")
        assert editing.import_file(tmp_path / name, replace_all=True).changed == ()
    assert [change.remark for change in editing.history()] == ["first"] * 3


def test_synonyms_come_as_lines_too_and_as_csv(file: Write) -> None:
    lines = file("seats.txt", "sofa => couch, settee^0.5\ntv stand, media console\n")
    found = read_rule_file(lines).synonyms
    rows = [
        SynonymRow(("sofa",), ("couch",), two_way=False),
        SynonymRow(("sofa",), ("settee",), two_way=False, weight=0.5),
        SynonymRow(("tv stand",), ("media console",)),
    ]
    assert found == (SynonymRows("seats", tuple(rows)),)
    csv = "words,synonym,weight,two_way\nsofa,couch,,\nsofa,settee,0.5,\ntv stand,media console,,yes\n"
    assert read_rule_file(file("seats.csv", csv)).synonyms == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sofa", "seats.txt: synonyms, line 1: 'sofa' names no synonym"),
        ("sofa => couch^2", "seats.txt: .*weight"),
        ("# nothing", "seats.txt: .*at least one synonym"),
    ],
)
def test_a_wrong_line_names_the_file(file: Write, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rule_file(file("seats.txt", text))


def test_what_is_there_already_is_replaced_only_when_that_is_said(editing: RuleEditing, file: Write) -> None:
    editing.add(file("rules.toml", TOML))
    other = file("other.toml", TOML.replace("Pasta first", "Pasta last"))
    with pytest.raises(DataError, match=r"loyal, pasta, thanks: already there.*--change"):
        editing.add(other)
    assert editing.add(other, change=True).changed == ("pasta",)
    assert editing.rule("pasta").name == "Pasta last"


def test_an_import_may_replace_the_whole_set_in_one_step(editing: RuleEditing, file: Write) -> None:
    editing.add(file("rules.toml", TOML))
    only = {"rules": [{"id": "new", "do": [{"action": "note", "note": "x"}]}]}
    assert editing.import_file(file("new.json", only)).changed == ("new",)
    saved = editing.import_file(file("new.json", only), replace_all=True)
    assert saved.changed == ("pasta", "thanks", "loyal")
    assert [rule.rule_id for rule in editing.load().rules] == ["new"]
    assert editing.load().segments == ()


def test_a_rule_is_switched_and_removed(editing: RuleEditing, file: Write) -> None:
    editing.add(file("rules.toml", TOML))
    assert editing.set_enabled("rule", "pasta", False).changed == ("pasta",)
    assert editing.set_enabled("rule", "pasta", False).changed == ()
    assert not editing.rule("pasta").enabled
    editing.remove("rule", "pasta")
    with pytest.raises(DataError, match="no rule 'pasta'"):
        editing.rule("pasta")


def test_segments_are_held_against_the_attributes_of_this_shop(
    editing: RuleEditing, settings: Settings, file: Write
) -> None:
    path = file("s.json", {"segments": [{"name": "rich", "is": "user.income == 'high'"}]})
    with pytest.raises(DataError, match=r"unknown field 'user.income'. Attributes of users are: none"):
        editing.add(path)
    save_users(settings.paths, users_table([User("ann", {"income": "high"}, JULY)]))
    assert editing.add(path).changed == ("rich",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.yaml", "x", "ends neither in .toml nor in .json"),
        ("a.toml", "[[rules", "is not TOML"),
        ("a.json", "{", "is not JSON"),
        ("a.json", "[]", "the file is"),
        ("a.json", {}, "has no entry"),
        ("a.json", {"rule": []}, "unknown field 'rule'. Did you mean 'rules'"),
        ("a.json", {"rules": [{"id": "a", "do": [{"action": "note", "note": "x"}]}] * 2}, "has a twice"),
        ("a.json", {"rules": [{"id": "a"}]}, "rule 'a' does nothing"),
        ("a.json", SYNONYMS, "synonyms"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(
    editing: RuleEditing, file: Write, name: str, content: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        editing.add(file(name, content))
    assert editing.load().version == 0


def test_a_file_that_is_not_there_is_said(editing: RuleEditing, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.toml cannot be read: No such file"):
        editing.add(tmp_path / "none.toml")


def search(query: str, rules: RuleSet) -> Answered:
    """All of CATALOG, without what rules hide, pins first."""
    effects = rules.effects(Situation("search", JULY, query))
    hidden = {each for hide in effects.hides for each in hide.item_ids}
    pins = [pin.item_id for pin in effects.pins]
    items = [each for each in dict.fromkeys((*pins, *CATALOG)) if each not in hidden]
    return Answered(tuple(items), len(items), effects.fired)


def test_a_check_tells_what_would_change_and_saves_nothing(settings: Settings, file: Write) -> None:
    editing = RuleEditing(settings, search, author="ann")
    rules = {
        "rules": [
            {
                "id": "up",
                "enabled": False,  # counts all the same: that is what is asked
                "when": {"query_is": ["pasta"]},
                "do": [{"action": "pin", "item": "p3", "position": 1}],
            },
            {
                "id": "none",
                "when": {"query_is": ["soup"]},
                "do": [{"action": "hide", "items": list(CATALOG)}],
            },
            {"id": "idle", "when": {"query_is": ["x"]}, "do": [{"action": "note", "note": "x"}]},
        ]
    }
    preview = editing.check(file("r.json", rules), ["pasta", "soup", "bread"], [], JULY)
    assert [each.changed for each in preview.queries] == [True, True, False]
    assert preview.queries[0].after.item_ids == ("p3", "p1", "p2")
    assert preview.to_json()["emptied"] == ["soup"]
    assert (preview.idle, preview.searched) == (("idle",), True)
    assert editing.load().version == 0


def test_a_check_without_a_search_tells_which_rules_fire(editing: RuleEditing, file: Write) -> None:
    preview = editing.check(file("rules.toml", TOML), ["red pasta", "soup"], [], JULY)
    assert [[each.rule_id for each in query.after.fired] for query in preview.queries] == [["pasta"], []]
    assert not preview.searched
    assert preview.idle == ("thanks",)


def test_recommendations_are_compared_by_the_recommender_itself() -> None:
    source = TriedRules(lambda user_id: {})
    recommender = Recommender(shop_bundle(), regulars(), ServingSettings(diversity=0.0), rules=source)
    ask = recommended_to(recommender, source, 3, NOW)
    hide = parse_rule({"id": "h", "do": [{"action": "hide", "items": ["apple"]}]})
    preview = preview_change(["ann"], ask, RuleSet(), RuleSet([hide]), ["h"])
    [ann] = preview.queries
    assert ann.before.item_ids == ("apple", "milk", "banana")
    assert ann.after.item_ids == ("milk", "banana", "cherry")
    assert (ann.before.total, ann.after.total, preview.idle) == (9, 8, ())


def find_synonyms(query: str, sets: tuple[SynonymRows, ...]) -> Answered:
    """A sofa and what its synonyms find; one called `bad` takes everything away."""
    if any("bad" in row.right for each in sets for row in each.rows if each.enabled):
        return Answered((), 0)
    more = [right for each in sets for row in each.rows for right in row.right]
    return Answered(("p1", *more), 1 + len(more))


def test_synonyms_are_saved_once_a_query_set_shows_that_they_break_nothing(
    settings: Settings, file: Write
) -> None:
    editing = RuleEditing(settings, None, find_synonyms, author="ann")
    saved = editing.add_synonyms(file("s.json", SYNONYMS), ["sofa"], {})
    assert saved.preview is not None
    assert saved.preview.changes.queries[0].after.item_ids == ("p1", "couch")
    assert editing.load().synonyms[0].rows[0].right == ("couch",)
    assert editing.history()[0].remark == ""


def test_synonyms_that_break_queries_are_refused_unless_forced_which_is_recorded(
    settings: Settings, file: Write
) -> None:
    editing = RuleEditing(settings, None, find_synonyms, author="ann")
    path = file("s.json", json.loads(json.dumps(SYNONYMS).replace("couch", "bad")))
    with pytest.raises(DataError, match=r"not accepted: 1 of 1 queries lose results.*--force"):
        editing.add_synonyms(path, ["sofa"], {})
    assert editing.load().synonyms == ()
    editing.add_synonyms(path, ["sofa"], {}, force=True, remark="on purpose")
    assert editing.history()[0].remark.startswith("on purpose forced: 1 of 1 queries lose results")


@pytest.mark.parametrize(
    ("queries", "why"), [((), "no query set was given"), (("sofa",), "no search could be asked")]
)
def test_synonyms_that_were_not_checked_are_refused_too(
    editing: RuleEditing, file: Write, queries: tuple[str, ...], why: str
) -> None:
    path = file("s.json", SYNONYMS)
    assert editing.check_synonyms(path, queries, {}) is None
    with pytest.raises(DataError, match=why):
        editing.add_synonyms(path, queries, {})
    editing.add_synonyms(path, queries, {}, force=True)
    assert why in editing.history()[0].remark


def test_query_sets_and_judgments_are_read(settings: Settings, file: Write) -> None:
    assert read_queries(file("q.txt", "red, pasta\n\nsoup\nsoup\n")) == ("red, pasta", "soup")
    assert read_queries(file("q.csv", 'n,query\n1,"red, pasta"\n2,soup\n')) == ("red, pasta", "soup")
    judged = file("j.csv", "query,item_id,grade\nsoup,p1,2\nsoup,p2,0\n")
    found = read_query_set(settings, file("q.txt", "red\nsoup\n"), judged)
    assert found == QuerySet(("red", "soup"), {"soup": {"p1": 2.0, "p2": 0.0}})
    assert read_query_set(settings) == QuerySet()
    with pytest.raises(DataError, match="the log has no searches"):
        read_query_set(settings, from_log=10)
    with pytest.raises(DataError, match="has no query"):
        read_queries(file("q.csv", "query\n\n"))
