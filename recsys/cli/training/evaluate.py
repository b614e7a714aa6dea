"""`recsys evaluate`: a bundle beside its baselines, all items ranked."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.atomic import replacing
from recsys.cli.output import bars, note, print_json, print_rows
from recsys.config import Settings, load_settings
from recsys.errors import ArtifactMismatchError, DataError
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.dataset.interactions import EvalCases
    from recsys.dataset.shop import Shop
    from recsys.evaluation.compare import Evaluation
    from recsys.evaluation.reliability import Reliability
    from recsys.evaluation.seeds import OverSeeds
    from recsys.stores.registry.records import BundleRecord
    from recsys.training.scorers import RetrieverScorer, ServedScorer


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
        typer.Option(
            help="Write user_id, item_id, rank and score of the bundle's lists to this Parquet file."
        ),
    ] = None,
    retrained: Annotated[
        bool,
        typer.Option(
            "--retrained",
            help="Add a row for the same training with validation events, apart from the others. Trains.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Train with so many seeds in all; mean and deviation of what is served."),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Compare a bundle with the baselines on what it never saw, all items ranked, with intervals.

    Trains a bundle first if there is none for the protocol. Writes a report with plots.

    \b
    Example:
      recsys evaluate --protocol leave-one-out --seen remove --rankings rankings.parquet
      recsys evaluate --retrained --seeds 3
    """
    settings = load_settings()
    if seen not in (None, "keep", "remove"):
        raise typer.BadParameter(f"{seen!r} is neither keep nor remove", param_hint="--seen")
    from recsys.evaluation.seeds import over_seeds
    from recsys.jobs.training.retrain import seed_evaluations
    from recsys.stores.lake.shop import open_shop

    shop = open_shop(settings.paths)
    record = find_bundle(settings, shop, protocol, bundle_id, bars)
    repeats = shop.info.repeats if seen is None else seen == "keep"
    evaluation = run_evaluation(settings, shop, record.path, repeats, bars, record if retrained else None)
    by_seed = seed_evaluations(settings, shop, record, evaluation, seeds, bars)
    spread = over_seeds(by_seed) if seeds > 1 else ()
    if rankings is not None:
        write_rankings(evaluation, shop, rankings)
    folder, written = _write(settings, shop, record, evaluation, spread)
    if as_json:
        print_json({"bundle": record.bundle_id, **_document(evaluation, spread, written)})
    else:
        _print(evaluation, spread, folder)


def _document(
    evaluation: "Evaluation", spread: "Sequence[OverSeeds]", written: "Sequence[Path]"
) -> dict[str, object]:
    """The tables for programs, and the report's files."""
    from recsys.evaluation.report import table_rows

    report, seeds = [str(path) for path in written], [asdict(row) for row in spread]
    return {"rows": table_rows(evaluation), "report": report, "seeds": seeds}


def _print(evaluation: "Evaluation", spread: "Sequence[OverSeeds]", folder: Path) -> None:
    """The tables for people, and where the report is."""
    from recsys.evaluation.report import table_rows
    from recsys.evaluation.seeds import seed_rows

    title = f"{evaluation.protocol}, seen items: {evaluation.seen}"
    print_rows(table_rows(evaluation), as_json=False, title=title)
    if spread:
        print_rows(seed_rows(spread), as_json=False, title=f"over {len(spread[0].values)} seeds")
    note(f"report: {folder}")


def _write(
    settings: Settings,
    shop: "Shop",
    record: "BundleRecord",
    evaluation: "Evaluation",
    spread: "Sequence[OverSeeds]",
) -> tuple[Path, tuple[Path, ...]]:
    """Writes the report and the model card; the folder and what is in it now."""
    from recsys.evaluation.compare import RETRAINED
    from recsys.evaluation.report import write_report
    from recsys.stores.bundles.model_cards import save_evaluated_card

    folder = settings.paths.reports / record.bundle_id
    if (evaluation.seen == "keep") != shop.info.repeats:
        folder = folder / f"seen-{evaluation.seen}"
    curves = sorted((settings.paths.runs / (record.run_id or "")).glob("*/curves.png"))
    title = f"{shop.info.name}: {record.bundle_id}"
    command = f"recsys evaluate --protocol {evaluation.protocol} --seen {evaluation.seen}"
    command += " --retrained" if RETRAINED in evaluation.models else ""
    command += f" --seeds {len(spread[0].values)}" if spread else ""
    written = write_report(
        evaluation, folder, title=title, learning_curves=curves, seeds=spread, command=command
    )
    return folder, (*written, save_evaluated_card(record.path, evaluation, folder))


