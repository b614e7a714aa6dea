"""`recsys backup`: a copy of the home, taken while it is in use."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, print_facts
from recsys.config import load_settings


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, on another disk if you can.")],
    as_json: AsJson = False,
) -> None:
    """Copy the whole home to a new folder, events that wait included; service and workers go on meanwhile.

    Not in it: a Redis or a PostgreSQL of your own, and recsys.toml, the mapping and feature_repo/, which lie
    beside the home. How to restore is told in docs/backup.md.

    \b
    Example:
      recsys backup /backups/shop-2026-11-27
    """
    from recsys.jobs.data.backup import back_up_home

    print_facts(back_up_home(load_settings(), folder, bars).to_json(), as_json=as_json, title="back-up")
