"""`recsys train --search-only`: the catalog's features, a bundle of it, registration."""

from recsys.config import Settings
from recsys.instants import to_micros, utc_now
from recsys.jobs.indexes.thresholds import JudgedMatches
from recsys.jobs.preconditions import check_before_training
from recsys.jobs.training.registration import git_revision, save_and_register
from recsys.models.manifest import Manifest
from recsys.progress import Progress
from recsys.stores.bundles.bundles import new_bundle_id
from recsys.stores.encoders.shop_encoder import shop_precision
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import newest_item_at, open_actions
from recsys.stores.registry.registry import Registry
from recsys.training.job import SECTIONS
from recsys.training.search_only import SearchOnlyJob, build_search_bundle


def train_search_only(
    settings: Settings, progress: Progress, judged: JudgedMatches | None = None
) -> Manifest:
    """Builds what is missing of the features, and makes, saves and registers a bundle; returns its manifest.

    Nothing is learned of users, so that it takes minutes at most, and a catalog without events will do.

    Args:
        judged: see `save_and_register`.

    Raises:
        DataError: nothing was imported, or the catalog is empty.
    """
    check_before_training(settings)
    revision, now = git_revision(settings), utc_now()
    info, actions = open_actions(settings.paths, progress)
    build_features(settings, progress)
    features = OfflineFeatures(settings)
    with progress("feast apply", None):
        features.apply()
    catalog_at = max(to_micros(now), newest_item_at(settings.paths)) + 1
    job = SearchOnlyJob(info, actions, features, settings, catalog_at, progress, shop_precision(settings))
    with Registry.open(settings) as registry:
        sections = settings.model_dump(mode="json", include=SECTIONS)
        run_id = registry.start_run("train-search-only", sections, revision)
        try:
            bundle = build_search_bundle(job, new_bundle_id(info.name, now), now, revision)
            save_and_register(registry, settings, bundle, run_id, progress, judged)
        except BaseException as error:  # whatever ends a run, Ctrl-C too, is noted and goes on
            registry.finish_run(run_id, error=str(error) or type(error).__name__)
            raise
    return bundle.manifest
