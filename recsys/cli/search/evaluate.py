"""`recsys search evaluate`: ways to search beside each other on judged queries."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.cli.search.judged import (
    Columns,
    Encoder,
    FromLog,
    Grades,
    Items,
    Judged,
    LeastShown,
    Order,
    Places,
    Queries,
    Split,
    Threshold,
    Worthless,
    search_test,
)
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.search.evaluation.evaluate import SearchResult


def evaluate(
    judgments: Judged = None,
    queries: Queries = None,
    items: Items = None,
    from_log: FromLog = None,
    rankings: Annotated[
        Path | None, typer.Option(help="Write the lists of all rows to this Parquet file.")
    ] = None,
    others: Annotated[
        str | None,
        typer.Option(
            help="Rankings of other engines as further rows: name=FILE or name=FILE:row, with commas."
        ),
    ] = None,
    k: Places = "10,100",
    threshold: Threshold = None,
    worthless: Worthless = 0.0,
    split: Split = "all",
    columns: Columns = None,
    grades: Grades = None,
    least_shown: LeastShown = 50,
    encoder: Encoder = None,
    order: Order = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="A bundle's id, or production: what it serves is a row, and the default."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the whole catalog for judged queries, by every way to search, with intervals over queries.

    The row that a shop searches by is marked and set beside the better of its halves. A report is written to
    reports/search/ in the home: Markdown, JSON and a picture.

    \b
    Example:
      recsys search evaluate --judgments j.csv --queries q.csv --items items.csv --threshold 2.33 --split test
      recsys search evaluate --judgments qrels.txt --queries topics.txt --rankings out.parquet
      recsys search evaluate --from-log 500 --bundle production
    """
    from recsys.jobs.search.evaluation.evaluate import evaluate_search

    test = search_test(
        judgments,
        queries,
        from_log,
        items,
        split=split,
        threshold=threshold,
        worthless=worthless,
        k=k,
        columns=columns,
        grades=grades,
        least_shown=least_shown,
        encoder=encoder,
        bundle=bundle,
        others=others,
        order=order,
        command=shlex.join(["recsys", *sys.argv[1:]]),
    )
    found = evaluate_search(load_settings(), test, rankings, progress=bars)
    print_json(found.to_json()) if as_json else _print_tables(found)


def _print_tables(found: "SearchResult") -> None:
    note(found.headline)
    for line in found.notes:
        note(line)
    print_rows(found.rows, as_json=False, strong=f"{found.evaluation.default} (default)")
    print_rows(found.difference_rows, as_json=False, title="paired differences, 95% intervals")
    for sentence in found.sentences:
        note(sentence)
    note(f"report: {found.report[0]}")
