"""`recsys doctor`: what this machine and this shop have, what is missing, and how to mend it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from recsys.cli.output import note, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.jobs.checks.check import Check, warning

Probe = Callable[[Settings], "Check | list[Check]"]


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check the machine and the shop, and say how to mend what is missing; exit 1 if anything is.

    Nothing is started and nothing is changed.

    \b
    Example:
      recsys doctor
    """
    settings = load_settings()
    checks = examine(settings, _probes())
    lacking = [check for check in checks if check.state == "missing"]
    if as_json:
        print_json({"ok": not lacking, "checks": [asdict(check) for check in checks]})
    else:
        print_rows([asdict(check) for check in folded(checks)], as_json=False)
        note(f"{len(lacking)} missing" if lacking else "nothing is missing")
    if lacking:
        raise typer.Exit(1)


def examine(settings: Settings, probes: Sequence[tuple[str, Probe]]) -> list[Check]:
    """What each probe found; one that breaks is a warning and does not hide the others."""
    checks: list[Check] = []
    for name, probe in probes:
        try:
            found = probe(settings)
        except Exception as error:  # a doctor outlives what is broken; the error is shown
            found = warning(name, f"could not be checked: {type(error).__name__}: {error}", "see the cause")
        checks += found if isinstance(found, list) else [found]
    return checks


def folded(checks: Sequence[Check]) -> list[Check]:
    """The same with all packages that fit in one row."""
    fit = [check for check in checks if check.name.startswith("package ") and check.state == "ok"]
    rest = [check for check in checks if check not in fit]
    if not fit:
        return rest
    row = Check("packages", "ok", f"{len(fit)} as asked")
    return [*rest[:1], row, *rest[1:]]


def _probes() -> list[tuple[str, Probe]]:
    from recsys.jobs.checks import machine, packages, servers, shop

    return [
        ("packages", packages.python_and_packages),
        ("compute", machine.compute),
        ("text encoder", machine.text_encoder),
        ("home", machine.home_writable),
        ("disk", machine.free_disk),
        ("redis", servers.redis),
        ("event stream", servers.event_stream),
        ("database", servers.database),
        ("data", shop.data),
        ("features", shop.features),
        ("feature registry", shop.feature_registry),
        ("production bundle", shop.production_bundle),
        ("port", machine.port),
        ("api key", machine.api_key),
    ]
