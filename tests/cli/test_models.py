"""`recsys models`: what it prints, what it rejects and what it leaves behind."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app
from recsys.config import load_settings
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.registry.records import EvaluationRecord
from recsys.stores.registry.registry import Registry
from tests.tiny_bundle import NOW, tiny_bundle


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture
def trained(home: Path) -> Callable[[str], Path]:
    """Saves and registers a bundle, as training does."""

    def train(bundle_id: str) -> Path:
        settings = load_settings()
        bundle = tiny_bundle(bundle_id)
        path = save_bundle(bundle, settings.paths.bundles)
        with Registry.open(settings) as registry:
            registry.register(bundle.manifest, path, registry.start_run("train", {}), changed_by="train")
        return path

    return train


def stages() -> dict[str, str]:
    return {row["bundle_id"]: row["stage"] for row in answer("list")}


def test_without_bundles_the_list_is_empty(home: Path) -> None:
    assert answer("list") == []
    assert "nothing to show" in run("list")


def test_the_list_shows_id_and_stage_and_tells_programs_the_metrics(trained: Callable[[str], Path]) -> None:
    trained("one")
    [row] = answer("list")
    assert (row["bundle_id"], row["stage"], row["metrics"]) == (
        "one",
        "candidate",
        {"ndcg@10": 0.25, "recall@10": 0.5},
    )
    assert row["evaluations"] == {"keep": None, "remove": None}
    table = run("list")
    assert "one" in table
    assert "not evaluated" in table


def test_the_list_shows_what_bundles_were_worth_on_their_tests(trained: Callable[[str], Path]) -> None:
    path = trained("shop-20250301-120000-ab12")
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    keep = EvaluationRecord("keep", "time-split", 11_230, {"ndcg@10": 0.1397, "hr@10": 0.2213}, "better", NOW)
    with Registry.open(load_settings()) as registry:
        registry.record_evaluation("shop-20250301-120000-ab12", replace(keep, metrics={"ndcg@10": 0.1}))
        registry.record_evaluation("shop-20250301-120000-ab12", keep)
        registry.record_evaluation("shop-20250301-120000-ab12", replace(keep, seen="remove", cases=9))
        with pytest.raises(ArtifactNotFoundError, match="'missing'"):
            registry.record_evaluation("missing", keep)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    [row] = answer("list")
    assert row["evaluations"]["keep"] == {
        "seen": "keep",
        "protocol": "time-split",
        "cases": 11_230,
        "metrics": {"ndcg@10": 0.1397, "hr@10": 0.2213},
        "verdict": "better",
        "evaluated_at": NOW.isoformat(),
    }
    assert row["evaluations"]["remove"]["cases"] == 9
    table = run("list")
    for words in ("0.1397", "0.2213", "time-split, keep", "11,230 cases, 2025-03-01", "9 cases"):
        assert words in table
    assert max(len(line) for line in table.splitlines()) <= 100
    assert "11,230 cases" in run("show", "shop-20250301-120000-ab12")


def test_show_tells_the_manifest_and_the_history(trained: Callable[[str], Path]) -> None:
    path = trained("one")
    run("promote", "one")
    shown = answer("show", "one")
    assert (shown["encoder"], shown["items"], shown["path"]) == ("minilm", 4, str(path))
    assert shown["services"] == {"retrieval_v1": "a1", "ranking_v1": "b2"}
    assert [(change["from"], change["to"]) for change in shown["history"]] == [
        (None, "candidate"),
        ("candidate", "production"),
    ]
    table = run("show", "one")
    assert "recall@10" in table
    assert "corner-shop" in table


def test_show_works_without_the_files(trained: Callable[[str], Path]) -> None:
    (trained("one") / "manifest.json").unlink()
    result = CliRunner().invoke(app, ["models", "show", "one", "--json"])
    assert result.exit_code == 0
    assert "manifest.json is missing" in result.stderr
    assert json.loads(result.stdout)["bundle_id"] == "one"


def test_show_of_an_unknown_bundle_is_rejected(home: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="'missing'"):
        run("show", "missing")


def test_promote_and_rollback_go_forward_and_back(trained: Callable[[str], Path]) -> None:
    trained("one")
    trained("two")
    assert answer("promote", "one")["replaced"] is None
    assert answer("promote", "two")["replaced"] == "one"
    assert stages() == {"one": "archived", "two": "production"}
    back = answer("rollback")
    assert (back["bundle_id"], back["stage"], back["replaced"]) == ("one", "production", "two")
    assert stages() == {"one": "production", "two": "archived"}


def test_promoting_twice_says_so(trained: Callable[[str], Path]) -> None:
    trained("one")
    run("promote", "one")
    assert "there already" in run("promote", "one")


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_damaged_bundle_is_never_promoted(trained: Callable[[str], Path], force: tuple[str, ...]) -> None:
    path = trained("one")
    (path / "arrays.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactMismatchError, match=r"arrays\.safetensors was changed"):
        run("promote", "one", *force)
    assert stages() == {"one": "candidate"}


def test_a_rollback_to_a_bundle_that_is_gone_is_rejected_and_production_stays(
    trained: Callable[[str], Path],
) -> None:
    path = trained("one")
    trained("two")
    run("promote", "one")
    run("promote", "two")
    (path / "manifest.json").unlink()
    with pytest.raises(ArtifactNotFoundError, match="no bundle at"):
        run("rollback")
    assert stages() == {"one": "archived", "two": "production"}


def test_a_rollback_with_nothing_behind_is_rejected(trained: Callable[[str], Path]) -> None:
    trained("one")
    run("promote", "one")
    with pytest.raises(ArtifactNotFoundError, match="first in production"):
        run("rollback")


def test_features_that_cannot_be_compared_are_noted_on_stderr(trained: Callable[[str], Path]) -> None:
    trained("one")
    result = CliRunner().invoke(app, ["models", "promote", "one", "--json"])
    assert "not applied yet" in result.stderr
    assert json.loads(result.stdout)["stage"] == "production"
