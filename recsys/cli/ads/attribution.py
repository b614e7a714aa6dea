"""`recsys ads attribution`: what campaigns sold."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import note, print_json, print_rows
from recsys.config import load_settings

Window = Annotated[
    int, typer.Option("--window", metavar="DAYS", help="Days after a click that count: 1, 7, 14 or 30.")
]
ViewWindow = Annotated[
    int, typer.Option("--view-window", metavar="DAYS", help="Days after an impression: 0, 1, 7, 14 or 30.")
]


def attribution(
    account: Annotated[str | None, typer.Option(help="One account's campaigns, by name or id.")] = None,
    campaign: Annotated[str | None, typer.Option(help="One campaign, by name or id.")] = None,
    days: Annotated[int, typer.Option(help="Purchases of so many days up to now.")] = 28,
    window: Window = 14,
    view_window: ViewWindow = 1,
    halo: Annotated[
        str, typer.Option(help="Which other items count: none, those of its brand, or of its category.")
    ] = "none",
    as_json: AsJson = False,
) -> None:
    """Tell what campaigns sold: each purchase is the last click's, else the last viewable impression's.

    What was cancelled or returned is taken off. Touches of all campaigns compete, whichever is asked for.

    \b
    Example:
      recsys ads attribution --account acme
      recsys ads attribution --campaign summer --days 7 --window 30 --view-window 0 --halo brand --json
    """
    from recsys.jobs.ads.attributed_sales import SalesQuestion, attributed_sales

    question = SalesQuestion.of(account, campaign, days, window, view_window, halo)
    found = attributed_sales(load_settings(), question)
    for gap in found.gaps:
        note(f"the ad log: {gap}")
    if as_json:
        print_json(found.to_json())
    else:
        print_rows(found.to_rows(), as_json=False)
