"""`recsys up | down | status`: the Redis that holds this shop's online features."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import note, print_facts

if TYPE_CHECKING:
    from recsys.stores.redis.server import ServerStatus

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def up(as_json: Json = False) -> None:
    """Start this home's Redis server unless it runs already, and print its address.

    With REDIS_URL set nothing is started: the server it names is asked whether it answers.

    \b
    Example:
      recsys up
    """
    from recsys.config import load_settings
    from recsys.stores.redis import server as redis_server

    _show(redis_server.start_server(load_settings()), as_json)


def down(as_json: Json = False) -> None:
    """Stop this home's Redis server once its data is on disk; do nothing where none runs.

    \b
    Example:
      recsys down
    """
    from recsys.config import load_settings
    from recsys.stores.redis import server as redis_server

    settings = load_settings()
    if settings.redis_url is not None:
        note("REDIS_URL names a server that recsys did not start: it is left running.")
    stopped = redis_server.stop_server(settings)
    print_facts({"stopped": stopped}, as_json=as_json)


def status(as_json: Json = False) -> None:
    """Tell whether Redis answers and what it holds; exit 0 if it does and 1 if not.

    \b
    Example:
      recsys status --json
    """
    from recsys.config import load_settings
    from recsys.stores.redis import server as redis_server

    now = redis_server.server_status(load_settings())
    _show(now, as_json)
    if not now.running:
        note("Redis is down. `recsys up` starts it.")
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Adds `up`, `down` and `status` to the root command."""
    for command in (up, down, status):
        app.command()(command)


def _show(status: "ServerStatus", as_json: bool) -> None:
    print_facts(asdict(status), as_json=as_json)
