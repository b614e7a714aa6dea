"""`recsys search train`: an order of search learned from judged pairs."""

from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts
from recsys.cli.search.judged import Columns, Grades, Judged, Queries, search_test
from recsys.config import load_settings

Part = Annotated[
    str, typer.Option("--split", help="train (four queries of five, by their text), test or all.")
]


def train(
    judgments: Judged = None,
    queries: Queries = None,
    split: Part = "train",
    columns: Columns = None,
    grades: Grades = None,
    as_json: AsJson = False,
) -> None:
    """Learn the order of search from judged pairs of the shop's items, or from the clicks of a UBI log.

    Features are computed by the bundle in production, as a search does; the order is kept in the home and is
    used by whatever is loaded from then on, with this bundle and later ones. Measure it on queries that it
    did not learn from: recsys search evaluate --split test --bundle production.

    \b
    Example:
      recsys search train --judgments judged.csv
      recsys search train --judgments events.jsonl --queries queries.jsonl --split all
    """
    test = search_test(judgments, queries, None, None, split=split, columns=columns, grades=grades)
    if test.judgments is None:
        raise typer.BadParameter("name the file of the judged pairs.", param_hint="--judgments")
    from recsys.jobs.search.train import train_search_order

    found = train_search_order(load_settings(), test.judgments, test.queries, test.reading, split, bars)
    print_facts(found.to_json(), as_json=as_json)
    note("a service that runs uses it after its next start or the next promotion")
