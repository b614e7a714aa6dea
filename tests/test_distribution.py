"""The package under its own name: in every message and page, and whole in a wheel."""

import json
import os
import re
import shutil
import site
import subprocess
import sys
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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `recsys` of a wheel that was made from an sdist, in an environment that knows no checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("recsys", "serving", "feature_repo", "migrations"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    [sdist] = folder.glob("*.tar.gz")
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", folder, sdist], check=True)
    [wheel] = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    subprocess.run([*pip, "--python", folder / "env/bin/python", "install", *offline, wheel], check=True)
    [packages] = (folder / "env" / "lib").glob("python*/site-packages")
    # A path alone: the .pth files there, an editable checkout's too, are not read.
    (packages / "shared.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "env" / "bin"


@pytest.mark.slow
def test_a_wheel_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """Init, refresh with `feast apply` in it, and a registry whose migrations came along."""
    left_out = ("PYTHONPATH", "REDIS_URL", "DATABASE_URL")
    kept = {name: each for name, each in os.environ.items() if name not in left_out and "RECSYS_" not in name}

    def type_line(*words: str | Path, folder: Path = tmp_path) -> str:
        done = subprocess.run(words, cwd=folder, env=kept, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = type_line(installed / "python", "-c", "import recsys, serving; print(recsys.__file__, serving)")
    assert str(ROOT) not in where
    files = [ROOT / "docs" / "example-shop" / name for name in ("events.csv", "items.csv")]
    type_line(installed / "recsys", "init", "shop", "--from", *files)
    shop = tmp_path / "shop"
    assert (shop / "feature_repo" / "feature_store.yaml").exists()
    refreshed = type_line(installed / "recsys", "refresh", "--no-text", "--json", folder=shop)
    assert json.loads(refreshed)["events"] == 621
    assert json.loads(type_line(installed / "recsys", "models", "list", "--json", folder=shop)) == []
    assert (shop / ".recsys" / "recsys.db").exists()
    service = "import bentoml; print(bentoml.load('.').name)"
    assert "Recommender" in type_line(installed / "python", "-c", service, folder=shop)
