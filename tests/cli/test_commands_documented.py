"""Every command says what it does, shows an example that parses, and can answer in JSON."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import typer

from recsys.cli.app import app

HEAVY = ("torch", "feast", "pandas", "pyarrow", "transformers", "bentoml", "sqlalchemy", "alembic")
ROOT = typer.main.get_command(app)


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))
    if path and not hasattr(command, "commands"):
        yield " ".join(path), command


def groups(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if hasattr(command, "commands"):
        yield " ".join(path), command
        for name, child in command.commands.items():
            yield from groups(child, (*path, name))


COMMANDS = dict(commands(ROOT))


def examples(command: click.Command) -> list[str]:
    """The lines below `Example:` in a command's help."""
    block = re.search(r"Examples?:\n((?:[ \t]+\S.*\n?)+)", command.help or "")
    return [line.strip() for line in block.group(1).splitlines()] if block else []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    text = COMMANDS[name].help or ""
    assert len(text.split("Example")[0].split()) >= 3
    assert text.strip().splitlines()[0].rstrip().endswith((".", ",", ";")) or len(text.splitlines()) > 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_of_itself(name: str) -> None:
    lines = examples(COMMANDS[name])
    assert any(f"recsys {name}" in line for line in lines), f"recsys {name} --help has no example"
    assert "\b" in (COMMANDS[name].help or ""), "put the example in a \\b block, or its lines are joined"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_is_accepted_by_its_parser(name: str) -> None:
    for line in examples(COMMANDS[name]):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # a variable set for the command
            words.pop(0)
        if words[:1] != ["recsys"] or words[1 : 1 + len(name.split())] != name.split():
            continue
        arguments = words[1 + len(name.split()) :]
        end = next((i for i, word in enumerate(arguments) if word in (">", "|", "&", "&&")), len(arguments))
        COMMANDS[name].make_context(name, arguments[:end], resilient_parsing=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_can_answer_in_json(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert "--json" in options


@pytest.mark.parametrize("name", [name for name, _ in groups(ROOT)])
def test_a_group_says_what_it_holds(name: str) -> None:
    assert dict(groups(ROOT))[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"{name}: {parameter.opts} has no help"


def test_the_command_line_starts_without_anything_heavy() -> None:
    program = (
        "import sys; import recsys.cli.app, recsys.cli.models.models, recsys.cli.config, recsys.cli.doctor; "
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
