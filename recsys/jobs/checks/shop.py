"""Checks of the shop: its data, features and the bundle that serves."""

from recsys.columns import ITEM_CONTENT, ITEM_ENGAGEMENT, ITEM_TEXT, USER_ACTIVITY, USER_HISTORY
from recsys.config import Settings
from recsys.errors import ArtifactNotFoundError, RecsysError
from recsys.jobs.checks.check import Check, missing, ok, warning

_VIEWS = (USER_ACTIVITY, USER_HISTORY, ITEM_ENGAGEMENT, ITEM_CONTENT, ITEM_TEXT)


def data(settings: Settings) -> Check:
    """Whether a shop's files were imported."""
    from recsys.stores.lake.dataset_files import load_info

    paths = settings.paths
    if not paths.data.exists():
        return missing("data", "no shop was imported", "run `recsys data import`")
    try:
        info = load_info(paths)
    except RecsysError as error:
        return missing("data", str(error), "run `recsys data import`")
    if not info.events:
        return ok("data", f"{info.name}: {info.items} items, a catalog without events")
    if not any(paths.lake.glob("day=*/*.parquet")):
        return missing("data", f"no events in {paths.lake}", "run `recsys data import`")
    return ok("data", f"{info.name}: {info.events} events, {info.users} users, {info.items} items")


def features(settings: Settings) -> Check:
    """Whether every view has feature rows."""
    folder = settings.paths.features
    absent = [view for view in _VIEWS if not any((folder / view).rglob("*.parquet"))]
    if not absent:
        return ok("features", f"{len(_VIEWS)} views in {folder}")
    return missing("features", f"no rows of {', '.join(absent)}", "run `recsys features build`")


def feature_registry(settings: Settings) -> Check:
    """Whether the feature repository was applied."""
    file = settings.paths.feast_registry
    if file.exists():
        return ok("feature registry", str(file))
    return missing("feature registry", f"{file} does not exist", "run `feast -c feature_repo apply`")


def production_bundle(settings: Settings) -> Check:
    """Whether a bundle serves, is unchanged on disk, and fits the features of today."""
    from recsys.jobs.promotion.bundle_check import schema_hashes
    from recsys.stores.registry.registry import Registry

    train = "run `recsys train`, then `recsys models promote ID`"
    name = "production bundle"
    try:
        with Registry.read_only(settings) as registry:
            bundle = registry.production()
    except ArtifactNotFoundError:  # no registry of this version: `database` says why
        bundle = None
    if bundle is None:
        return missing(name, "none", train)
    from recsys.models.manifest import NO_CLOCK, SEARCH_ONLY
    from recsys.stores.bundles.bundles import load_manifest, verify_bundle

    try:
        manifest = load_manifest(bundle.path)
        services = manifest.services
        today = schema_hashes(settings, services) if services else {}
        verify_bundle(bundle.path, today)
    except RecsysError as error:
        return missing(name, str(error), f"{train}, or `recsys models rollback`")
    if today is None:
        apply = "run `feast -c feature_repo apply`"
        return warning(name, f"{bundle.bundle_id}; its features cannot be compared", apply)
    without = f"; it has no ranker: {manifest.no_ranker}" if manifest.no_ranker else ""
    detail = f"{bundle.bundle_id}, in production since {bundle.promoted_at:%Y-%m-%d %H:%M}{without}"
    if manifest.no_ranker not in (None, NO_CLOCK, SEARCH_ONLY):
        return warning(name, detail, "import more events and run `recsys train`")
    return ok(name, detail)
