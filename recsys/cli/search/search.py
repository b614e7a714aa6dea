"""The group `recsys search`; a command module adds itself here: `queries.register(app)`."""

import typer

from recsys.cli.search import queries

app = typer.Typer(
    help="Search: what people looked for, and how well it is found.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
queries.register(app)
