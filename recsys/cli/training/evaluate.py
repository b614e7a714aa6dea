"""`recsys evaluate`: a bundle beside its baselines, all items ranked."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.options import AsJson, Seen, TestFrom, keep_seen, with_test_from
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import Settings, load_settings

if TYPE_CHECKING:
    from recsys.jobs.training.evaluate import EvaluationResult


class Tasks(StrEnum):
    """What is evaluated."""

    RANKING = "ranking"
    CLICKS = "ctr"


Task = Annotated[
    Tasks, typer.Option(help="ranking: which items come first. ctr: how likely they are clicked.")
]
BundleId = Annotated[
    str | None, typer.Option("--bundle", help="Which bundle. Default: the newest of the protocol.")
]
Rankings = Annotated[
    Path | None,
    typer.Option(help="Write user_id, item_id, rank and score of the bundle's lists to this Parquet file."),
]
ValidationChooses = Annotated[
    bool,
    typer.Option(
        "--validation-chooses",
        help="Add a row in which validation events only choose, as in published results. May train.",
    ),
]
Seeds = Annotated[
    int,
    typer.Option(min=1, help="Train with so many seeds in all; mean and deviation of what is served."),
]
Impressions = Annotated[
    Path | None,
    typer.Option(help="With --task ctr: a CSV of impressions to train and measure on, not a bundle."),
]
PerUser = Annotated[
    bool, typer.Option("--per-user", help="With --impressions: the last of each user are the test.")
]


def evaluate(
    task: Task = Tasks.RANKING,
    protocol: Annotated[
        str | None, typer.Option(help="time-split or leave-one-out. Default: that of the newest bundle.")
    ] = None,
    test_from: TestFrom = None,
    seen: Seen = None,
    bundle_id: BundleId = None,
    rankings: Rankings = None,
    validation_chooses: ValidationChooses = False,
    seeds: Seeds = 1,
    impressions: Impressions = None,
    per_user: PerUser = False,
    as_json: AsJson = False,
) -> None:
    """Compare a bundle with the baselines on what it never saw, all items ranked, with intervals.

    Trains a bundle first if there is none for the protocol. Writes a report with plots.

    \b
    Example:
      recsys evaluate --protocol leave-one-out --seen remove --rankings rankings.parquet
      recsys evaluate --validation-chooses --seeds 3
      recsys evaluate --task ctr
      recsys evaluate --task ctr --impressions clicks.csv
    """
    settings = with_test_from(load_settings(), test_from)
    if task == Tasks.CLICKS:
        if protocol or test_from or seen or rankings or validation_chooses or seeds > 1:
            raise typer.BadParameter(
                "takes only --bundle, --impressions, --per-user and --json", param_hint="--task ctr"
            )
        _evaluate_clicks(settings, bundle_id, impressions, per_user, as_json)
        return
    if impressions is not None or per_user:
        raise typer.BadParameter("is for --task ctr", param_hint="--impressions, --per-user")
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


def _evaluate_clicks(
    settings: Settings, bundle_id: str | None, impressions: Path | None, per_user: bool, as_json: bool
) -> None:
    """`--task ctr`: of a bundle, or of a log of one's own."""
    from recsys.jobs.clicks.evaluate import evaluate_bundle_clicks, evaluate_click_file

    if impressions is not None and bundle_id is not None:
        raise typer.BadParameter("does not go with --bundle", param_hint="--impressions")
    if impressions is None and per_user:
        raise typer.BadParameter("goes with --impressions", param_hint="--per-user")
    if impressions is None:
        found = evaluate_bundle_clicks(settings, bundle_id, bars)
    else:
        found = evaluate_click_file(settings, impressions, bars, per_user)
    if as_json:
        print_json(found.to_json())
        return
    typer.echo(f"{found.summary}\n")
    compared = found.comparison
    print_rows(compared.rows, as_json=False, title="clicks", strong=compared.served)
    print_rows(compared.difference_rows, as_json=False, title="differences, 95% interval over users")
    print_rows(compared.slice_rows, as_json=False, title=f"{compared.served}, by slice")
    if compared.purchases:
        print_rows(compared.purchase_rows, as_json=False, title="purchases after clicks, by their age")
    note(f"report: {found.folder}")


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
