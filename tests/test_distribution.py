"""The package under its own name: in every message and page, and whole in a wheel."""

import re
import tomllib
from pathlib import Path

import pytest

from recsys import DISTRIBUTION
from recsys.distribution import carried_folder, install_command

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FOREIGN = re.compile(r"pip install [^`\n]*\brecsys(?!-platform)\b(?=[\['\" `]|$)", re.MULTILINE)


def texts() -> list[Path]:
    found = [
        path for folder in ("recsys", "serving", "docs", "scripts") for path in (ROOT / folder).rglob("*")
    ]
    return [path for path in found if path.suffix in (".py", ".toml", ".md", ".html", ".j2", "")]


def test_the_name_is_one_constant() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert install_command("tune") == f"pip install '{DISTRIBUTION}[tune]'"


def test_extras_name_extras_of_this_distribution() -> None:
    own = re.compile(rf"^{DISTRIBUTION}\[([\w,]+)\]$")
    named = [own.match(each) for each in PROJECT["optional-dependencies"]["dev"]]
    [extras] = [found[1].split(",") for found in named if found]
    assert set(extras) < set(PROJECT["optional-dependencies"])


def test_nothing_tells_anyone_to_install_another_projects_package() -> None:
    found = {
        str(path.relative_to(ROOT)): match.group()
        for path in texts()
        if path.is_file()
        for match in FOREIGN.finditer(path.read_text("utf-8"))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text", ["`pip install 'recsys[tune]'`", "pip install recsys", 'pip install -U "recsys"']
)
def test_the_search_for_it_finds_what_it_should(text: str) -> None:
    assert FOREIGN.search(text)
    assert not FOREIGN.search(text.replace("recsys", DISTRIBUTION))


@pytest.mark.parametrize("name", ["feature_repo", "migrations"])
def test_a_checkout_has_one_copy_of_what_a_wheel_carries(name: str) -> None:
    assert carried_folder(name) == ROOT / name
