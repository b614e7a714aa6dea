"""The `recsys` command. Groups are cheap to import: whatever is heavy is imported inside a command."""

import os
import sys
from typing import Annotated

import typer

from recsys import __version__
from recsys.cli import data, features, server, stream
from recsys.cli.config import config
from recsys.cli.demo import demo
from recsys.cli.doctor import doctor
from recsys.cli.encoders import encoder
from recsys.cli.models import models
from recsys.cli.monitoring import monitoring
from recsys.cli.output import log_to_stderr, note
from recsys.cli.refresh import refresh
from recsys.cli.schedule import schedule
from recsys.cli.training.ablate import ablate
from recsys.cli.training.evaluate import evaluate
from recsys.cli.training.train import train
from recsys.cli.training.tune import tune
from recsys.errors import RecsysError

app = typer.Typer(
    name="recsys",
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
) -> None:
    """Search, recommendation and ads for a shop: from its files to a served recommendation."""
    context.with_resource(log_to_stderr())


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
server.register(app)
app.command()(doctor)
app.command()(monitoring)
app.command()(config)
app.command()(demo)


def main() -> None:
    """Runs the command line; exits 0, or 1 with one line for a known error, or 2 for wrong usage."""
    # Threads that wait must not spin: on cores that others want too it made training several times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except RecsysError as error:
        note(f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
