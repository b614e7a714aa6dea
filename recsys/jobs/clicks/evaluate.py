"""Click models beside each other: a bundle's on its shop, or one trained on a log of one's own."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recsys import columns
from recsys.arrays import DoubleArray
from recsys.config import Settings
from recsys.dataset.click_log import LabelledImpressions
from recsys.documents import JsonObject
from recsys.errors import DataError
from recsys.evaluation.ctr.comparison import (
    ClickComparison,
    click_slices,
    compare_models,
    purchases_by_age,
)
from recsys.evaluation.ctr.measure import ClickLog
from recsys.evaluation.ctr.report import write_click_report
from recsys.instants import DAY, from_micros
from recsys.jobs.clicks.files import read_click_file
from recsys.jobs.clicks.labels import open_click_labels
from recsys.jobs.preconditions import check_folder_writable
from recsys.jobs.promotion.bundle_check import load_fitting
from recsys.models.bundle import Bundle
from recsys.models.ctr.impressions import Impressions
from recsys.models.ctr.model import CtrModel, is_new_item
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.progress import Progress
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.encoders.shop_encoder import open_shop_encoder
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.registry.records import BundleRecord
from recsys.stores.registry.registry import Registry
from recsys.training.ctr.click_data import click_impressions
from recsys.training.ctr.comparison import OURS, baseline_predictions
from recsys.training.ctr.loop import train_ctr
from recsys.training.ctr.own_log import read_own_log
from recsys.training.feature_reads import TrainingFeatures
from recsys.training.stages.click_stage import loop_settings

AS_SERVED = "as it was served"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClickEvaluationResult:
    """A comparison of click models and its report.

    Attributes:
        name: the bundle's id, or the file's name. summary: of what it is, one sentence.
    """

    name: str
    summary: str
    comparison: ClickComparison
    folder: Path
    report: tuple[Path, ...]

    def to_json(self) -> JsonObject:
        """The tables with every digit, and the report's files."""
        return {
            "name": self.name,
            "summary": self.summary,
            **self.comparison.to_json(),
            "report": [str(path) for path in self.report],
        }


def evaluate_bundle_clicks(
    settings: Settings, bundle_id: str | None, progress: Progress
) -> ClickEvaluationResult:
    """A bundle's click model on what was shown after it had learned, beside baselines.

    The baselines learn from the same impressions and features, without the retriever's vectors: those of the
    bundle have seen what was clicked in training.

    Raises:
        DataError: the bundle has no click model, or nothing that came later is labelled.
    """
    check_folder_writable(settings.paths.reports)
    record = _record(settings, bundle_id)
    features = OfflineFeatures(settings)
    with progress("load bundle", None):
        bundle = load_fitting(record.path, features)
    if bundle.click_model is None:
        why = bundle.manifest.no_click_model or "it was trained before there were any"
        raise DataError(
            f"bundle {record.bundle_id!r} has no click model: {why}. "
            "Run `recsys train` once enough clicks are labelled, or name a log with --impressions."
        )
    facts = bundle.click_model.facts
    with progress("read labels", None):
        labels = open_click_labels(settings, facts.since)
    if not (labels.at > facts.until).any():
        raise DataError(
            f"nothing that was shown after {from_micros(facts.until):%Y-%m-%d %H:%M} is labelled, and until "
            f"then the click model of {record.bundle_id!r} learned. Wait for later clicks, or train with "
            "--test-from."
        )
    rows = shop_rows(settings, bundle, labels, features, progress)
    name = record.bundle_id
    comparison = compare_shop(bundle, labels, rows, settings, progress)
    summary = (
        f"{(labels.at > facts.until).sum():,} impressions from {from_micros(facts.until):%Y-%m-%d %H:%M} on. "
        "Baselines read the same features, but no vectors. Made by: recsys evaluate --task ctr"
    )
    return _reported(settings, name, summary, comparison, settings.paths.reports / name / "clicks")


