"""`recsys doctor` tells what is missing and how to mend it, and leaves everything as it is."""

import json
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from recsys.cli.doctor import doctor, fold_packages
from recsys.config import load_settings
from recsys.jobs.checks.check import missing, ok
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.registry.registry import Registry
from tests.tiny_bundle import tiny_bundle

app = typer.Typer(rich_markup_mode=None)
app.command()(doctor)


def report(home: Path) -> tuple[int, dict[str, dict[str, Any]]]:
    result = CliRunner().invoke(app, ["--json"], catch_exceptions=False)
    document = json.loads(result.stdout)
    assert document["ok"] == (result.exit_code == 0)
    return result.exit_code, {check["name"]: check for check in document["checks"]}


def files(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_an_empty_home_lacks_what_recommending_needs_and_exits_1(home: Path) -> None:
    code, checks = report(home)
    assert code == 1
    lacking = {name for name, check in checks.items() if check["state"] == "missing"}
    assert lacking == {"data", "features", "feature registry", "production bundle"}
    assert all(checks[name]["remedy"] for name in lacking)
    assert checks["python"]["state"] == checks["package torch"]["state"] == "ok"


def test_nothing_is_made_or_changed(home: Path) -> None:
    settings = load_settings()
    bundle = tiny_bundle()
    with Registry.open(settings) as registry:
        registry.register(bundle.manifest, save_bundle(bundle, settings.paths.bundles))
        registry.promote(bundle.manifest.bundle_id)
    before = files(home)
    report(home)
    assert files(home) == before


def test_people_get_a_table_and_a_count_on_stderr(home: Path) -> None:
    result = CliRunner().invoke(app, [], catch_exceptions=False)
    assert "recsys data import" in result.stdout
    assert "4 missing" in result.stderr


def test_packages_that_fit_are_one_row_and_others_stand_out() -> None:
    rows = fold_packages(
        [ok("python", "3.11"), ok("package a", "1"), ok("package b", "2"), missing("package c", "", "run")]
    )
    assert [(row.name, row.detail) for row in rows] == [
        ("python", "3.11"),
        ("packages", "2 as asked"),
        ("package c", ""),
    ]
