"""A candidate and the bundle in production on the same cases, which neither has seen."""

import logging

import numpy as np

from recsys.arrays import DoubleArray
from recsys.config import Settings
from recsys.dataset.interactions import EvalCases
from recsys.dataset.shop import Shop
from recsys.dataset.split import LEAVE_ONE_OUT, TIME_SPLIT, Split, split_at
from recsys.errors import DataError
from recsys.evaluation.promotion_test import (
    Comparison,
    TranslatedScorer,
    case_values,
    check_case_count,
    compare_case_values,
    in_vocabulary,
)
from recsys.evaluation.rankings import seen_of
from recsys.evaluation.slices import repeat_targets, restrict_cases
from recsys.instants import from_micros, to_micros
from recsys.jobs.preconditions import check_feature_repository
from recsys.jobs.promotion.bundle_check import load_fitting
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.progress import Progress
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.features.build import build_features
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.records import BundleRecord
from recsys.training.feature_reads import TrainingFeatures
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
    shop = open_shop(settings.paths, progress)
    split = unseen_split(shop, settings, load_manifest(candidate.path), load_manifest(production.path))
    rng = np.random.default_rng(settings.evaluation.seed)
    cases = sample_cases(askable_cases(split.test, shop, shop.info.repeats), rng)
    check_case_count(len(cases))
    check_feature_repository(settings)
    features = features_of_today(settings, progress)
    bundles = [load_fitting(record.path, features) for record in (candidate, production)]
    ours, theirs = (_bundle_values(settings, shop, bundle, cases, features, progress) for bundle in bundles)
    return compare_case_values(ours, theirs, epsilon, settings.evaluation.bootstrap_samples, rng)


def features_of_today(settings: Settings, progress: Progress) -> OfflineFeatures:
    """The feature store, brought up to date with the event lake."""
    build_features(settings, progress, with_text=False)
    features = OfflineFeatures(settings)
    features.apply()
    return features


def unseen_split(shop: Shop, settings: Settings, candidate: Manifest, production: Manifest) -> Split:
    """What happened after both bundles' data as the test: neither has learned from its targets.

    Raises:
        DataError: the data has no clock and the bundles did not hold out the same.
    """
    if {candidate.protocol, production.protocol} == {LEAVE_ONE_OUT}:
        return shop.split(LEAVE_ONE_OUT, settings.evaluation)
    if shop.info.clock == "order" or LEAVE_ONE_OUT in (candidate.protocol, production.protocol):
        raise DataError(
            f"{candidate.bundle_id!r} was trained for {candidate.protocol!r} and {production.bundle_id!r} "
            f"for {production.protocol!r}: no case is new to both. Train both with "
            f"--protocol {LEAVE_ONE_OUT if shop.info.clock == 'order' else TIME_SPLIT}."
        )
    start = to_micros(max(candidate.data_end, production.data_end)) + 1
    log.info("compared on what happened after %s UTC", f"{from_micros(start):%Y-%m-%d %H:%M}")
    return split_at(shop.interactions, start, start)


def askable_cases(cases: EvalCases, shop: Shop, repeats: bool) -> EvalCases:
    """The cases without targets that their users had before, unless `repeats`."""
    return cases if repeats else restrict_cases(cases, ~repeat_targets(cases, shop.interactions))[0]


def sample_cases(cases: EvalCases, rng: np.random.Generator) -> EvalCases:
    """At most `CASES` of the cases."""
    if len(cases) <= CASES:
        return cases
    return cases.take(np.sort(rng.choice(len(cases), CASES, replace=False)))


def served_scorer(
    settings: Settings,
    shop: Shop,
    bundle: Bundle,
    cases: EvalCases,
    features: TrainingFeatures,
    repeats: bool,
    progress: Progress,
) -> TranslatedScorer:
    """The bundle's last stage, as served, as a scorer of the shop's items of today."""
    known = in_vocabulary(shop.interactions, bundle.items.vocabulary)
    scorers = bundle_scorers(bundle, known, cases, features, settings.serving.candidates, repeats, progress)
    return TranslatedScorer(scorers[-1], bundle.items.vocabulary, shop.interactions.items)


def _bundle_values(
    settings: Settings,
    shop: Shop,
    bundle: Bundle,
    cases: EvalCases,
    features: OfflineFeatures,
    progress: Progress,
) -> DoubleArray:
    """(U,) NDCG@10 of the bundle's last stage, as served."""
    repeats = shop.info.repeats
    scorer = served_scorer(settings, shop, bundle, cases, features, repeats, progress)
    return case_values(scorer, cases, shop.interactions, seen_of(repeats), progress)