def evaluate_click_file(
    settings: Settings, file: Path, progress: Progress, per_user: bool = False
) -> ClickEvaluationResult:
    """A click model trained on a log of one's own, on its last part, beside baselines of the same columns.

    Raises:
        DataError: the file cannot be read, lacks a column, or has too little to learn from.
    """
    check_folder_writable(settings.paths.reports)
    with progress("read impressions", None):
        own = read_own_log(read_click_file(file), min(settings.ctr.history, 50), per_user)
    trained = train_ctr(own.train, own.held, own.shape, loop_settings(settings.ctr), progress).model
    models = baseline_predictions(own.train, own.held, own.test, own.shape, progress=progress)
    predicted = trained.predict(own.test)
    models[OURS] = predicted.p_click
    comparison = _measured(models, own.test, own.labels, trained, own.learned_until, settings, progress)
    split = "of each user" if per_user else "of all"
    summary = (
        f"{len(own.train) + len(own.held):,} impressions to learn from, the last {len(own.test):,} {split} "
        f"by time to measure. Made by: recsys evaluate --task ctr --impressions {file.name}"
    )
    summary += " --per-user" if per_user else ""
    return _reported(settings, file.name, summary, comparison, settings.paths.reports / f"clicks-{file.stem}")


def _record(settings: Settings, bundle_id: str | None) -> BundleRecord:
    """The bundle that is named, else the newest with a click model, else the newest."""
    with Registry.open(settings) as registry:
        if bundle_id is not None:
            return registry.get(bundle_id)
        records = list(registry.list_bundles())
    if not records:
        raise DataError("there is no bundle. Run `recsys train`, or name a log with --impressions.")
    return next(
        (each for each in records if columns.ADS_SERVICE in load_manifest(each.path).services), records[0]
    )


def shop_rows(
    settings: Settings,
    bundle: Bundle,
    labels: LabelledImpressions,
    features: TrainingFeatures,
    progress: Progress,
) -> Impressions:
    """The arrays of `labels` as the click model of `bundle` reads them."""
    model = bundle.click_model
    assert model is not None
    shape = model.model.shape
    encode = QueryEncoder(TorchQueries(open_shop_encoder(settings))).encode if shape.query else None
    return click_impressions(labels, features, bundle, model.codes, shape.history, encode, progress)


def compare_shop(
    bundle: Bundle, labels: LabelledImpressions, rows: Impressions, settings: Settings, progress: Progress
) -> ClickComparison:
    """The click model of `bundle` on the `labels` that came later, beside baselines fitted on the rest."""
    model = bundle.click_model
    assert model is not None
    facts = model.facts
    later = labels.at > facts.until
    train, held, test = (
        np.flatnonzero(part)
        for part in (labels.at < facts.calibrated_from, (labels.at >= facts.calibrated_from) & ~later, later)
    )
    parts = rows.take(train), rows.take(held), rows.take(test)
    models = baseline_predictions(*parts, model.model.shape, vectors=False, progress=progress)
    served = labels.p_click[later]
    if not np.isnan(served).any():
        models[AS_SERVED] = np.clip(served, 0, 1)
    models[OURS] = model.model.predict(parts[2]).p_click
    return _measured(models, parts[2], labels.take(later), model.model, facts.until, settings, progress)


def _measured(
    models: Mapping[str, DoubleArray],
    test: Impressions,
    labels: LabelledImpressions,
    model: CtrModel,
    learned_until: int,
    settings: Settings,
    progress: Progress,
) -> ClickComparison:
    new = is_new_item(model.shown, test.item)
    slices = click_slices(labels.places.tolist(), labels.slot, new, labels.at, learned_until)
    measured = settings.evaluation
    log_of = ClickLog(labels.clicked, labels.unit, slices, measured.bootstrap_samples, measured.seed)
    with progress("measure", None):
        found = compare_models(models, log_of, OURS)
    age = (int(labels.at.max()) - labels.at) / DAY
    conversion = model.predict(test).conversion
    bought = purchases_by_age(labels.clicked, labels.converted, conversion, age)
    return replace(found, purchases=bought)


def _reported(
    settings: Settings, name: str, summary: str, comparison: ClickComparison, folder: Path
) -> ClickEvaluationResult:
    report = write_click_report(comparison, folder, title=f"Clicks: {name}", summary=summary)
    return ClickEvaluationResult(name, summary, comparison, folder, report)
