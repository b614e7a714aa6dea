"""`recsys search compare`: two searches beside each other."""

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson
from recsys.cli.output import bars, note, print_facts, print_json, print_rows
from recsys.cli.search.judged import (
    Columns,
    FromLog,
    Grades,
    Items,
    Judged,
    LeastShown,
    Places,
    Queries,
    Split,
    Threshold,
    Worthless,
    search_test,
)
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.search.evaluation.compare import ShownList


def compare(
    first: Annotated[
        str, typer.Argument(help="A row (weighted,weight=.7), bundle:ID, or rankings: FILE or FILE:row.")
    ],
    second: Annotated[str, typer.Argument(help="What to set beside it, in the same form.")],
    judgments: Judged = None,
    queries: Queries = None,
    items: Items = None,
    from_log: FromLog = None,
    unjudged: Annotated[
        bool, typer.Option("--unjudged", help="Queries of the log without judgments: only how lists differ.")
    ] = False,
    k: Places = "10,100",
    threshold: Threshold = None,
    worthless: Worthless = 0.0,
    split: Split = "all",
    columns: Columns = None,
    grades: Grades = None,
    least_shown: LeastShown = 50,
    show: Annotated[int, typer.Option(min=0, help="Queries that gain and lose most, with their items.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Set two searches beside each other: overlap, paired differences, and the queries that change most.

    \b
    Example:
      recsys search compare BM25 weighted,weight=.7 --judgments j.csv --items items.csv
      recsys search compare old.parquet:weighted new.parquet:weighted --judgments j.csv
      recsys search compare bundle:production bundle:next --from-log 500 --unjudged
    """
    from recsys.jobs.search.evaluation.compare import compare_searches

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
    )
    found = compare_searches(
        load_settings(), (first, second), test, unjudged=unjudged, show=show, progress=bars
    )
    if as_json:
        print_json(found.to_json())
        return
    for line in found.notes:
        note(line)
    print_facts(found.facts, as_json=False)
    if found.rows:
        print_rows(found.rows, as_json=False, title=f"{second} less {first}, 95% intervals")
    for heading, lists in (("gains", found.gained), ("loses", found.lost), ("changes", found.changed)):
        for each in lists:
            _print_list(heading, each)


def _print_list(heading: str, shown: "ShownList") -> None:
    change = shown.change
    values = "" if change.first != change.first else f", NDCG {change.first:.3f} -> {change.second:.3f}"
    title = f"{heading}: {shown.query}{values}, rank-biased overlap {change.alike:.2f}"
    print_rows(shown.lines, as_json=False, title=title)
