"""`recsys search`: a query, or one of its commands."""

from typing import Any

import typer
from typer.core import TyperGroup

from recsys.cli.search import rules, segments, suggestions, synonyms
from recsys.cli.search.compare import compare
from recsys.cli.search.evaluate import evaluate
from recsys.cli.search.items import items
from recsys.cli.search.queries import queries
from recsys.cli.search.sample import sample
from recsys.cli.search.train import train


class QueryOrCommand(TyperGroup):
    """What names no command is a query: `recsys search "oat milk"` is `recsys search items "oat milk"`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None:
            args = ["items", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=QueryOrCommand,
    no_args_is_help=True,
    help="Search: a query, what people looked for, how good it is, rules and synonyms.",
)
app.command()(items)
app.command()(evaluate)
app.command()(queries)
app.command()(compare)
app.command()(sample)
app.command()(train)
rules.register(app)
segments.register(app)
synonyms.register(app)
suggestions.register(app)
