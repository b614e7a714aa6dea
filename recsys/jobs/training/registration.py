"""A trained bundle on disk and in the registry."""

import subprocess

from recsys.config import Settings
from recsys.jobs.indexes.artifacts import search_extras
from recsys.jobs.indexes.thresholds import JudgedMatches
from recsys.models.bundle import Bundle
from recsys.progress import Progress
from recsys.stores.bundles.bundles import save_bundle
from recsys.stores.bundles.model_cards import card_files
from recsys.stores.registry.registry import Registry


def save_and_register(
    registry: Registry,
    settings: Settings,
    bundle: Bundle,
    run_id: str,
    progress: Progress,
    judged: JudgedMatches | None = None,
) -> None:
    """Writes `bundle` with its card and search indexes, registers it as a candidate and ends its run.

    Args:
        judged: what decides from where on an item matches by meaning; None = the shop's own texts and clicks.
    """
    with search_extras(bundle, settings, progress, judged) as extras, progress("write bundle", None):
        extras |= card_files(bundle, settings.paths)
        path = save_bundle(bundle, settings.paths.bundles, extras)
    registry.register(bundle.manifest, path, run_id, changed_by="recsys train")
    registry.finish_run(run_id, bundle.manifest.metrics)


def git_revision(settings: Settings) -> str | None:
    """The checkout's commit, or None outside of one."""
    command = ["git", "-C", str(settings.root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
