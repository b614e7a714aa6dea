"""Outside of a shop every command says so at once, but for those that work anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recsys.cli.app import WORKS_ANYWHERE, app
from recsys.config import load_settings
from recsys.errors import ConfigError
from tests.cli.test_commands_documented import COMMANDS, examples

MESSAGE = "is not in a shop"
NEED_A_SHOP = [name for name in COMMANDS if name not in WORKS_ANYWHERE]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is in no shop, with no settings from the environment."""
    for name in list(os.environ):
        if name.startswith("RECSYS_") or name in ("REDIS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_shop(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "recsys.toml").write_text("")
    return folder


@pytest.mark.parametrize("name", NEED_A_SHOP)
def test_a_command_says_that_it_is_not_in_a_shop_and_what_to_do(name: str, nowhere: Path) -> None:
    result = CliRunner().invoke(app, name.split())
    assert isinstance(result.exception, ConfigError)
    assert MESSAGE in str(result.exception)
    assert "recsys init DIR --from FILES" in str(result.exception)


@pytest.mark.parametrize("name", [*COMMANDS, "data", "models", "stream"])
def test_help_is_given_anywhere(name: str, nowhere: Path) -> None:
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0, result.output
    assert examples(COMMANDS[name]) if name in COMMANDS else True


def test_the_settings_are_shown_anywhere(nowhere: Path) -> None:
    assert CliRunner().invoke(app, ["config"]).exit_code == 0


def test_a_wrong_command_is_wrong_usage_anywhere(nowhere: Path) -> None:
    assert CliRunner().invoke(app, ["trian"]).exit_code == 2


def test_it_is_said_before_anything_heavy_is_imported(nowhere: Path) -> None:
    program = (
        "import sys; sys.argv = ['recsys', 'train']\n"
        "from recsys.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = ('torch', 'feast', 'pandas', 'pyarrow', 'transformers', 'bentoml', 'sqlalchemy')\n"
        "print(code, [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"
    assert done.stderr.startswith("error: ")
    assert MESSAGE in done.stderr


@pytest.mark.parametrize("below", [".", "a/b", "feature_repo"])
def test_the_nearest_shop_upwards_is_the_one(
    below: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shop(nowhere / "outer")
    shop = make_shop(nowhere / "outer" / "shop")
    (shop / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(shop / below)
    settings = load_settings()
    assert (settings.root, settings.paths.home) == (shop, shop / ".recsys")
    assert settings.feature_repo == shop / "feature_repo"


def test_a_home_that_is_named_knows_the_shop_around_it(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make_shop(nowhere / "shop")
    (nowhere / "elsewhere").mkdir()
    monkeypatch.chdir(nowhere / "elsewhere")
    for named in (str(shop / ".recsys"), "../shop/.recsys"):
        settings = load_settings({"RECSYS_HOME": named})
        assert (settings.root, settings.paths.home) == (shop, shop / ".recsys")


def test_the_shop_that_one_is_in_goes_before_that_of_the_home(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, here = make_shop(nowhere / "other"), make_shop(nowhere / "here")
    monkeypatch.chdir(here)
    settings = load_settings({"RECSYS_HOME": str(other / ".recsys")})
    assert (settings.root, settings.paths.home) == (here, other / ".recsys")


def test_a_home_that_is_named_is_enough(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_HOME", str(nowhere / "home"))
    assert CliRunner().invoke(app, ["models", "list", "--json"]).stdout == "[]\n"
