"""`recsys doctor`: what this machine and this shop have, what is missing, and how to mend it."""

from collections.abc import Sequence
from dataclasses import asdict

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json, print_rows
from recsys.config import load_settings
from recsys.jobs.checks.check import Check


def doctor(as_json: AsJson = False) -> None:
    """Check the machine and the shop, and say how to mend what is missing; exit 1 if anything is.

    Nothing is started and nothing is changed.

    \b
    Example:
      recsys doctor
    """
    from recsys.jobs.checks.examine import examine_shop

    found = examine_shop(load_settings())
    if as_json:
        print_json(found.to_json())
    else:
        print_rows([asdict(check) for check in fold_packages(found.checks)], as_json=False)
        note(f"{found.missing} missing" if found.missing else "nothing is missing")
    if found.missing:
        raise typer.Exit(1)


def fold_packages(checks: Sequence[Check]) -> list[Check]:
    """The same with all packages that fit in one row."""
    fit = [check for check in checks if check.name.startswith("package ") and check.state == "ok"]
    rest = [check for check in checks if check not in fit]
    if not fit:
        return rest
    row = Check("packages", "ok", f"{len(fit)} as asked")
    return [*rest[:1], row, *rest[1:]]
