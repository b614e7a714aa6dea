"""Options of `recsys recommend`, `similar` and `explain` are checked before anything is opened."""

import pytest
from typer.testing import CliRunner

from recsys.cli.app import app


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["recommend", "u", "--price-max", "cheap"], "'cheap' is not a valid amount"),
        (["recommend", "u", "--price-min", "-1"], "'-1' is not a valid amount"),
        (["similar", "i", "--attribute", "red"], "'red' is not a valid attribute"),
        (["recommend", "u", "--language", "de"], "'de' is not a valid language"),
        (["explain", "u", "i", "--seen", "perhaps"], "'perhaps' is neither keep nor remove"),
        (["recommend", "u", "-k", "101"], "'-k'"),
        (["recommend", "u", "--diversity", "2"], "'--diversity'"),
    ],
)
def test_an_option_that_cannot_be_is_named(words: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.replace("│", " ").split())
