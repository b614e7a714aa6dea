"""A candidate and the bundle in production on the same cases, which neither has seen."""

import logging

import numpy as np

from recsys.arrays import DoubleArray
from recsys.config import Settings
from recsys.dataset.interactions import EvalCases
from recsys.dataset.shop import Shop
from recsys.dataset.split import LEAVE_ONE_OUT
from recsys.errors import DataError
from recsys.evaluation.promotion_test import (
    Comparison,
    TranslatedScorer,
    case_values,
    check_case_count,
    compare_case_values,
    in_vocabulary,
)
from recsys.evaluation.slices import repeat_targets, restrict_cases
from recsys.instants import from_micros, to_micros
from recsys.jobs.preconditions import check_feature_repository
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.progress import Progress
from recsys.stores.bundles.bundles import load_bundle, load_manifest
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.records import BundleRecord
from recsys.training.requests import window_cases
from recsys.training.scorers import bundle_scorers

CASES = 5000  # sampled where there are more

log = logging.getLogger(__name__)


def compare_bundles(
    settings: Settings,
    candidate: BundleRecord,
    production: BundleRecord,
    epsilon: float | None,
    progress: Progress,
) -> Comparison:
    """NDCG@10 of both on the same unseen cases, with a paired bootstrap interval of the difference.

    Args:
        epsilon: see `compare_case_values`.

    Raises:
        DataError: no case is new to both bundles, or too few.
    """
    shop = open_shop(settings.paths)
    cases = unseen_cases(shop, settings, load_manifest(candidate.path), load_manifest(production.path))
    if not shop.info.repeats:
        cases, _ = restrict_cases(cases, ~repeat_targets(cases, shop.interactions))
    rng = np.random.default_rng(settings.evaluation.seed)
    if len(cases) > CASES:
        cases = cases.take(np.sort(rng.choice(len(cases), CASES, replace=False)))
    check_case_count(len(cases))
    check_feature_repository(settings)
    build_features(settings, progress, with_text=False)
    features = OfflineFeatures(settings)
    features.apply()
    bundles = [_load_bundle(record, features) for record in (candidate, production)]
    ours, theirs = (_bundle_values(settings, shop, bundle, cases, features, progress) for bundle in bundles)
    return compare_case_values(ours, theirs, epsilon, settings.evaluation.bootstrap_samples, rng)


def unseen_cases(shop: Shop, settings: Settings, candidate: Manifest, production: Manifest) -> EvalCases:
    """Cases of what happened after both bundles' data: neither has learned from their targets.

    Raises:
        DataError: the data has no clock and the bundles did not hold out the same.
    """
    if {candidate.protocol, production.protocol} == {LEAVE_ONE_OUT}:
        return shop.split(LEAVE_ONE_OUT, settings.evaluation).test
    if shop.info.clock == "order" or LEAVE_ONE_OUT in (candidate.protocol, production.protocol):
        raise DataError(
            f"{candidate.bundle_id!r} was trained for {candidate.protocol!r} and {production.bundle_id!r} "
            f"for {production.protocol!r}: no case is new to both. Train the candidate with "
            f"--protocol {production.protocol}."
        )
    seen = max(candidate.data_end, production.data_end)
    start = to_micros(seen) + 1
    since = from_micros(start)
    log.info("compared on what happened after %s UTC", f"{since:%Y-%m-%d %H:%M}")
    return window_cases(shop.interactions, start, int(shop.interactions.at.max()) + 1)


def _load_bundle(record: BundleRecord, features: OfflineFeatures) -> Bundle:
    services = load_manifest(record.path).services
    return load_bundle(record.path, {service: features.schema_hash(service) for service in services})


def _bundle_values(
    settings: Settings,
    shop: Shop,
    bundle: Bundle,
    cases: EvalCases,
    features: OfflineFeatures,
    progress: Progress,
) -> DoubleArray:
    """(U,) NDCG@10 of the bundle's last stage, as served."""
    known = in_vocabulary(shop.interactions, bundle.items.vocabulary)
    repeats = shop.info.repeats
    scorers = bundle_scorers(bundle, known, cases, features, settings.serving.candidates, repeats, progress)
    scorer = TranslatedScorer(scorers[-1], bundle.items.vocabulary, shop.interactions.items)
    return case_values(scorer, cases, shop.interactions, "keep" if repeats else "remove", progress)
