"""`recsys search queries`: what people looked for."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import print_facts, print_json, print_rows
from recsys.config import load_settings
from recsys.instants import utc_now

if TYPE_CHECKING:
    from recsys.jobs.search.queries import QueryView


def queries(
    zero: Annotated[bool, typer.Option("--zero", help="Queries that found nothing.")] = False,
    no_click: Annotated[
        bool, typer.Option("--no-click", help="Queries that found something nobody ever chose.")
    ] = False,
    top: Annotated[
        bool, typer.Option("--top", help="Queries by how often they were asked; default.")
    ] = False,
    reformulated: Annotated[
        bool, typer.Option("--reformulated", help="Queries with what the same people asked instead.")
    ] = False,
    days: Annotated[float, typer.Option(help="How far back to look.", min=0.01)] = 30,
    count: Annotated[int, typer.Option(help="Rows at most.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what people looked for, from the search events of the lake.

    A search counts once, however many pages of it were looked at. A search that does not say how many
    items it found is counted as unknown, never as one that found nothing. A query is reformulated where the
    same person asks something similar within five minutes.

    \b
    Example:
      recsys search queries --zero --days 7
      recsys search queries --reformulated --json
    """
    view = _view(zero, no_click, top, reformulated)

    from recsys.jobs.search.queries import report_queries

    report = report_queries(load_settings().paths, view, utc_now(), days, count)
    if as_json:
        print_json(report.to_json())
        return
    print_facts(report.facts(), as_json=False, title="Searches")
    print_rows(report.table(), as_json=False, title=view)


def _view(zero: bool, no_click: bool, top: bool, reformulated: bool) -> "QueryView":
    """The one that was asked for; raises BadParameter where several were."""
    views: dict[QueryView, bool] = {
        "zero": zero,
        "no-click": no_click,
        "top": top,
        "reformulated": reformulated,
    }
    wanted = [name for name, given in views.items() if given]
    if len(wanted) > 1:
        raise typer.BadParameter(f"--{wanted[0]} and --{wanted[1]} are two views; ask for one at a time")
    return wanted[0] if wanted else "top"
