"""`recsys start`, and `recsys up | down | status` for the Redis that holds this shop's online features."""

import signal
from typing import Annotated

import typer

from recsys.cli.options import AsJson, Log, log_format
from recsys.cli.output import current_log_format, note, print_facts, print_json, set_log_format
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

    Where the shop has advertisers it also tells how many events wait for the charge worker.

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


class StopSignals:
    """Counts SIGINT, SIGTERM and SIGHUP in place of their usual effect."""

    def __init__(self) -> None:
        self.count = 0
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self._note)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, self._note)

    def _note(self, *_: object) -> None:
        self.count += 1


def start(
    workers: Annotated[int, typer.Option(min=1, help="Processes of the event stream.")] = 1,
    host: Annotated[str | None, typer.Option(help="Default: serving.host, 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: serving.port, 3000.")] = None,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Run the shop in the foreground: Redis, stream workers, the HTTP service and the charge worker of ads.

    One supervisor looks after them. A line on stderr tells when all is ready and at which address. What dies
    is started again; what dies six times within a minute ends it all, with exit code 1. Ctrl-C or SIGTERM:
    requests in flight are completed and nothing that was accepted is lost; a second Ctrl-C kills. A Redis
    that ran before is left running. --json prints address, workers, Redis and problems on stdout, once it is
    ready.

    \b
    Example:
      recsys start
      recsys start --workers 2 --port 8080 --log json
    """
    if log is not None:
        set_log_format(log_format(log))
    requests = StopSignals()

    from recsys.jobs.start.start import StartedShop, StartOptions, start_shop

    def print_once(shop: StartedShop) -> None:
        if as_json and not printed:
            printed.append(shop)
            print_json(shop.to_json())

    printed: list[StartedShop] = []

    settings = load_settings()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    serving = settings.serving.model_copy(update=given)
    settings = settings.model_copy(update={"serving": serving})
    start_shop(settings, StartOptions(workers, current_log_format()), requests, print_once)


def register(app: typer.Typer) -> None:
    """Adds `start`, `up`, `down` and `status` to the root command."""
    for command in (start, up, down, status):
        app.command()(command)
