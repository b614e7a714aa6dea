"""`recsys train`: from the imported shop to a registered bundle."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import bars, note, print_facts
from recsys.config import Settings, load_settings
from recsys.errors import ArtifactNotFoundError
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.models.manifest import Manifest
    from recsys.stores.registry.records import BundleRecord
    from recsys.stores.registry.registry import Registry
    from recsys.training.pipeline import Job
    from recsys.training.retriever.distributed import Team

RETRIEVER = "retriever"  # a run's folder with the retriever's checkpoint


def train(
    protocol: Annotated[
        str | None,
        typer.Option(
            help="What is held out for the test: time-split, leave-one-out or all (nothing, for production). "
            "Default: time-split where the data has a clock, else leave-one-out."
        ),
    ] = None,
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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Train the retriever and the ranker on point-in-time features and register a bundle.

    The first bundle of a home is promoted by itself; later ones with --promote or `recsys models promote`.
    Started by torchrun, several processes share the retriever's steps.

    \b
    Example:
      recsys train --protocol time-split --promote
      recsys train --incremental
      recsys train --dry-run
      torchrun --nproc-per-node 2 -m recsys.cli.app train
    """
    settings = load_settings()
    if dry_run:
        from recsys.cli.training.dry_run import dry_run as say

        if incremental:
            raise typer.BadParameter("is about a training from the start", param_hint="--dry-run")
        say(settings, protocol, as_json)
        return
    from recsys.training.retriever.distributed import assembled
    from recsys.training.retriever.workers import follow, release

    with assembled() as team:
        if not team.leads:
            follow(team)
            return
        facts = _train(settings, protocol, promote, incremental, resume, team)
        release(team)
    print_facts(facts, as_json=as_json, title="trained")


def _train(
    settings: Settings, protocol: str | None, promote: bool, incremental: bool, resume: bool, team: "Team"
) -> dict[str, object]:
    """Trains, promotes where that is due, and returns what there is to say."""
    if promote:
        from recsys.jobs.audit.report import check_audit

        check_audit(settings.paths)
    manifest = run_training(settings, protocol, bars, incremental, resume, team)
    from recsys.stores.registry.registry import Registry

    with Registry.open(settings) as registry:
        if promote or registry.production() is None:
            registry.promote(manifest.bundle_id, changed_by="recsys train")
        stage = registry.get(manifest.bundle_id).stage
    return {
        "bundle": manifest.bundle_id,
        "stage": stage,
        "dataset": manifest.dataset,
        "protocol": manifest.protocol,
        **({"parent": manifest.parent} if manifest.parent else {}),
        "users": manifest.users,
        "items": manifest.items,
        "data": f"{manifest.data_start:%Y-%m-%d} to {manifest.data_end:%Y-%m-%d}",
        **manifest.metrics,
    }


def run_training(
    settings: Settings,
    protocol: str | None,
    progress: Progress,
    incremental: bool = False,
    resume: bool = False,
    team: "Team | None" = None,
) -> "Manifest":
    """Builds what is missing of the features, trains, saves and registers a bundle; returns its manifest.

    Args:
        incremental: go on from the bundle in production instead of beginning anew.
        resume: go on from the checkpoint of the last run of this kind that did not end.
        team: the processes that share the work; None = this one alone.

    Raises:
        ArtifactNotFoundError: nothing is in production to go on from, or no run to resume.
        ArtifactMismatchError: the run to resume was of other settings or data.
        DataError: nothing is new since it was trained.
    """
    from recsys.cli.training.dry_run import warn_of_memory
    from recsys.stores.bundles.bundles import new_bundle_id, save_bundle
    from recsys.stores.bundles.model_cards import card_files
    from recsys.stores.registry.registry import Registry
    from recsys.training.pipeline import SECTIONS, train_bundle
    from recsys.training.retriever.distributed import ALONE

    revision, now = git_revision(settings), datetime.now(UTC)
    kind = "train-incremental" if incremental else "train"
    with Registry.open(settings) as registry:
        job = open_job(
            settings, protocol, progress, registry.production() if incremental else None, incremental
        )
        broken_off = _broken_off(registry, settings, kind) if resume else None
        sections = job.settings.model_dump(mode="json", include=SECTIONS)
        run_id = registry.start_run(kind, sections, revision)
        try:
            job = replace(job, run_dir=settings.paths.runs / run_id, team=team or ALONE)
            job.run_dir.mkdir(parents=True, exist_ok=True)
            warn_of_memory(job)
            if broken_off is not None:
                broken_off.replace(job.run_dir / RETRIEVER)
            bundle = train_bundle(job, new_bundle_id(job.shop.info.name, now), now, revision)
            path = save_bundle(bundle, settings.paths.bundles, card_files(bundle, settings.paths))
            registry.register(bundle.manifest, path, run_id, changed_by="recsys train")
            registry.finish_run(run_id, bundle.manifest.metrics)
        except BaseException as error:  # whatever ends a run, Ctrl-C too, is noted and goes on
            registry.finish_run(run_id, error=str(error) or type(error).__name__)
            raise
    note(f"learning curves: {job.run_dir}")
    return bundle.manifest


def _broken_off(registry: "Registry", settings: Settings, kind: str) -> Path:
    """The folder of the retriever's checkpoint of the newest run of this kind that did not end.

    Raises:
        ArtifactNotFoundError: there is none.
    """
    from recsys.training.retriever.checkpoint import STATE_FILE

    for run in registry.list_runs():
        folder = settings.paths.runs / run.run_id / RETRIEVER
        if run.kind == kind and run.status != "finished" and (folder / STATE_FILE).exists():
            note(f"going on from {run.run_id}")
            return folder
    raise ArtifactNotFoundError(
        f"no {kind} run broke off with a checkpoint under {settings.paths.runs}. Run without --resume."
    )


def open_job(
    settings: Settings,
    protocol: str | None,
    progress: Progress,
    production: "BundleRecord | None",
    incremental: bool,
) -> "Job":
    """What to train on, its features brought up to date."""
    from recsys.jobs.training.parent_bundle import incremental_protocol, open_parent
    from recsys.stores.features.build import build_features
    from recsys.stores.features.offline import OfflineFeatures
    from recsys.stores.lake.shop import open_shop
    from recsys.stores.served.feedback_files import open_feedback
    from recsys.training.pipeline import Job, test_start

    shop = open_shop(settings.paths)
    if incremental:
        settings, protocol = incremental_protocol(settings, protocol, shop.info)
    split = shop.split(protocol or shop.default_protocol, settings.evaluation)
    features = OfflineFeatures(settings)
    parent = open_parent(settings, production, shop, split, features) if incremental else None
    build_features(settings, progress)
    features.apply()
    feedback = None
    if split.train_end is not None:
        end = test_start(shop.interactions, split)
        feedback = open_feedback(settings.paths, shop.interactions.items, split.train_end, end)
        if len(feedback):
            shown, chosen = len(feedback.item_index), int(feedback.chosen.sum())
            note(f"feedback: {len(feedback)} responses showed {shown} items, of which {chosen} were chosen")
    return Job(shop, split, features, settings, settings.paths.runs, progress, feedback, parent)


def git_revision(settings: Settings) -> str | None:
    """The checkout's commit, or None outside of one."""
    command = ["git", "-C", str(settings.root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
