"""`recsys search`: its commands in one group."""

import typer

from recsys.cli.search import rules, segments, synonyms

app = typer.Typer(no_args_is_help=True, help="Search: the shop's rules, segments and synonyms.")
rules.register(app)
segments.register(app)
synonyms.register(app)
