"""`recsys search`: its commands in one group."""

import typer

from recsys.cli.search.compare import compare
from recsys.cli.search.evaluate import evaluate
from recsys.cli.search.sample import sample

app = typer.Typer(no_args_is_help=True, help="Search: evaluate it, compare two, sample queries to judge.")
app.command()(evaluate)
app.command()(compare)
app.command()(sample)
