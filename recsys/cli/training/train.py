"""`recsys train`: from the imported shop to a registered bundle."""

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson, TestFrom, with_test_from
from recsys.cli.output import bars, print_facts
from recsys.cli.search.judged import Columns, Grades, Queries, judged_file
from recsys.cli.training.dry_run import print_estimate
from recsys.config import load_settings

Protocol = Annotated[
    str | None,
    typer.Option(
        help="What is held out for the test: time-split, leave-one-out or all (nothing, for production). "
        "Default: time-split where the data has a clock, else leave-one-out."
    ),
]
FitThreshold = Annotated[
    Path | None,
    typer.Option(
        metavar="JUDGMENTS",
        help="Judged pairs that decide from where on an item matches a query by meaning. Default: the "
        "shop's own titles and clicks. Read as recsys search evaluate reads --judgments.",
    ),
]
RelevantFrom = Annotated[
    float | None,
    typer.Option(help="Of --fit-threshold: the lowest grade that should match. Default: half way."),
]


def train(
    protocol: Protocol = None,
    test_from: TestFrom = None,
    promote: Annotated[bool, typer.Option("--promote", help="Serve the new bundle at once.")] = False,
    incremental: Annotated[
        bool,
        typer.Option("--incremental", help="Go on from the bundle in production, on what is new since."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what will be done and what it needs, and do nothing."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on, to the step, from where the last run broke off.")
    ] = False,
    search_only: Annotated[
        bool,
        typer.Option(
            "--search-only",
            help="Make a bundle of the catalog alone, in minutes: for search, and for a shop without events.",
        ),
    ] = False,
    fit_threshold: FitThreshold = None,
    relevant_from: RelevantFrom = None,
    queries: Queries = None,
    columns: Columns = None,
    grades: Grades = None,
    as_json: AsJson = False,
) -> None:
    """Train the retriever and the ranker on point-in-time features and register a bundle.

    The first bundle of a home is promoted by itself; later ones with --promote or `recsys models promote`.
    Started by torchrun, several processes share the retriever's steps.

    \b
    Example:
      recsys train --protocol time-split --promote
      recsys train --test-from "$(date -d '4 weeks ago' +%F)"
      recsys train --incremental
      recsys train --dry-run
      recsys train --search-only
      recsys train --search-only --fit-threshold judged.csv
      torchrun --nproc-per-node 2 -m recsys.cli.app train
    """
    if search_only and (protocol or test_from or incremental or dry_run or resume):
        raise typer.BadParameter(
            "learns nothing of users. Leave out --protocol, --test-from, --incremental, --dry-run, --resume.",
            param_hint="--search-only",
        )
    judged = judged_file(fit_threshold, queries, columns, grades, relevant_from)
    settings = with_test_from(load_settings(), test_from)
    if dry_run:
        if incremental:
            raise typer.BadParameter("is about a training from the start", param_hint="--dry-run")
        print_estimate(settings, protocol, as_json)
        return
    from recsys.jobs.training.train import train_and_promote

    trained = train_and_promote(
        settings,
        protocol,
        bars,
        promote=promote,
        incremental=incremental,
        resume=resume,
        search_only=search_only,
        fit_threshold=judged,
    )
    if trained is not None:
        print_facts(trained.to_json(), as_json=as_json, title="trained")
