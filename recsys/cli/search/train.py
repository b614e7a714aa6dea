"""`recsys search train`: an order of search learned from judged pairs."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts
from recsys.cli.search.judged import (
    Columns,
    Encoder,
    FromLog,
    Grades,
    Items,
    Judged,
    LeastShown,
    Queries,
    search_test,
)
from recsys.config import load_settings

Part = Annotated[
    str, typer.Option("--split", help="train (four queries of five, by their text), test or all.")
]


def train(
    judgments: Judged = None,
    queries: Queries = None,
    items: Items = None,
    from_log: FromLog = None,
    split: Part = "train",
    columns: Columns = None,
    grades: Grades = None,
    least_shown: LeastShown = 50,
    encoder: Encoder = None,
    portable: Annotated[
        bool, typer.Option(help="Read only what means the same on other shops and with other encoders.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for the order, which then is not used by this home.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn the order of search from judged pairs, or from clicks on what the shop or a UBI log showed.

    Features are computed by the bundle in production, as a search does, or from --items alone. The order is
    kept in the home and is used by whatever is loaded from then on, with this bundle and later ones. Measure
    it on queries that it did not learn from: recsys search evaluate --split test --bundle production.

    \b
    Example:
      recsys search train --judgments judged.csv
      recsys search train --from-log 5000 --split all
      recsys search train --judgments j.csv --items items.csv --portable --out order
    """
    test = search_test(
        judgments,
        queries,
        from_log,
        items,
        split=split,
        columns=columns,
        grades=grades,
        least_shown=least_shown,
        encoder=encoder,
    )
    from recsys.jobs.search.train import train_search_order

    found = train_search_order(load_settings(), test, portable=portable, out=out, progress=bars)
    print_facts(found.to_json(), as_json=as_json)
    if out is None:
        note("a service that runs uses it after its next start or the next promotion")
