"""`recsys config`: the settings in effect, where each came from, and a file to start from."""

from dataclasses import asdict
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import print_json, print_rows
from recsys.config import load_settings, setting_sources
from recsys.jobs.settings import effective_settings, example_toml


def config(
    as_json: AsJson = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print a commented recsys.toml that holds the defaults.")
    ] = False,
) -> None:
    """Print every setting in effect and where it came from; passwords and keys are masked.

    \b
    Example:
      recsys config
      recsys config --example > recsys.toml
    """
    if example:
        typer.echo(example_toml(), nl=False)
        return
    found = effective_settings(load_settings(), setting_sources())
    if as_json:
        print_json(found.to_json())
    else:
        print_rows([asdict(row) | {"value": _shown(row.value)} for row in found.settings], as_json=False)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
