"""A bundle trained again, with the validation events in the training data of network and neighbours.

It measures what a shop would get that holds nothing back. Beside models that never saw those events the
comparison would not be fair, so a report shows it apart.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from recsys.dataset.interactions import Interactions
from recsys.dataset.split import TEST, Split, known_before_test, leave_one_out_parts
from recsys.errors import DataError
from recsys.models.bundle import Bundle
from recsys.models.manifest import Manifest
from recsys.models.retriever.retriever import Retriever
from recsys.training.job import TrainingJob
from recsys.training.stages.first_stage import build_first_stage
from recsys.training.stages.manifest import build_manifest

_EPOCH = (
    "epoch"  # the "metric" of a network that has nothing left to be validated on: a later epoch is better
)


def train_with_validation(job: TrainingJob, evaluated: Bundle, epochs: int) -> Bundle:
    """`evaluated` with network, neighbours, counts and popularity learned from all that came before the test.

    The weights of fusion and the ranker are kept: validation is what they were learned from.

    Args:
        job: that of `evaluated`: its split, its settings.
        epochs: as many as were best for the evaluated network; nothing is left to stop early by.

    Raises:
        DataError: `evaluated` goes on from another bundle.
    """
    check_from_the_start(evaluated.manifest)
    known = training_and_validation(job.shop.interactions, job.split)
    network = job.settings.retriever.model_copy(update={"epochs": epochs, "patience": epochs})
    settings = job.settings.model_copy(update={"retriever": network})
    job = replace(job, split=replace(job.split, train=known), settings=settings, parent=None)
    manifest = evaluated.manifest
    retrained = build_manifest(job, known, f"{manifest.bundle_id}-retrained", manifest.created_at, None)
    bundle = build_first_stage(job, known, retrained, _count_epochs(), _EPOCH)
    return replace(bundle, fusion=evaluated.fusion, ranker=evaluated.ranker)


def check_from_the_start(manifest: Manifest) -> None:
    """Makes sure that a bundle learned from nothing but its own training part.

    Raises:
        DataError: it goes on from another bundle.
    """
    if manifest.parent is not None:
        raise DataError(
            f"bundle {manifest.bundle_id!r} goes on from {manifest.parent!r}, which learned from events of "
            "its own. Retrain one that was trained from the start."
        )


def training_and_validation(interactions: Interactions, split: Split) -> Interactions:
    """All actions of training and validation."""
    if split.train_end is None:
        return interactions.take(leave_one_out_parts(interactions) != TEST)
    return known_before_test(interactions, split)


def _count_epochs() -> Callable[[Retriever], dict[str, float]]:
    numbers = count(1)
    return lambda retriever: {_EPOCH: float(next(numbers))}
