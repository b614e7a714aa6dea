"""`recsys search`: its commands in one group."""

import typer

from recsys.cli.search.evaluate import evaluate

app = typer.Typer(no_args_is_help=True, help="Search: evaluate it, compare two, sample queries to judge.")
app.command()(evaluate)
