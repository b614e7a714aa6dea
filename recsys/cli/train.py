"""`recsys train`: from the imported shop to a registered bundle."""

import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.output import bars, note, print_facts
from recsys.config import Settings, load_settings
from recsys.progress import Progress

if TYPE_CHECKING:
    from recsys.models.bundle import Manifest


def train(
    protocol: Annotated[
        str | None,
        typer.Option(
            help="What is held out for the test: time-split, leave-one-out or all (nothing, for production). "
            "Default: time-split where the data has a clock, else leave-one-out."
        ),
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Serve the new bundle at once.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Train the retriever and the ranker on point-in-time features and register a bundle.

    The first bundle of a home is promoted by itself; later ones with --promote or `recsys models promote`.

    \b
    Example:
      recsys train --protocol time-split --promote
    """
    settings = load_settings()
    manifest = run_training(settings, protocol, bars)
    from recsys.stores.registry import Registry

    with Registry.open(settings) as registry:
        if promote or registry.production() is None:
            registry.promote(manifest.bundle_id, changed_by="recsys train")
        stage = registry.get(manifest.bundle_id).stage
    facts = {
        "bundle": manifest.bundle_id,
        "stage": stage,
        "dataset": manifest.dataset,
        "protocol": manifest.protocol,
        "users": manifest.users,
        "items": manifest.items,
        "data": f"{manifest.data_start:%Y-%m-%d} to {manifest.data_end:%Y-%m-%d}",
        **manifest.metrics,
    }
    print_facts(facts, as_json=as_json, title="trained")


def run_training(settings: Settings, protocol: str | None, progress: Progress) -> "Manifest":
    """Builds what is missing of the features, trains, saves and registers a bundle; returns its manifest."""
    from recsys.stores.artifacts import new_bundle_id, save_bundle
    from recsys.stores.feature_files import build_features
    from recsys.stores.feature_store import OfflineFeatures
    from recsys.stores.registry import Registry
    from recsys.stores.shop import open_shop
    from recsys.training.pipeline import SECTIONS, Job, train_bundle

    shop = open_shop(settings.paths)
    split = shop.split(protocol or shop.default_protocol, settings.evaluation)
    build_features(settings, progress)
    features = OfflineFeatures(settings)
    features.apply()
    revision = git_revision(settings)
    now = datetime.now(UTC)
    bundle_id = new_bundle_id(shop.info.name, now)
    sections = settings.model_dump(mode="json", include=SECTIONS)
    with Registry.open(settings) as registry:
        run_id = registry.start_run("train", sections, revision)
        try:
            run_dir = settings.paths.runs / run_id
            run_dir.mkdir(parents=True, exist_ok=True)
            job = Job(shop, split, features, settings, run_dir, progress)
            bundle = train_bundle(job, bundle_id, now, revision)
            path = save_bundle(bundle, settings.paths.bundles)
            registry.register(bundle.manifest, path, run_id, changed_by="recsys train")
            registry.finish_run(run_id, bundle.manifest.metrics)
        except BaseException as error:  # whatever ends a run, Ctrl-C too, is noted and goes on
            registry.finish_run(run_id, error=str(error) or type(error).__name__)
            raise
    note(f"learning curves: {run_dir}")
    return bundle.manifest


def git_revision(settings: Settings) -> str | None:
    """The checkout's commit, or None outside of one."""
    command = ["git", "-C", str(settings.root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
