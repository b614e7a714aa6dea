"""`recsys up | down | status`: the Redis that holds this shop's online features."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_facts
from recsys.config import load_settings


def up(
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Delete what another shop has in this database, and use it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start this home's Redis server unless it runs already, and print its address.

    With REDIS_URL set nothing is started: the server it names is asked whether it answers, and whether it
    holds another shop. One database of Redis holds one shop.

    \b
    Example:
      recsys up
      REDIS_URL=redis://localhost:6379/1 recsys up
    """
    from recsys.jobs.server import start_server, take_server_over

    report = take_server_over(load_settings()) if take_over else start_server(load_settings())
    print_facts(report.to_json(), as_json=as_json)


def down(as_json: AsJson = False) -> None:
    """Stop this home's Redis server once its data is on disk; do nothing where none runs.

    \b
    Example:
      recsys down
    """
    from recsys.jobs.server import stop_server

    print_facts(stop_server(load_settings()).to_json(), as_json=as_json)


def status(as_json: AsJson = False) -> None:
    """Tell whether Redis answers and what it holds; exit 0 if it does and 1 if not.

    \b
    Example:
      recsys status --json
    """
    from recsys.jobs.server import server_status

    report = server_status(load_settings())
    print_facts(report.to_json(), as_json=as_json)
    if not report.status.running:
        note("Redis is down. `recsys up` starts it.")
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds `up`, `down` and `status` to the root command."""
    for command in (up, down, status):
        app.command()(command)
