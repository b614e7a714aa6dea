"""The click model: trained on impressions of the validation period, calibrated on the last of them."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from recsys import columns
from recsys.config import ClickSettings
from recsys.dataset.click_log import LabelledImpressions
from recsys.instants import from_micros
from recsys.models.bundle import Bundle
from recsys.models.ctr.shop_model import ClickFacts, ShopClickModel
from recsys.models.manifest import NO_CLOCK
from recsys.progress import Progress, silent
from recsys.training.ctr.click_data import EncodeQuery, click_impressions, learn_codes, shape_for
from recsys.training.ctr.loop import TrainedCtr, train_ctr
from recsys.training.ctr.settings import CtrSettings
from recsys.training.feature_reads import TrainingFeatures
from recsys.training.job import TrainingJob

NO_IMPRESSIONS = "nothing that was shown is labelled"  # as `no_click_model`
CALIBRATION_SHARE = 0.25  # of the impressions, the latest
_CALIBRATION_CLICKS = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedClicks:
    """A shop's click model and how its training went."""

    model: ShopClickModel
    trained: TrainedCtr


def train_click_stage(job: TrainingJob, bundle: Bundle) -> Bundle:
    """`bundle` with a click model; where there are too few labels, with the reason instead.

    Args:
        bundle: it knows nothing of the validation period, from which the labels are.
    """
    if job.shop.info.clock == "order":
        return without_click_model(bundle, NO_CLOCK)
    labels = job.clicks
    if labels is None or not len(labels):
        return without_click_model(bundle, NO_IMPRESSIONS)
    settings = job.settings.ctr
    labels = latest_impressions(labels, settings.impressions)
    obstacle = click_obstacle(labels, settings)
    if obstacle is not None:
        log.warning(
            "no click model was trained: %s. Let more clicks come in, or lower ctr.min_clicks.",
            obstacle,
        )
        return without_click_model(bundle, obstacle)
    encode = None
    if job.open_queries is not None and (labels.query != "").any() and bundle.text_vectors.any():
        encode = job.open_queries()
    found = train_click_model(labels, job.features, bundle, settings, encode, job.progress)
    found.trained.curves.save(job.run_dir / "click-through")
    found.trained.curves.draw(job.run_dir / "click-through")
    services = {columns.ADS_SERVICE: job.features.schema_hash(columns.ADS_SERVICE)}
    return with_click_model(bundle, found.model, services)


def train_click_model(
    labels: LabelledImpressions,
    features: TrainingFeatures,
    bundle: Bundle,
    settings: ClickSettings,
    encode_query: EncodeQuery | None = None,
    progress: Progress = silent,
) -> TrainedClicks:
    """A click model of all but the latest labels, calibrated on those.

    Raises:
        DataError: one of both parts has no click, or nothing but clicks.
    """
    codes = learn_codes(labels, bundle)
    rows = click_impressions(labels, features, bundle, codes, settings.history, encode_query, progress)
    shape = shape_for(labels, codes, bundle, settings.history, rows.query_vectors.shape[1])
    start = calibration_start(labels)
    train, held = np.flatnonzero(labels.at < start), np.flatnonzero(labels.at >= start)
    trained = train_ctr(rows.take(train), rows.take(held), shape, loop_settings(settings), progress)
    facts = ClickFacts(
        impressions=len(labels),
        clicks=int(labels.clicked.sum()),
        since=int(labels.at.min()),
        until=int(labels.at.max()),
        calibrated_from=start,
        conversion=_conversion_rate(labels),
    )
    log.info(
        "click model: %d impressions with %d clicks of %d places, calibrated from %s on",
        facts.impressions,
        facts.clicks,
        len(codes.places),
        f"{from_micros(start):%Y-%m-%d %H:%M}",
    )
    return TrainedClicks(ShopClickModel(trained.model, codes, facts), trained)


def _conversion_rate(labels: LabelledImpressions) -> float:
    """Of clicks whose purchases are known for good; of few clicks drawn to one in fifty."""
    final = labels.clicked & labels.mature
    return (float(labels.converted[final].sum()) + 1.0) / (float(final.sum()) + 50.0)


def latest_impressions(labels: LabelledImpressions, most: int) -> LabelledImpressions:
    """The latest `most` impressions, and what else their first answer showed."""
    if len(labels) <= most:
        return labels
    return labels.take(labels.request >= labels.request[-most])


def calibration_start(labels: LabelledImpressions) -> int:
    """Microseconds from which impressions calibrate: an instant, so that no answer is on both sides."""
    return int(labels.at[int(len(labels) * (1 - CALIBRATION_SHARE))])


def click_obstacle(labels: LabelledImpressions, settings: ClickSettings) -> str | None:
    """Why nothing can be learned from these labels; None where something can."""
    late = labels.at >= calibration_start(labels)
    clicks, last = int(labels.clicked.sum()), int(labels.clicked[late].sum())
    if clicks < settings.min_clicks:
        return f"{clicks} clicks were labelled, and it takes {settings.min_clicks}"
    if last < _CALIBRATION_CLICKS or last == clicks:
        return f"{last} of {clicks} clicks are among the last {CALIBRATION_SHARE:.0%} of the impressions"
    if not (~labels.clicked[late]).any() or not (~labels.clicked[~late]).any():
        return "everything that was shown was clicked"
    return None


def with_click_model(bundle: Bundle, model: ShopClickModel, services: dict[str, str]) -> Bundle:
    """`bundle` with `model`, which reads `services`."""
    manifest = bundle.manifest
    changed = {"services": manifest.services | services, "no_click_model": None}
    return replace(bundle, click_model=model, manifest=manifest.model_copy(update=changed))


def without_click_model(bundle: Bundle, reason: str) -> Bundle:
    """`bundle` without one, and why."""
    services = {name: seen for name, seen in bundle.manifest.services.items() if name != columns.ADS_SERVICE}
    changed = bundle.manifest.model_copy(update={"services": services, "no_click_model": reason})
    return replace(bundle, manifest=changed, click_model=None)


def loop_settings(settings: ClickSettings) -> CtrSettings:
    """How the network is trained by these settings."""
    return CtrSettings(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        kept=settings.kept,
        seed=settings.seed,
    )
