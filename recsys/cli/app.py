"""The `recsys` command. Groups are cheap to import: whatever is heavy is imported inside a command."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recsys import __version__
from recsys.cli import data, features, keys, recommend, server, stream
from recsys.cli.ads import group as ads
from recsys.cli.backup import backup
from recsys.cli.config import config
from recsys.cli.demo.demo import demo
from recsys.cli.doctor import doctor
from recsys.cli.encoders import encoder
from recsys.cli.init import init
from recsys.cli.models import models
from recsys.cli.monitoring import monitoring
from recsys.cli.options import Log, log_format
from recsys.cli.output import log_to_stderr, note
from recsys.cli.refresh import refresh
from recsys.cli.schedule import schedule
from recsys.cli.search import group as search
from recsys.cli.size import size
from recsys.cli.training.ablate import ablate
from recsys.cli.training.evaluate import evaluate
from recsys.cli.training.train import train
from recsys.cli.training.tune import tune
from recsys.errors import RecsysError, storage_problem
from recsys.feast_import import reduce_feast_import
from recsys.home import keep_private
from recsys.settings_sources import check_in_shop
from recsys.usage_tracking import turn_off_usage_tracking

WORKS_ANYWHERE = ("init", "doctor", "config", "size", "ads evaluate-policy", "ads simulate")


class _Commands(TyperGroup):
    """The commands; those that need a shop say so before anything heavy is imported. Help needs none."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        asks_for_help = "--help" in rest or (isinstance(command, TyperGroup) and not rest)
        called = " ".join([str(name), *rest[: isinstance(command, TyperGroup)]])
        if called not in WORKS_ANYWHERE and not asks_for_help:
            check_in_shop(os.environ, Path.cwd())
        return name, command, rest


app = typer.Typer(
    name="recsys",
    cls=_Commands,
    help="Search, recommendation and ads for a shop: from its files to a served recommendation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"recsys {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    log: Log = None,
) -> None:
    """Search, recommendation and ads for a shop: from its files to a served recommendation."""
    context.with_resource(log_to_stderr(log_format(log)))


app.command()(init)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
app.command()(refresh)
app.add_typer(encoder.app, name="encoder")
app.command()(train)
app.command()(tune)
app.command()(evaluate)
app.command()(schedule)
app.command()(ablate)
app.add_typer(models.app, name="models")
app.add_typer(stream.app, name="stream")
app.add_typer(search.app, name="search")
app.add_typer(ads.app, name="ads")
recommend.register(app)
server.register(app)
app.add_typer(keys.app, name="keys")
app.command()(backup)
app.command()(doctor)
app.command()(monitoring)
app.command()(config)
app.command()(size)
app.command()(demo)


def main() -> None:
    """Runs the command line; exits 0, or 1 with one line for a known error, or 2 for wrong usage."""
    # Threads that wait must not spin: on cores that others want too it made training several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    turn_off_usage_tracking()
    reduce_feast_import()
    keep_private()
    try:
        app()
    except RecsysError as error:
        note(f"error: {error}")
        sys.exit(1)
    except OSError as error:
        if (problem := storage_problem(error)) is None:
            raise
        note(f"error: {problem}")
        sys.exit(1)


if __name__ == "__main__":
    main()
