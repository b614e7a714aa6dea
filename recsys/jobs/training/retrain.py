"""The trainings that `recsys evaluate` may ask for: where validation only chooses, and with other seeds."""

import logging
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from recsys.config import Settings
from recsys.dataset.shop import Shop
from recsys.errors import ArtifactMismatchError
from recsys.evaluation.compare import VALIDATION_CHOOSES, Evaluation, evaluate_scorers
from recsys.instants import utc_now
from recsys.jobs.training.training_features import open_training_features
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.progress import Progress
from recsys.stores.bundles.bundles import load_manifest
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.registry.records import BundleRecord
from recsys.stores.served.feedback_files import open_feedback
from recsys.training.job import TrainingJob
from recsys.training.pipeline import EARLY, train_bundle
from recsys.training.scorers import RetrieverScorer, ServedScorer, bundle_scorers
from recsys.training.stages.validation_cases import with_some_users_asked
from recsys.training.validation_chooses import check_from_the_start, train_validation_chooses

log = logging.getLogger(__name__)

CHOSEN = "validation-chooses"  # a run's folder of the network that no validation event was learned by
_OF_TRAINING = ("text", "retriever", "fusion", "ranker")


def check_retraining(settings: Settings, record: BundleRecord, from_the_start: bool) -> None:
    """Makes sure, before a bundle is evaluated, that it can be trained again.

    Raises:
        ArtifactMismatchError: it was made with settings that there are no longer.
        DataError: `from_the_start`, and it goes on from another bundle.
    """
    manifest = load_manifest(record.path)
    settings_as_trained(manifest, settings)
    if from_the_start:
        check_from_the_start(manifest)


def chosen_scorer(
    settings: Settings,
    shop: Shop,
    record: BundleRecord,
    bundle: Bundle,
    repeats: bool,
    progress: Progress,
) -> RetrieverScorer | ServedScorer:
    """What the training of `bundle` gives where validation only chooses, see `train_validation_chooses`.

    Raises:
        DataError: it goes on from another bundle.
    """
    manifest = bundle.manifest
    run = settings.paths.runs / (record.run_id or record.bundle_id)
    job = job_of_bundle(settings_as_trained(manifest, settings), shop, manifest, run, progress)
    # Cut by time this is the network that the bundle's fusion was learned over: its checkpoint is there.
    folder = run / (EARLY if with_some_users_asked(job) is job else CHOSEN)
    log.info("the network of %s without validation events: %s", record.bundle_id, folder)
    scorer = served_scorer(job, train_validation_chooses(job, bundle, folder), repeats)
    scorer.name = VALIDATION_CHOOSES
    return scorer


def seed_evaluations(
    settings: Settings,
    shop: Shop,
    record: BundleRecord,
    first: Evaluation,
    seeds: int,
    progress: Progress,
) -> list[Evaluation]:
    """`first`, of the bundle of `record`, and one each for as many trainings with the seeds that follow.

    Networks keep their checkpoints beside the bundle's run: another run, or one of more seeds, trains
    only what is missing. No bundle is kept.
    """
    manifest, found = load_manifest(record.path), [first]
    for step in range(1, seeds):
        changed = shift_seeds(settings_as_trained(manifest, settings), step)
        log.info("training with seed %d, %d of %d", changed.retriever.seed, step + 1, seeds)
        folder = settings.paths.runs / (record.run_id or record.bundle_id) / f"seed-{step}"
        job = job_of_bundle(changed, shop, manifest, folder, progress)
        bundle = train_bundle(job, f"{record.bundle_id}-seed-{step}", utc_now())
        served = served_scorer(job, bundle, first.seen == "keep")
        found.append(
            evaluate_scorers(
                [served],
                job.split,
                shop.interactions,
                settings.evaluation,
                seen=first.seen,
                progress=progress,
            )
        )
    return found


def job_of_bundle(
    settings: Settings, shop: Shop, manifest: Manifest, folder: Path, progress: Progress
) -> TrainingJob:
    """The training that the bundle of `manifest` came from, in another folder and with these settings."""
    split = shop.split(manifest.protocol, manifest.held_out(settings.evaluation))
    features = open_training_features(settings, shop, split, progress)
    job = TrainingJob(shop, split, features, settings, folder, progress)
    if split.train_end is None or split.test_start is None:
        return job
    feedback = open_feedback(settings.paths, shop.interactions.items, split.train_end, split.test_start)
    return replace(job, feedback=feedback)


def served_scorer(job: TrainingJob, bundle: Bundle, repeats: bool) -> RetrieverScorer | ServedScorer:
    """The last stage of `bundle` for the test cases of `job`."""
    count, cases = job.settings.serving.candidates, job.split.test
    features = OfflineFeatures(job.settings)  # those of the test: all that happened before each case
    return bundle_scorers(bundle, job.shop.interactions, cases, features, count, repeats, job.progress)[-1]


def settings_as_trained(manifest: Manifest, settings: Settings) -> Settings:
    """`settings` with those of training as they were when the bundle was made; threads are this machine's.

    Raises:
        ArtifactMismatchError: the bundle was made with settings that there are no longer.
    """
    found = {}
    try:
        for name in _OF_TRAINING:
            today = getattr(settings, name)
            recorded = dict(manifest.settings.get(name, {}))
            if name == "retriever":
                recorded |= {"threads": today.threads}
            found[name] = type(today).model_validate(today.model_dump() | recorded)
    except ValidationError as error:
        raise ArtifactMismatchError(
            f"bundle {manifest.bundle_id!r} was trained with other settings than there are today: {error}. "
            "Run `recsys train`."
        ) from error
    return settings.model_copy(update=found)


def shift_seeds(settings: Settings, step: int) -> Settings:
    """`settings` with every seed of training moved on by `step`."""
    parts = {name: getattr(settings, name) for name in ("retriever", "fusion", "ranker")}
    return settings.model_copy(
        update={name: part.model_copy(update={"seed": part.seed + step}) for name, part in parts.items()}
    )
