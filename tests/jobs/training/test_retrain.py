"""With which settings a bundle is trained again."""

import pytest

from recsys.config import RetrieverSettings, Settings
from recsys.errors import ArtifactMismatchError
from recsys.jobs.training.retrain import settings_as_trained, shift_seeds
from tests.tiny_bundle import tiny_bundle


def test_settings_are_those_of_the_bundle_and_threads_those_of_the_machine() -> None:
    manifest = tiny_bundle().manifest.model_copy(
        update={"settings": {"retriever": {"width": 8, "seed": 5, "threads": 32}}}
    )
    today = Settings(retriever=RetrieverSettings(width=16, epochs=7, threads=1))
    found = settings_as_trained(manifest, today).retriever
    assert (found.width, found.seed, found.epochs, found.threads) == (8, 5, 7, 1)


def test_settings_that_are_gone_are_named() -> None:
    manifest = tiny_bundle().manifest.model_copy(update={"settings": {"fusion": {"experts": 3}}})
    with pytest.raises(ArtifactMismatchError, match="experts"):
        settings_as_trained(manifest, Settings())


def test_every_seed_moves_on() -> None:
    changed = shift_seeds(Settings(retriever=RetrieverSettings(seed=4)), 2)
    assert (changed.retriever.seed, changed.fusion.seed, changed.ranker.seed) == (6, 2, 2)
