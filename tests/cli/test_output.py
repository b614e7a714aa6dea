"""What jobs log reaches people: on stderr, line by line, for as long as a command runs."""

import logging

import pytest
import typer
from typer.testing import CliRunner

from recsys.cli.app import app, root
from recsys.cli.output import log_to_stderr


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
