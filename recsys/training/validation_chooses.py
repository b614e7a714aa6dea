"""A bundle in which the validation events only choose: how published models are trained.

Network, neighbours and counts learn from the training part alone. Validation chooses the epoch and the eight
weights of fusion's prior; nothing is fitted to it by gradient, there is no ranker, and nothing is fitted
again. It is for a comparison with models that never saw those events, and is never served.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from recsys.dataset.split import known_before_test
from recsys.errors import DataError
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.retrieval.popularity import popularity_at_end
from recsys.training.job import TrainingJob
from recsys.training.prior_weights import fit_prior_by_coordinate_ascent
from recsys.training.requests import HeldOutUsers
from recsys.training.stages.first_stage import build_first_stage
from recsys.training.stages.fusion_stage import read_signal_requests
from recsys.training.stages.manifest import build_manifest
from recsys.training.stages.validation import build_validator
from recsys.training.stages.validation_cases import read_validation_cases


def train_validation_chooses(job: TrainingJob, evaluated: Bundle, folder: Path) -> Bundle:
    """What `job`, from which `evaluated` came, gives where validation only chooses.

    Args:
        folder: of the network's checkpoints; where it holds the same training's, nothing is trained.

    Raises:
        DataError: `evaluated` goes on from another bundle.
    """
    manifest = evaluated.manifest
    check_from_the_start(manifest)
    known = known_before_test(job.shop.interactions, job.split)
    chosen = build_manifest(job, known, f"{manifest.bundle_id}-chosen", manifest.created_at, None)
    bundle = build_first_stage(job, job.split.train, chosen, build_validator(job), folder)
    asked = read_validation_cases(
        job, np.random.default_rng(job.settings.fusion.seed), job.settings.fusion.requests
    )
    nobody = HeldOutUsers()
    parts = list(read_signal_requests(job, bundle, asked, nobody, nobody).values())
    signals, labels, mask, targets = (
        torch.from_numpy(np.concatenate([getattr(part, name) for part in parts]))
        for name in ("signals", "labels", "mask", "targets")
    )
    seed = job.settings.fusion.seed
    bundle.fusion.shape = fit_prior_by_coordinate_ascent(bundle.fusion, signals, labels, mask, targets, seed)
    return replace(bundle.with_arrays(popularity=popularity_at_end(known)), manifest=chosen)


def check_from_the_start(manifest: Manifest) -> None:
    """Makes sure that a bundle does not go on from another one.

    Raises:
        DataError: it does.
    """
    if manifest.parent is not None:
        raise DataError(
            f"bundle {manifest.bundle_id!r} goes on from {manifest.parent!r}, which learned from validation "
            "events of its own. Name a bundle that was trained from the start."
        )
