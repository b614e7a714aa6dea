"""The ranker: the second stage, trained on the ranking set."""

from recsys.models.bundle import Bundle
from recsys.models.ranker import Ranker
from recsys.training.job import TrainingJob
from recsys.training.ranker import train_ranker
from recsys.training.stages.ranking_set import build_ranking_set


def train_ranker_stage(job: TrainingJob, bundle: Bundle) -> Ranker:
    """A calibrated ranker over the first stage `bundle`; its curves are left in the run's folder."""
    data = build_ranking_set(job, bundle)
    ranker, curves = train_ranker(
        data.features, data.labels, data.mask, job.settings.ranker, data.users, job.progress
    )
    curves.save(job.run_dir / "ranker")
    curves.draw(job.run_dir / "ranker")
    return ranker
