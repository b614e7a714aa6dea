"""The ranker: the second stage, trained on the ranking set."""

import logging
from dataclasses import replace

from recsys.models.bundle import Bundle
from recsys.models.manifest import NO_CLOCK
from recsys.training.job import TrainingJob
from recsys.training.ranker import ranker_obstacle, train_ranker
from recsys.training.requests import HeldOutUsers
from recsys.training.stages.ranking_set import build_ranking_set

log = logging.getLogger(__name__)


def train_ranker_stage(job: TrainingJob, bundle: Bundle, held: HeldOutUsers) -> tuple[Bundle, frozenset[str]]:
    """`bundle` with a calibrated ranker; where the data has too little for one, with the reason instead.

    Beside it the kinds of request that the ranker orders better than fusion. The ranker's curves are left in
    the run's folder.

    Args:
        bundle: a first stage that knows nothing of the validation period.
    """
    if job.shop.info.clock == "order":
        return _without_ranker(bundle, NO_CLOCK), frozenset()
    data = build_ranking_set(job, bundle, held)
    obstacle = ranker_obstacle(data)
    if obstacle is not None:
        remedy = "Import more events, of more users and items,"
        if len(data.labels) >= job.settings.ranker.requests - 2:  # shares of them are rounded
            remedy += f" or raise ranker.requests above {job.settings.ranker.requests},"
        if job.parent is not None and job.parent.ranker is not None:
            remedy = f"{job.parent.manifest.bundle_id!r} has one. Raise incremental.validation_days"
        log.warning(
            "no ranker was trained: %s. The bundle is complete without one: it serves in the order of the "
            "first stage, without p_click. %s and train again for one.",
            obstacle,
            remedy,
        )
        return _without_ranker(bundle, obstacle), frozenset()
    trained = train_ranker(data, job.settings.ranker, job.progress)
    trained.curves.save(job.run_dir / "ranker")
    trained.curves.draw(job.run_dir / "ranker")
    learned = replace(bundle, ranker=trained.ranker)
    if job.feedback is not None and len(job.feedback):
        manifest = bundle.manifest.model_copy(update={"shown_labels": job.feedback.label_kind})
        learned = replace(learned, manifest=manifest)
    return learned, trained.better


def _without_ranker(bundle: Bundle, reason: str) -> Bundle:
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"no_ranker": reason}))
