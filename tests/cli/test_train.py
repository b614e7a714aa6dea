"""`recsys train`: what goes together and what does not."""

from pathlib import Path

from typer.testing import CliRunner

from recsys.cli.app import app


def test_a_dry_run_does_not_go_with_incremental(home: Path) -> None:
    assert CliRunner().invoke(app, ["train", "--dry-run", "--incremental"]).exit_code == 2
