"""Checks of Python and of the packages against what the project asks for."""

import platform
import tomllib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from recsys import DISTRIBUTION
from recsys.config import Settings
from recsys.distribution import setup_command
from recsys.jobs.checks.check import Check, missing, ok, warning


def python_and_packages(settings: Settings) -> list[Check]:
    """Python's version, then one check a required package."""
    asked = _asked(settings)
    if asked is None:
        unknown = "recsys is not installed, nothing says what it needs"
        return [warning("packages", unknown, f"run {setup_command()}")]
    python, requirements = asked
    return [check_python(python, platform.python_version()), *check_packages(requirements)]


def check_python(asked: str, found: str) -> Check:
    """Whether the version `found` is one that was asked for, for example `>=3.11`."""
    if SpecifierSet(asked).contains(found, prereleases=True):
        return ok("python", found)
    return missing("python", f"{found}, asked for {asked}", "install that Python, and recsys with it")


def check_packages(requirements: Sequence[str], installed: Callable[[str], str] = version) -> list[Check]:
    """One check a requirement that applies on this machine without extras."""
    checks = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            checks.append(_check_package(requirement, installed))
    return checks


def _check_package(requirement: Requirement, installed: Callable[[str], str]) -> Check:
    name, remedy = f"package {requirement.name}", f"run {setup_command()}"
    try:
        found = installed(requirement.name)
    except PackageNotFoundError:
        return missing(name, f"not installed, asked for {requirement.specifier or 'any'}", remedy)
    if requirement.specifier.contains(found, prereleases=True):
        return ok(name, found)
    return missing(name, f"{found}, asked for {requirement.specifier}", remedy)


def _asked(settings: Settings) -> tuple[str, list[str]] | None:
    """(Python's versions, requirements): from the checkout's pyproject.toml, else the installed metadata."""
    for folder in (Path(__file__).parents[3], settings.root):
        file = folder / "pyproject.toml"
        if file.exists():
            project = tomllib.loads(file.read_text("utf-8")).get("project", {})
            if project.get("name") == DISTRIBUTION:
                return project["requires-python"], project["dependencies"]
    try:
        return metadata(DISTRIBUTION)["Requires-Python"], requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