def find_bundle(
    settings: Settings, shop: "Shop", protocol: str | None, bundle_id: str | None, progress: Progress
) -> "BundleRecord":
    """The bundle to evaluate: the one named, else the newest of the protocol, else one trained now.

    Raises:
        DataError: the named bundle held out nothing, or was trained for another protocol.
    """
    from recsys.dataset.shop import ALL
    from recsys.stores.registry.registry import Registry

    with Registry.open(settings) as registry:
        if bundle_id is not None:
            record = registry.get(bundle_id)
            if record.protocol == ALL or protocol not in (None, record.protocol):
                raise DataError(
                    f"bundle {bundle_id!r} was trained for the protocol {record.protocol!r}, so it has seen "
                    "what this evaluation would ask. "
                    f"Use `recsys train --protocol {protocol or shop.default_protocol}`."
                )
            return record
        records = [r for r in registry.list_bundles() if r.dataset == shop.info.name and r.protocol != ALL]
    fitting = [record for record in records if protocol in (None, record.protocol)]
    if fitting:
        return fitting[0]
    wanted = protocol or shop.default_protocol
    note(f"no bundle was trained for {wanted} yet: training one")
    from recsys.cli.training.train import run_training

    manifest = run_training(settings, wanted, progress)
    with Registry.open(settings) as registry:
        return registry.get(manifest.bundle_id)


def run_evaluation(
    settings: Settings,
    shop: "Shop",
    path: Path,
    repeats: bool,
    progress: Progress,
    retrain: "BundleRecord | None" = None,
) -> "Evaluation":
    """The bundle at `path` beside every baseline that the shop's data has the means for.

    Args:
        retrain: the bundle's record, to add a row of it retrained with validation events.

    Raises:
        ArtifactMismatchError: the shop was imported anew since the bundle was trained.
    """
    from recsys.evaluation.baselines import baselines, reference_for
    from recsys.evaluation.compare import evaluate as compare
    from recsys.jobs.training.retrain import retrained_scorer
    from recsys.stores.bundles.bundles import load_bundle, load_manifest
    from recsys.stores.features.offline import OfflineFeatures
    from recsys.training.scorers import bundle_scorers

    features = OfflineFeatures(settings)
    services = load_manifest(path).services
    bundle = load_bundle(path, {service: features.schema_hash(service) for service in services})
    if bundle.items.vocabulary.ids != shop.interactions.items.ids:
        raise ArtifactMismatchError(
            f"bundle {bundle.manifest.bundle_id!r} knows {len(bundle.items) - 1} items, the shop has "
            f"{len(shop.interactions.items) - 1}, not the same. Run `recsys train` on the data of today."
        )
    split = shop.split(bundle.manifest.protocol, bundle.manifest.held_out(settings.evaluation))
    cases = split.test
    ours = bundle_scorers(
        bundle, shop.interactions, cases, features, settings.serving.candidates, repeats, progress
    )
    others = baselines(
        split,
        shop.interactions,
        clock=shop.info.clock == "time",
        repeats=repeats,
        texts=bundle.items.titles,
        text_vectors=bundle.text_vectors,
        progress=progress,
    )
    apart = [retrained_scorer(settings, shop, retrain, bundle, repeats, progress)] if retrain else []
    found = compare(
        [*others, *ours, *apart],
        split,
        shop.interactions,
        settings.evaluation,
        seen="keep" if repeats else "remove",
        categories=bundle.items.categories,
        reference=reference_for(repeats),
        served=ours[-1].name,
        progress=progress,
    )
    return replace(found, calibration=calibration_of(ours[-1], found.cases))


def calibration_of(served: "RetrieverScorer | ServedScorer", cases: "EvalCases") -> "Reliability | None":
    """p_click of the candidates beside what came true; None where there is no ranker."""
    from recsys.evaluation.reliability import reliability
    from recsys.training.requests import labels_of
    from recsys.training.scorers import ServedScorer

    chances = served.chances(cases) if isinstance(served, ServedScorer) else None
    if chances is None:
        return None
    candidates, p_click = chances
    shown = candidates > 0
    return reliability(p_click[shown], labels_of(cases, candidates)[shown])


def write_rankings(evaluation: "Evaluation", shop: "Shop", path: Path) -> None:
    """Writes the lists of the bundle's last stage, so that any other tool can score them."""
    import pyarrow.parquet as pq

    ours = evaluation.rankings[evaluation.served]
    table = ours.table(shop.interactions.users, shop.interactions.items)
    try:
        with replacing(path) as partial:
            pq.write_table(table, partial)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error
    note(f"rankings of {evaluation.served!r}: {path}, {len(table)} rows")
