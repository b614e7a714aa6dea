"""`recsys search rules | segments | synonyms`: what they print, and what they leave behind."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.errors import DataError

RULES = {
    "segments": [{"name": "loyal", "is": "purchases_30d >= 3"}],
    "rules": [
        {
            "id": "pasta",
            "when": {"query_is": ["pasta"], "segment": "loyal"},
            "do": [{"action": "pin", "item": "p1", "position": 1}],
        },
        {"id": "help", "when": {"query_contains": ["help"]}, "do": [{"action": "redirect", "url": "/help"}]},
    ],
}
SYNONYMS = {"synonym_sets": [{"name": "en", "synonyms": [{"left": ["sofa"], "right": ["couch"]}]}]}


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["search", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


@pytest.fixture
def rules(home: Path, tmp_path: Path) -> str:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(RULES))
    return str(path)


def test_rules_are_added_listed_shown_switched_and_removed(rules: str) -> None:
    assert answer("rules", "add", rules) == {"version": 3, "changed": ["help", "pasta", "loyal"]}
    listed = answer("rules", "list")
    assert [(each["id"], each["version"]) for each in listed["rules"]] == [("help", 1), ("pasta", 1)]
    assert "query_is ['pasta'], segment loyal" in run("rules", "list")
    assert answer("rules", "show", "help")["do"] == [{"action": "redirect", "url": "/help"}]
    assert answer("rules", "disable", "help", "--remark", "broken page") == {
        "version": 4,
        "changed": ["help"],
    }
    assert answer("rules", "enable", "help")["version"] == 5
    assert answer("rules", "remove", "help") == {"version": 6, "changed": ["help"]}
    changes = answer("rules", "history", "help")
    assert [(each["action"], each["remark"]) for each in changes] == [
        ("add", ""),
        ("disable", "broken page"),
        ("enable", ""),
        ("remove", ""),
    ]
    assert all(each["by"] for each in changes)
    assert "before" not in run("rules", "history")


def test_rules_travel_by_file(rules: str, tmp_path: Path) -> None:
    run("rules", "add", rules)
    out = str(tmp_path / "out.toml")
    assert answer("rules", "export", out) == {"rules": 2, "segments": 1}
    run("rules", "remove", "pasta")
    assert answer("rules", "import", out, "--replace")["changed"] == ["pasta"]


def test_a_check_shows_which_rules_fire_and_saves_nothing(rules: str, tmp_path: Path) -> None:
    queries = tmp_path / "q.csv"
    queries.write_text("query\nhelp me\nbread\n")
    found = answer("rules", "check", rules, "--queries", str(queries))
    assert found["fired"] == {"help": 1}
    assert (found["idle"], found["searched"]) == (["pasta"], False)
    assert "help redirect: to /help" in run("rules", "check", rules, "--queries", str(queries))
    assert answer("rules", "list")["rules"] == []


def test_segments_are_listed_with_their_fields(rules: str) -> None:
    run("segments", "add", rules)
    assert answer("segments", "list") == [{"name": "loyal", "is": "purchases_30d >= 3", "version": 1}]
    assert "purchases_30d" in {each["field"] for each in answer("segments", "fields")}
    with pytest.raises(DataError, match="names the segment 'loyal'"):
        run("segments", "remove", "loyal")
    run("rules", "remove", "pasta")
    run("segments", "remove", "loyal")
    assert [each["action"] for each in answer("segments", "history", "loyal")] == ["add", "remove"]


def test_synonyms_that_cannot_be_checked_are_kept_by_force_alone(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "synonyms.json"
    path.write_text(json.dumps(SYNONYMS))
    assert answer("synonyms", "check", str(path))["checked"] is False
    with pytest.raises(DataError, match="not accepted: no query set was given"):
        run("synonyms", "add", str(path))
    assert answer("synonyms", "add", str(path), "--force")["changed"] == ["en"]
    assert "forced: no query set was given" in answer("synonyms", "history")[0]["remark"]
    assert answer("synonyms", "list")[0]["synonyms"] == [
        {"left": ["sofa"], "right": ["couch"], "two_way": True, "weight": 0.7}
    ]
    assert "<=>" in run("synonyms", "list")
    assert answer("synonyms", "disable", "en")["changed"] == ["en"]
    assert answer("synonyms", "enable", "en")["changed"] == ["en"]
    out = tmp_path / "out.toml"
    assert answer("synonyms", "export", str(out)) == {"synonym_sets": 1}
    assert answer("synonyms", "remove", "en")["changed"] == ["en"]
    assert answer("synonyms", "import", str(out), "--force")["changed"] == ["en"]


def test_words_are_hidden_from_suggestions_and_shown_again(home: Path) -> None:
    hidden = answer("suggestions", "hide", "Guns", "water  pipe", "赌博", "--remark", "not here")
    assert hidden == {"version": 3, "changed": ["guns", "water pipe", "赌博"]}
    assert answer("suggestions", "hide", "GUNS")["changed"] == []
    assert [each["text"] for each in answer("suggestions", "list")] == ["guns", "water pipe", "赌博"]
    assert answer("suggestions", "unhide", "guns")["changed"] == ["guns"]
    with pytest.raises(DataError, match="no hidden word 'guns'"):
        run("suggestions", "unhide", "guns")
    with pytest.raises(DataError, match=r"'!' has no word"):
        run("suggestions", "hide", "!")
    changes = answer("suggestions", "history", "guns")
    assert [(each["action"], each["remark"]) for each in changes] == [("add", "not here"), ("remove", "")]


def test_synonyms_that_are_a_circle_are_refused_even_by_force(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "synonyms.json"
    rows = [{"left": [a], "right": [b], "two_way": False} for a, b in (("sofa", "couch"), ("couch", "sofa"))]
    path.write_text(json.dumps({"synonym_sets": [{"name": "en", "synonyms": rows}]}))
    with pytest.raises(DataError, match=r"set 'en', synonym 2: .*circle"):
        run("synonyms", "add", str(path), "--force")
    assert answer("synonyms", "list") == []
