"""The manifest of a bundle in training: what it is made from."""

import json
from datetime import datetime

import numpy as np

from recsys.dataset.interactions import Interactions
from recsys.instants import from_micros
from recsys.models.manifest import Manifest
from recsys.training.job import SECTIONS, SERVICES, TrainingJob


def build_manifest(
    job: TrainingJob, known: Interactions, bundle_id: str, now: datetime, git_revision: str | None
) -> Manifest:
    """The manifest of the bundle that `job` trains; its metrics are empty until training ends.

    Args:
        known: all actions that may be learned from, validation included.
    """
    sections = SECTIONS | ({"incremental"} if job.parent else set())
    settings = job.settings.model_dump(mode="json", include=sections)
    return Manifest(
        bundle_id=bundle_id,
        created_at=now,
        dataset=job.shop.info.name,
        protocol=job.split.protocol if len(job.split.test) else "all",
        repeats=job.shop.info.repeats,
        services={service: job.features.schema_hash(service) for service in SERVICES},
        data_start=from_micros(int(known.at.min())),
        data_end=from_micros(int(known.at.max())),
        users=len(np.unique(known.user_index)),
        items=len(known.items) - 1,
        encoder=job.settings.text.encoder,
        text_precision=job.text_precision,
        settings=json.loads(json.dumps(settings)),
        metrics={},
        git_revision=git_revision,
        parent=job.parent.manifest.bundle_id if job.parent else None,
        trained_until=from_micros(int(known.at.max())),
    )
