"""What jobs log reaches people: on stderr, line by line, for as long as a command runs."""

import errno
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from recsys.cli.app import app, main, root
from recsys.cli.output import log_to_stderr, print_rows, set_log_format


def test_a_log_record_of_recsys_is_one_line_and_a_warning_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("recsys.jobs.training")
    with log_to_stderr():
        log.debug("too much")
        log.info("report: %s", "[/tmp/r]")
        log.warning("the audit was skipped")
        logging.getLogger("another").warning("not ours")
    log.info("too late")
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "report: [/tmp/r]\nwarning: the audit was skipped\n"


def test_commands_run_with_it() -> None:
    tree = typer.Typer(callback=root)

    @tree.command()
    def work() -> None:
        logging.getLogger("recsys.jobs").info("working")

    result = CliRunner().invoke(tree, ["work"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "working\n")
    assert app.registered_callback is not None
    assert app.registered_callback.callback is root
    assert logging.getLogger("recsys").handlers == []


@pytest.mark.parametrize("by", ["option", "variable", "setting"])
def test_with_json_every_line_is_an_object_errors_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    words = ["recsys", "data", "stats"]
    if by == "option":
        words[1:1] = ["--log", "json"]
    elif by == "variable":
        monkeypatch.setenv("RECSYS_LOG", "json")
    else:
        (home / "recsys.toml").write_text('[log]\nformat = "json"\n')
        monkeypatch.setenv("RECSYS_CONFIG", str(home / "recsys.toml"))
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    output = capsys.readouterr()
    assert output.out == ""
    found: Any = json.loads(output.err)
    assert (found["level"], found["logger"]) == ("error", "recsys.cli")
    assert "Run `recsys data import`" in found["message"]
    set_log_format("text")


def test_a_form_of_logs_that_does_not_exist_is_wrong_usage(home: Path) -> None:
    result = CliRunner().invoke(app, ["--log", "xml", "config"])
    assert result.exit_code == 2
    assert "'xml' is neither text nor json" in result.stderr


def test_a_disk_that_takes_nothing_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(home / "redis"))

    monkeypatch.setattr("recsys.jobs.server.start_server", refuse)
    monkeypatch.setattr(sys, "argv", ["recsys", "up"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"error: {home / 'redis'}: No space left on device. Free some disk space."


def test_words_in_brackets_stand_in_a_table_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"keyword": "[oat milk]", "style": "[bold]x"}], as_json=False)
    output = capsys.readouterr().out
    assert "[oat milk]" in output
    assert "[bold]x" in output
