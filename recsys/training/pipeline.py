"""From an imported shop to a bundle, stage by stage, top to bottom."""

from dataclasses import replace
from datetime import datetime

from recsys.dataset.split import known_before_test
from recsys.models.bundle import Bundle
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.job import TrainingJob
from recsys.training.stages.first_stage import build_first_stage
from recsys.training.stages.fusion_stage import train_fusion_stage
from recsys.training.stages.manifest import build_manifest
from recsys.training.stages.ranker_stage import train_ranker_stage
from recsys.training.stages.validation import build_validator, with_watch


def train_bundle(job: TrainingJob, bundle_id: str, now: datetime, git_revision: str | None = None) -> Bundle:
    """The trained bundle; checkpoints and learning curves are left in `job.run_dir`.

    The retriever learns from `split.train`; fusion and the ranker from cases of the validation period,
    which the retriever has not seen. Nothing learns from the test part.
    """
    known = known_before_test(job.shop.interactions, job.split)
    validate = build_validator(job)
    manifest = build_manifest(job, known, bundle_id, now, git_revision)
    # Fusion learns from a first stage that knows nothing of the validation period.
    early = build_first_stage(job, known, manifest, with_watch(validate, job.watch))
    bundle = early.with_arrays(popularity=popularity_at_end(known))
    if "learning" not in job.settings.fusion.without:
        train_fusion_stage(job, early)  # in place: both bundles hold the same fusion
    if job.with_ranker:
        bundle = train_ranker_stage(job, early, bundle)
    metrics = {f"validation_{name}": value for name, value in validate(bundle.retriever).items()}
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"metrics": metrics}))
