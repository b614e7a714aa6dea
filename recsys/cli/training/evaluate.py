"""`recsys evaluate`: a bundle beside its baselines, all items ranked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson, Seen, TestFrom, keep_seen, with_test_from
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import load_settings

if TYPE_CHECKING:
    from recsys.jobs.training.evaluate import EvaluationResult


def evaluate(
    protocol: Annotated[
        str | None, typer.Option(help="time-split or leave-one-out. Default: that of the newest bundle.")
    ] = None,
    test_from: TestFrom = None,
    seen: Seen = None,
    bundle_id: Annotated[
        str | None, typer.Option("--bundle", help="Which bundle. Default: the newest of the protocol.")
    ] = None,
    rankings: Annotated[
        Path | None,
        typer.Option(
            help="Write user_id, item_id, rank and score of the bundle's lists to this Parquet file."
        ),
    ] = None,
    validation_chooses: Annotated[
        bool,
        typer.Option(
            "--validation-chooses",
            help="Add a row in which validation events only choose, as in published results. May train.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Train with so many seeds in all; mean and deviation of what is served."),
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Compare a bundle with the baselines on what it never saw, all items ranked, with intervals.

    Trains a bundle first if there is none for the protocol. Writes a report with plots.

    \b
    Example:
      recsys evaluate --protocol leave-one-out --seen remove --rankings rankings.parquet
      recsys evaluate --validation-chooses --seeds 3
    """
    settings = with_test_from(load_settings(), test_from)
    keep = keep_seen(seen)
    from recsys.jobs.training.evaluate import evaluate_bundle

    found = evaluate_bundle(
        settings,
        protocol,
        bundle_id,
        bars,
        keep_seen=keep,
        validation_chooses=validation_chooses,
        seeds=seeds,
        rankings=rankings,
    )
    if as_json:
        print_json(found.to_json())
    else:
        _print_tables(found)


def _print_tables(found: "EvaluationResult") -> None:
    """The verdict and the tables for people, and where the report is."""
    evaluation = found.evaluation
    if evaluation.verdict:
        typer.echo(f"{evaluation.verdict.text}\n")
    title = f"{evaluation.protocol}, seen items: {evaluation.seen}"
    print_rows(found.rows, as_json=False, title=title, strong=evaluation.served)
    print_rows(found.kind_rows, as_json=False, title="by kind of request, beside the best baseline")
    if found.seeds:
        print_rows(found.seed_rows, as_json=False, title=f"over {len(found.seeds[0].values)} seeds")
    note(f"report: {found.folder}")
