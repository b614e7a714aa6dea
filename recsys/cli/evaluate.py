"""`recsys evaluate`: a bundle beside its baselines, all items ranked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.errors import ArtifactMismatchError, DataError
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.dataset.shop import Shop
    from recsys.evaluation.compare import Evaluation
    from recsys.models.bundle import Bundle


def evaluate(
    protocol: Annotated[
        str | None, typer.Option(help="time-split or leave-one-out. Default: that of the newest bundle.")
    ] = None,
    seen: Annotated[
        str | None,
        typer.Option(
            help="keep or remove what a user had before. Default: keep where repeats are normal in the shop."
        ),
    ] = None,
    bundle_id: Annotated[
        str | None, typer.Option("--bundle", help="Which bundle. Default: the newest of the protocol.")
    ] = None,
    rankings: Annotated[
        Path | None,
        typer.Option(help="Write user_id, item_id, rank and score of the bundle's lists to this Parquet file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Compare a bundle with the baselines on what it never saw, all items ranked, with intervals.

    Trains a bundle first if there is none for the protocol. Writes a report with plots.

    \b
    Example:
      recsys evaluate --protocol leave-one-out --seen remove --rankings rankings.parquet
    """
    settings = load_settings()
    if seen not in (None, "keep", "remove"):
        raise typer.BadParameter(f"{seen!r} is neither keep nor remove", param_hint="--seen")
    from recsys.evaluation.report import table_rows, write_report
    from recsys.stores.shop import open_shop

    shop = open_shop(settings.paths)
    bundle, path = find_bundle(settings, shop, protocol, bundle_id, bars)
    evaluation = run_evaluation(settings, shop, bundle, seen, bars)
    if rankings is not None:
        write_rankings(evaluation, bundle, shop, rankings)
    folder = settings.paths.reports / bundle.manifest.bundle_id
    curves = settings.paths.runs
    written = write_report(evaluation, folder, title=f"{shop.info.name}: {bundle.manifest.bundle_id}")
    rows = table_rows(evaluation)
    if as_json:
        print_json({"bundle": bundle.manifest.bundle_id, "rows": rows, "report": [str(p) for p in written]})
    else:
        print_rows(rows, as_json=False, title=f"{evaluation.protocol}, seen items: {evaluation.seen}")
        note(f"report: {folder}")
