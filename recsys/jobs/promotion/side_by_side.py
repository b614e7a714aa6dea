"""Any two bundles on the same unseen cases, with slates of some users beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recsys import atomic
from recsys.arrays import BoolArray
from recsys.config import Settings
from recsys.dataset.interactions import Vocabulary
from recsys.dataset.shop import ALL, Shop
from recsys.dataset.split import TIME_SPLIT, Split
from recsys.documents import JsonObject
from recsys.errors import ConfigError, DataError
from recsys.evaluation.bundle_comparison import BundleComparison, Catalogs, SharedItems, compare_rankings
from recsys.evaluation.compare import evaluate_scorers
from recsys.evaluation.rankings import seen_of
from recsys.evaluation.slices import restrict_cases
from recsys.jobs.preconditions import check_file_writable
from recsys.jobs.promotion.bundle_check import load_fitting
from recsys.jobs.promotion.compare import (
    askable_cases,
    features_of_today,
    sample_cases,
    served_scorer,
    unseen_split,
)
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.progress import Progress
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.registry import Registry
from recsys.training.feature_reads import TrainingFeatures


@dataclass(frozen=True)
class ComparisonResult:
    """A comparison, and the HTML file of it; None where none was asked for."""

    comparison: BundleComparison
    out: Path | None

    def to_json(self) -> JsonObject:
        """What `recsys models compare --json` prints."""
        return {**self.comparison.to_json(), "out": str(self.out) if self.out else None}


def compare_by_id(
    settings: Settings,
    first_id: str,
    second_id: str,
    progress: Progress,
    *,
    keep_seen: bool | None = None,
    users: int = 20,
    out: Path | None = None,
) -> ComparisonResult:
    """The second bundle beside the first on what neither has learned from.

    Args:
        keep_seen: rank what a user had before too; None = where repeats are normal in the shop.
        users: how many users' slates to show.
        out: an HTML file to write.

    Raises:
        ArtifactError: there is no such bundle, or it does not load or fit today's features.
        DataError: both ids are one, no case is new to both, or the catalogs share nothing.
        ConfigError: `out` cannot be written.
    """
    if first_id == second_id:
        raise DataError(
            f"{first_id!r} beside itself says nothing. Name two bundles; `recsys models list` shows them."
        )
    if out is not None:
        check_file_writable(out, "--out", makes_folders=False)
    with Registry.open(settings) as registry:
        paths = [registry.get(bundle_id).path for bundle_id in (first_id, second_id)]
    shop = open_shop(settings.paths, progress)
    manifests = [load_manifest(path) for path in paths]
    split = unseen_by(shop, settings, manifests)
    features = features_of_today(settings, progress)
    bundles = [load_fitting(path, features) for path in paths]
    repeats = shop.info.repeats if keep_seen is None else keep_seen
    found = compare_loaded(settings, shop, split, bundles, features, repeats, users, progress)
    if out is not None:
        _write(out, found.to_html())
    return ComparisonResult(found, out)


def unseen_by(shop: Shop, settings: Settings, manifests: Sequence[Manifest]) -> Split:
    """What neither of two bundles has learned from as the test; see `unseen_split`.

    Raises:
        DataError: there is nothing.
    """
    first, second = manifests
    split = unseen_split(shop, settings, first, second)
    if len(split.test):
        return split
    latest = max(manifests, key=lambda manifest: manifest.data_end)
    why = " (nothing was held out)" if latest.protocol == ALL else ""
    raise DataError(
        f"{latest.bundle_id!r}, protocol {latest.protocol!r}{why}, has learned from what happened until "
        f"{latest.data_end:%Y-%m-%d %H:%M} UTC and nothing came after it: it saw every case. "
        f"Compare a bundle of `recsys train --protocol {TIME_SPLIT}`, or import newer events."
    )


def compare_loaded(
    settings: Settings,
    shop: Shop,
    split: Split,
    bundles: Sequence[Bundle],
    features: TrainingFeatures,
    repeats: bool,
    users: int,
    progress: Progress,
) -> BundleComparison:
    """Two bundles on the test of `split`, on the items that both know.

    Raises:
        DataError: no case is left.
    """
    vocabulary = shop.interactions.items
    known = [bundle.items.vocabulary.indexes(vocabulary.ids) > 0 for bundle in bundles]
    shared: BoolArray = np.logical_and(*known)
    known_targets, _ = restrict_cases(split.test, shared[split.test.targets])
    askable = askable_cases(known_targets, shop, repeats)
    cases = sample_cases(askable, np.random.default_rng(settings.evaluation.seed))
    if not len(cases):
        raise DataError(
            f"no user took {'an item' if repeats else 'a new item'} that both bundles know; they share "
            f"{int(shared.sum()):,} items. Train both on the data of today"
            + ("." if repeats else ", or compare with --seen keep.")
        )
    scorers = [
        SharedItems(
            bundle.manifest.bundle_id,
            served_scorer(settings, shop, bundle, cases, features, repeats, progress),
            shared,
        )
        for bundle in bundles
    ]
    names = [scorer.name for scorer in scorers]
    evaluation = evaluate_scorers(
        scorers,
        replace(split, test=cases),
        shop.interactions,
        settings.evaluation,
        seen=seen_of(repeats),
        reference=names[0],
        served=names[1],
        stages=names[:1],
        progress=progress,
    )
    first, second, both = (int(part.sum()) for part in (*known, shared))
    return compare_rankings(
        evaluation,
        shop.interactions,
        _titles(vocabulary, bundles),
        Catalogs(first, second, both, targets_left_out=int((~shared[split.test.targets]).sum())),
        cases_of=len(askable),
        users=users,
        seed=settings.evaluation.seed,
    )


def _titles(vocabulary: Vocabulary, bundles: Sequence[Bundle]) -> list[str]:
    """(N + 1,) the title that the last of the bundles has for each of the shop's items, else its id."""
    titles = list(vocabulary.ids)
    for bundle in bundles:
        for index, own in enumerate(bundle.items.vocabulary.indexes(vocabulary.ids).tolist()):
            titles[index] = bundle.items.titles[own] if own else titles[index]
    return titles


def _write(out: Path, text: str) -> None:
    try:
        atomic.write_text(out, text)
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written: {error}. Name another place.") from error
