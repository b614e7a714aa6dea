"""Training as a use case: features, bundle, its registration and promotion."""

import logging
from dataclasses import dataclass, replace

from recsys.config import Settings
from recsys.documents import JsonObject
from recsys.instants import utc_now
from recsys.jobs.audit.report import check_audit
from recsys.jobs.clicks.labels import open_click_labels
from recsys.jobs.indexes.thresholds import JudgedFile, JudgedMatches, read_judged_matches
from recsys.jobs.preconditions import check_before_training
from recsys.jobs.training.estimate import warn_of_memory
from recsys.jobs.training.interrupted_run import interrupted_run, move_checkpoints
from recsys.jobs.training.parent_bundle import incremental_protocol, open_parent
from recsys.jobs.training.registration import git_revision, save_and_register
from recsys.jobs.training.search_only import train_search_only
from recsys.jobs.training.training_features import open_training_features
from recsys.models.encoders.query_encoder import QueryEncoder, TorchQueries
from recsys.models.manifest import Manifest
from recsys.progress import Progress
from recsys.stores.bundles.bundles import new_bundle_id
from recsys.stores.encoders.shop_encoder import open_shop_encoder, shop_precision
from recsys.stores.features.offline import OfflineFeatures
from recsys.stores.lake.shop import open_shop
from recsys.stores.registry.records import BundleRecord
from recsys.stores.registry.registry import Registry
from recsys.stores.registry.tables import Stage
from recsys.stores.served.feedback_files import open_feedback
from recsys.training.job import SECTIONS, TrainingJob
from recsys.training.pipeline import train_bundle
from recsys.training.retriever.distributed import SINGLE_PROCESS, ProcessGroup, process_group
from recsys.training.retriever.workers import run_worker, stop_workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A registered bundle and the stage that it is in now."""

    manifest: Manifest
    stage: Stage

    def to_json(self) -> JsonObject:
        """The bundle, what it was trained on and its metrics."""
        manifest = self.manifest
        return {
            "bundle": manifest.bundle_id,
            "stage": self.stage,
            "dataset": manifest.dataset,
            "protocol": manifest.protocol,
            **({"parent": manifest.parent} if manifest.parent else {}),
            **({"search only": True} if manifest.search_only else {}),
            **({"no ranker": manifest.no_ranker} if manifest.no_ranker else {}),
            **({"no click model": manifest.no_click_model} if manifest.no_click_model else {}),
            "users": manifest.users,
            "items": manifest.items,
            "data": f"{manifest.data_start:%Y-%m-%d} to {manifest.data_end:%Y-%m-%d}",
            **manifest.metrics,
        }


def train_and_promote(
    settings: Settings,
    protocol: str | None,
    progress: Progress,
    *,
    promote: bool = False,
    incremental: bool = False,
    resume: bool = False,
    search_only: bool = False,
    fit_threshold: JudgedFile | None = None,
) -> TrainingResult | None:
    """The bundle trained now, promoted where that is asked for or it is the first of its home.

    Args:
        search_only: make one of the catalog alone, see `train_search_only`.
        fit_threshold: a judged set that decides from where on an item matches by meaning.

    Where torchrun started several processes, only the first one has a result; the others share its steps
    and return None.

    Raises:
        ArtifactError: it is to be promoted and the latest skew audit failed.
        DataError: the judged set is of no use. Also see `run_training`.
    """
    with process_group() as processes:
        if not processes.is_leader:
            run_worker(processes)
            return None
        if promote:
            check_audit(settings.paths)
        judged = None if fit_threshold is None else read_judged_matches(settings, fit_threshold)
        if search_only:
            manifest = train_search_only(settings, progress, judged)
        else:
            manifest = run_training(settings, protocol, progress, incremental, resume, processes, judged)
        with Registry.open(settings) as registry:
            if promote or registry.production() is None:
                registry.promote(manifest.bundle_id, changed_by="recsys train")
            stage = registry.get(manifest.bundle_id).stage
        stop_workers(processes)
    return TrainingResult(manifest, stage)


def run_training(
    settings: Settings,
    protocol: str | None,
    progress: Progress,
    incremental: bool = False,
    resume: bool = False,
    processes: ProcessGroup = SINGLE_PROCESS,
    judged: JudgedMatches | None = None,
) -> Manifest:
    """Builds what is missing of the features, trains, saves and registers a bundle; returns its manifest.

    Args:
        incremental: go on from the bundle in production instead of beginning anew.
        resume: go on from the checkpoint of the last run of this kind that did not end.
        processes: those that share the retriever's steps.
        judged: see `save_and_register`.

    Raises:
        ArtifactNotFoundError: nothing is in production to go on from, or no run to resume.
        ArtifactMismatchError: the run to resume was of other settings or data.
        DataError: nothing is new since it was trained.
    """
    check_before_training(settings)
    revision, now = git_revision(settings), utc_now()
    kind = "train-incremental" if incremental else "train"
    with Registry.open(settings) as registry:
        interrupted = interrupted_run(registry, settings, kind) if resume else None
        job = open_job(
            settings, protocol, progress, registry.production() if incremental else None, incremental
        )
        sections = job.settings.model_dump(mode="json", include=SECTIONS)
        run_id = registry.start_run(kind, sections, revision)
        try:
            job = replace(job, run_dir=settings.paths.runs / run_id, processes=processes)
            job.run_dir.mkdir(parents=True, exist_ok=True)
            warn_of_memory(job)
            if interrupted is not None:
                move_checkpoints(interrupted, job.run_dir)
            bundle = train_bundle(job, new_bundle_id(job.shop.info.name, now), now, revision)
            save_and_register(registry, settings, bundle, run_id, progress, judged)
        except BaseException as error:  # whatever ends a run, Ctrl-C too, is noted and goes on
            registry.finish_run(run_id, error=str(error) or type(error).__name__)
            raise
    log.info("learning curves: %s", job.run_dir)
    return bundle.manifest


def open_job(
    settings: Settings,
    protocol: str | None,
    progress: Progress,
    production: BundleRecord | None,
    incremental: bool,
) -> TrainingJob:
    """What to train on, its features brought up to date."""
    shop = open_shop(settings.paths, progress)
    if incremental:
        settings, protocol = incremental_protocol(settings, protocol, shop.info)
    split = shop.training_split(protocol or shop.default_protocol, settings.evaluation)
    parent = (
        open_parent(settings, production, shop, split, OfflineFeatures(settings)) if incremental else None
    )
    features = open_training_features(settings, shop, split, progress)
    feedback, clicks = None, None
    if split.train_end is not None and split.test_start is not None:
        feedback = open_feedback(settings.paths, shop.interactions.items, split.train_end, split.test_start)
        if len(feedback):
            log.info(
                "feedback: %d responses showed %d items, %d of them with a label (%s)",
                len(feedback),
                len(feedback.item_index),
                int(feedback.labels.sum()),
                feedback.label_kind,
            )
        if len(feedback) or settings.paths.ad_log.exists():
            clicks = open_click_labels(settings, split.train_end, split.test_start)
    return TrainingJob(
        shop,
        split,
        features,
        settings,
        settings.paths.runs,
        progress,
        feedback,
        clicks,
        lambda: QueryEncoder(TorchQueries(open_shop_encoder(settings))).encode,
        parent,
        text_precision=shop_precision(settings),
    )
